//! Channels: JOIN, PART, KICK, INVITE, TOPIC. Their lists are in `lists.rs`, their modes in `modes.rs`.

use crate::irc::{
    codec::{Message, cut_at_character},
    server::{
        capability::Capability,
        channel::{Channel, MAPPING, Status, Topic, is_channel, seconds},
        network::Network,
        outgoing::Outgoing,
        user::{User, UserId},
    },
};

/// Longest topic, reason and away message.
pub(super) const TEXT_MAX: usize = 390;
/// Most channels that a client is invited to.
const INVITED_MAX: usize = 100;

impl Network {
    pub(super) fn join(&mut self, id: UserId, message: &Message<'_>) {
        if message.params()[0] == b"0" {
            let channels =
                self.users.get(&id).map(|user| user.channels.clone()).unwrap_or_default();
            channels.iter().for_each(|key| self.part_one(id, key, b""));
            return;
        }
        let keys: Vec<&[u8]> = match message.params().get(1) {
            Some(keys) => keys.split(|byte| *byte == b',').collect(),
            None => Vec::new(),
        };
        for (at, name) in message.params()[0].split(|byte| *byte == b',').enumerate() {
            if !name.is_empty() {
                self.join_one(id, name, keys.get(at).copied());
            }
        }
    }

    fn join_one(&mut self, id: UserId, name: &[u8], password: Option<&[u8]>) {
        if !is_channel(name) {
            return self.reply(id, 403, &[name], "No such channel");
        }
        let key = MAPPING.fold(name);
        let Some(user) = self.users.get(&id) else { return };
        if user.channels.contains(&key) {
            return;
        }
        let is_new = !self.channels.contains_key(&key);
        let has_room = user.channels.len() < self.config.channels_per_client_max;
        if !has_room || is_new && self.channels.len() >= self.config.channels_max {
            return self.reply(id, 405, &[name], "You have joined too many channels");
        }
        if let Some(channel) = self.channels.get(&key)
            && let Err((number, text)) = self.may_join(user, channel, &key, password)
        {
            return self.reply(id, number, &[name], text);
        }
        let created = seconds(self.now);
        let channel =
            self.channels.entry(key.clone()).or_insert_with(|| Channel::new(name, created));
        let Some(user) = self.users.get_mut(&id) else { return };
        let is_founder = channel.founder.is_some() && channel.founder == user.account;
        let is_operator = is_founder || is_new;
        channel.members.insert(id, Status { is_operator, has_voice: false });
        user.channels.insert(&key);
        user.invited.remove(&key);
        self.tell_join(id, &key, is_founder && !is_new);
    }

    /// Tells all members, also the new one, that somebody has joined.
    fn tell_join(&mut self, id: UserId, key: &[u8], is_given_status: bool) {
        let (Some(user), Some(channel)) = (self.users.get(&id), self.channels.get(key)) else {
            return;
        };
        let (name, nick, source) = (channel.name.clone(), user.nick.clone(), user.source());
        let account = user.account.clone();
        let plain = Outgoing::new(&source, "JOIN").param(&name).account(account.as_deref());
        let extended =
            Outgoing::new(&source, "JOIN").param(&name).param(account.as_deref().unwrap_or("*"));
        let extended = extended.text(&user.real_name).account(account.as_deref());
        let away = user.away.as_ref();
        let away =
            away.map(|away| Outgoing::new(&source, "AWAY").text(away).account(account.as_deref()));
        let is_extended = |user: &User| user.capabilities.has(Capability::ExtendedJoin);
        self.send_channel(key, &plain, |_, user| !is_extended(user));
        self.send_channel(key, &extended, |_, user| is_extended(user));
        if let Some(away) = away {
            let is_notified = |user: &User| user.capabilities.has(Capability::AwayNotify);
            self.send_channel(key, &away, |member, user| member != id && is_notified(user));
        }
        if is_given_status {
            let mode = Outgoing::new(self.config.name.as_bytes(), "MODE")
                .param(&name)
                .param("+o")
                .param(&nick);
            self.send_channel(key, &mode, |member, _| member != id);
        }
        self.send_topic(id, key, false);
        self.send_names(id, key);
    }

    /// Whether somebody may join a channel that is there.
    fn may_join(
        &self,
        user: &User,
        channel: &Channel,
        key: &[u8],
        password: Option<&[u8]>,
    ) -> Result<(), (u16, &'static str)> {
        let names = user.names();
        let is_invited = user.invited.get(key) == Some(&channel.created);
        let is_founder = channel.founder.is_some() && channel.founder == user.account;
        if is_founder {
            return Ok(());
        }
        if channel.members.len() >= self.config.members_max {
            return Err((471, "Cannot join channel (it is full)"));
        }
        if is_invited {
            return Ok(());
        }
        if channel.is_banned(&names) {
            return Err((474, "Cannot join channel (+b)"));
        }
        if channel.is(b'i') && !channel.invites(&names) {
            return Err((473, "Cannot join channel (+i)"));
        }
        if channel.is(b'R') && user.account.is_none() {
            return Err((477, "Cannot join channel (+R): log in first"));
        }
        if channel.key.as_deref().is_some_and(|key| password != Some(key)) {
            return Err((475, "Cannot join channel (+k)"));
        }
        if channel.limit.is_some_and(|limit| channel.members.len() >= limit) {
            return Err((471, "Cannot join channel (+l)"));
        }
        Ok(())
    }

    /// The channel of a command and its key, if the client is in it; else it is told that it is not.
    pub(super) fn channel_of(&mut self, id: UserId, name: &[u8]) -> Option<Vec<u8>> {
        let key = MAPPING.fold(name);
        match self.channels.get(&key) {
            Some(channel) if channel.members.contains_key(&id) => return Some(key),
            Some(channel) if channel.is_seen_by(id) => {
                self.reply(id, 442, &[name], "You are not on that channel");
            }
            // To others, a hidden channel is none.
            _ => self.reply(id, 403, &[name], "No such channel"),
        }
        None
    }

    pub(super) fn part(&mut self, id: UserId, message: &Message<'_>) {
        let reason = message.params().get(1).copied().unwrap_or_default();
        for name in message.params()[0].split(|byte| *byte == b',') {
            if let Some(key) = self.channel_of(id, name) {
                self.part_one(id, &key, reason);
            }
        }
    }

    fn part_one(&mut self, id: UserId, key: &[u8], reason: &[u8]) {
        let (Some(user), Some(channel)) = (self.users.get(&id), self.channels.get(key)) else {
            return;
        };
        let message = Outgoing::new(&user.source(), "PART")
            .param(&channel.name)
            .account(user.account.as_deref());
        let message = match reason {
            b"" => message,
            reason => message.text(cut_at_character(reason, TEXT_MAX)),
        };
        self.send_channel(key, &message, |_, _| true);
        self.leave_channel(id, key);
    }

    /// Whether the client is an operator of a channel; else it is told that it is not.
    pub(super) fn is_channel_operator(&mut self, id: UserId, key: &[u8]) -> bool {
        let Some(channel) = self.channels.get(key) else { return false };
        if channel.is_operator(id) {
            return true;
        }
        let name = channel.name.clone();
        self.reply(id, 482, &[&name], "You're not channel operator");
        false
    }

    pub(super) fn kick(&mut self, id: UserId, message: &Message<'_>) {
        let (name, nick) = (message.params()[0], message.params()[1]);
        let Some(key) = self.channel_of(id, name) else { return };
        if !self.is_channel_operator(id, &key) {
            return;
        }
        let target = self.by_nick(nick);
        let Some(target) = target else {
            return self.reply(id, 401, &[nick], "No such nick/channel");
        };
        let Some(channel) = self.channels.get(&key) else { return };
        if !channel.members.contains_key(&target) {
            let name = channel.name.clone();
            return self.reply(id, 441, &[nick, &name], "They aren't on that channel");
        }
        let (Some(user), Some(victim)) = (self.users.get(&id), self.users.get(&target)) else {
            return;
        };
        let reason = message.params().get(2).copied().filter(|reason| !reason.is_empty());
        let reason = cut_at_character(reason.unwrap_or(&user.nick), TEXT_MAX);
        let message = Outgoing::new(&user.source(), "KICK")
            .param(&channel.name)
            .param(&victim.nick)
            .text(reason)
            .account(user.account.as_deref());
        self.send_channel(&key, &message, |_, _| true);
        self.leave_channel(target, &key);
    }

    pub(super) fn invite(&mut self, id: UserId, message: &Message<'_>) {
        let [nick, name, ..] = *message.params() else {
            return match message.params() {
                [] => self.send_invited(id),
                _ => self.reply(id, 461, &[b"INVITE"], "Not enough parameters"),
            };
        };
        let Some(target) = self.by_nick(nick) else {
            return self.reply(id, 401, &[nick], "No such nick/channel");
        };
        let Some(key) = self.channel_of(id, name) else { return };
        let Some(channel) = self.channels.get(&key) else { return };
        let (name, is_closed) = (channel.name.clone(), channel.is(b'i'));
        let (is_operator, created) = (channel.is_operator(id), channel.created);
        if channel.members.contains_key(&target) {
            return self.reply(id, 443, &[nick, &name], "is already on channel");
        }
        if is_closed && !self.is_channel_operator(id, &key) {
            return;
        }
        let Some(user) = self.users.get(&id) else { return };
        let (source, account) = (user.source(), user.account.clone());
        // Only operators can let somebody in whom a ban or a key keeps out.
        if is_operator
            && let Some(user) = self.users.get_mut(&target)
            && (user.invited.len() < INVITED_MAX || user.invited.contains_key(&key))
        {
            user.invited.insert(key.clone(), created);
        }
        let invited = self.users.get(&target).map(|user| (user.nick.clone(), user.away.clone()));
        let Some((nick, away)) = invited else { return };
        let reply = self.numeric(id, 341).param(&nick).param(&name);
        self.send(id, &reply);
        if let Some(away) = away {
            self.reply(id, 301, &[&nick], away);
        }
        let message =
            Outgoing::new(&source, "INVITE").param(&nick).param(&name).account(account.as_deref());
        self.send(target, &message);
        let operators: Vec<UserId> = self
            .channels
            .get(&key)
            .map(|channel| {
                channel
                    .members
                    .iter()
                    .filter(|(member, status)| status.is_operator && **member != id)
                    .map(|(member, _)| *member)
                    .collect()
            })
            .unwrap_or_default();
        for operator in operators {
            if self
                .users
                .get(&operator)
                .is_some_and(|user| user.capabilities.has(Capability::InviteNotify))
            {
                self.send(operator, &message);
            }
        }
    }

    fn send_invited(&mut self, id: UserId) {
        let Some(user) = self.users.get_mut(&id) else { return };
        // A channel of this name that was made later is another, of which the client may not know.
        let channels = &self.channels;
        user.invited.retain(|key, created| {
            channels.get(key).is_some_and(|channel| channel.created == *created)
        });
        let names = user.invited.keys().filter_map(|key| channels.get(key));
        let names: Vec<Vec<u8>> = names.map(|channel| channel.name.clone()).collect();
        for name in names {
            let message = self.numeric(id, 336).param(name);
            self.send(id, &message);
        }
        self.reply(id, 337, &[], "End of /INVITE list");
    }

    pub(super) fn topic(&mut self, id: UserId, message: &Message<'_>) {
        let name = message.params()[0];
        let Some(text) = message.params().get(1).copied() else {
            let key = MAPPING.fold(name);
            return match self.channels.get(&key) {
                Some(channel) if channel.is_seen_by(id) => self.send_topic(id, &key, true),
                _ => self.reply(id, 403, &[name], "No such channel"),
            };
        };
        let Some(key) = self.channel_of(id, name) else { return };
        let is_closed = self.channels.get(&key).is_some_and(|channel| channel.is(b't'));
        if is_closed && !self.is_channel_operator(id, &key) {
            return;
        }
        let at = seconds(self.now);
        let (Some(user), Some(channel)) = (self.users.get(&id), self.channels.get_mut(&key)) else {
            return;
        };
        let text = cut_at_character(text, TEXT_MAX).to_vec();
        let message = Outgoing::new(&user.source(), "TOPIC")
            .param(&channel.name)
            .text(&text)
            .account(user.account.as_deref());
        channel.topic = (!text.is_empty()).then(|| Topic { text, by: user.source(), at });
        self.is_changed |= channel.founder.is_some();
        self.send_channel(&key, &message, |_, _| true);
    }

    /// The topic of a channel. Without one, that is said only if it was asked for.
    pub(super) fn send_topic(&mut self, id: UserId, key: &[u8], was_asked: bool) {
        let Some(channel) = self.channels.get(key) else { return };
        let name = channel.name.clone();
        match channel.topic.clone() {
            Some(topic) => {
                self.reply(id, 332, &[&name], &topic.text);
                let message =
                    self.numeric(id, 333).param(&name).param(&topic.by).param(topic.at.to_string());
                self.send(id, &message);
            }
            None if was_asked => self.reply(id, 331, &[&name], "No topic is set"),
            None => {}
        }
    }
}
