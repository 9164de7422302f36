//! WHO (with WHOX), WHOIS and WHOWAS.

use std::collections::VecDeque;

use crate::irc::{
    codec::{Message, mask_matches},
    server::{
        capability::Capability,
        channel::{MAPPING, seconds},
        network::{Former, Network},
        outgoing::Outgoing,
        user::{User, UserId},
    },
};

/// Most replies to a WHO with a mask.
const WHO_MAX: usize = 500;

impl Network {
    pub(super) fn who(&mut self, id: UserId, message: &Message<'_>) {
        let mask = message.params().first().copied().unwrap_or(b"*");
        let options = message.params().get(1).copied().unwrap_or_default();
        let key = MAPPING.fold(mask);
        let (channel, found) = if mask.first() == Some(&b'#') {
            (Some(key.clone()), self.who_channel(id, &key))
        } else if let Some(user) = self.by_nick(mask) {
            (None, vec![user])
        } else {
            (None, self.who_mask(id, mask))
        };
        let only_operators = options.first() == Some(&b'o');
        let is_wanted = |other: &UserId| {
            !only_operators || self.users.get(other).is_some_and(|user| user.modes.is_operator)
        };
        let mut found: VecDeque<UserId> = found.into_iter().filter(is_wanted).collect();
        let (mask, options, count) = (mask.to_vec(), options.to_vec(), found.len());
        let mut is_ended = false;
        self.reply_with(id, "WHO", count, move |network| {
            while let Some(other) = found.pop_front() {
                if let Some(reply) = network.who_reply(id, other, channel.as_deref(), &options) {
                    return Some(reply);
                }
            }
            let end = network.numeric(id, 315).param(&mask).text("End of /WHO list");
            (!std::mem::replace(&mut is_ended, true)).then_some(end)
        });
    }

    fn who_channel(&self, id: UserId, key: &[u8]) -> Vec<UserId> {
        let Some(channel) = self.channels.get(key) else { return Vec::new() };
        let is_member = channel.members.contains_key(&id);
        if !channel.is_seen_by(id) {
            return Vec::new();
        }
        let members = channel.members.keys().copied();
        let seen = members.filter(|member| {
            is_member || self.users.get(member).is_some_and(|user| !user.modes.is_invisible)
        });
        seen.take(if is_member { usize::MAX } else { WHO_MAX }).collect()
    }

    fn who_mask(&self, id: UserId, mask: &[u8]) -> Vec<UserId> {
        let Some(me) = self.users.get(&id) else { return Vec::new() };
        let fits = |user: &User| {
            [&user.nick, user.host.as_bytes(), &user.user, &user.real_name]
                .iter()
                .any(|text| mask_matches(MAPPING, mask, text))
        };
        let is_seen = |other: UserId, user: &User| {
            other == id
                || me.modes.is_operator
                || !user.modes.is_invisible
                || !me.channels.is_disjoint(&user.channels)
        };
        let users = self.users.iter().filter(|(_, user)| user.is_registered);
        let mut found: Vec<UserId> = users
            .filter(|(other, user)| is_seen(**other, user) && fits(user))
            .map(|(other, _)| *other)
            .take(WHO_MAX)
            .collect();
        found.sort_unstable();
        found
    }

    fn who_reply(
        &self,
        id: UserId,
        other: UserId,
        key: Option<&[u8]>,
        options: &[u8],
    ) -> Option<Outgoing> {
        let (me, user) = (self.users.get(&id)?, self.users.get(&other)?);
        // A channel that both see.
        let mut shared = user.channels.iter().filter(|key| me.channels.contains(key));
        let asked = key.is_some();
        let key = key.or_else(|| shared.next());
        let channel = key.and_then(|key| self.channels.get(key));
        // It may have been hidden, or the user have left it, since the list was asked for.
        if asked
            && !channel
                .is_some_and(|channel| channel.is_seen_by(id) && channel.status(other).is_some())
        {
            return None;
        }
        let name = channel.map_or(&b"*"[..], |channel| &channel.name);
        let status = channel.and_then(|channel| channel.status(other)).unwrap_or_default();
        let here = if user.away.is_some() { "G" } else { "H" };
        let operator = if user.modes.is_operator { "*" } else { "" };
        let bot = if user.modes.is_bot { "B" } else { "" };
        let prefixes = status.prefixes(me.capabilities.has(Capability::MultiPrefix));
        let flags = format!("{here}{operator}{prefixes}{bot}");
        let server = self.config.name.as_bytes();
        let Some(fields) = options.iter().position(|byte| *byte == b'%') else {
            let front =
                self.numeric(id, 352).param(name).param(&user.user).param(&user.host).param(server);
            let text = [b"0 ", user.real_name.as_slice()].concat();
            return Some(front.param(&user.nick).param(flags).text(text));
        };
        let mut parts = options[fields + 1..].splitn(2, |byte| *byte == b',');
        let (fields, token) = (parts.next()?, parts.next().unwrap_or_default());
        let mut reply = self.numeric(id, 354);
        for field in b"tcuihsnfdlaor" {
            if !fields.contains(field) {
                continue;
            }
            let idle = self.instant.saturating_duration_since(user.spoke_at).as_secs().to_string();
            reply = match field {
                b't' => reply.param(token),
                b'c' => reply.param(name),
                b'u' => reply.param(&user.user),
                // Addresses are for operators and their own users.
                b'i' if id == other || me.modes.is_operator => reply.param(user.real_host()),
                b'i' => reply.param("255.255.255.255"),
                b'h' => reply.param(&user.host),
                b's' => reply.param(server),
                b'n' => reply.param(&user.nick),
                b'f' => reply.param(&flags),
                b'd' => reply.param("0"),
                b'l' => reply.param(idle),
                b'a' => reply.param(user.account.as_deref().unwrap_or("0")),
                b'o' => reply.param("n/a"),
                _ => reply.text(&user.real_name),
            };
        }
        Some(reply)
    }

    pub(super) fn whois(&mut self, id: UserId, message: &Message<'_>) {
        // With two, the first is a server.
        let Some(nick) = message
            .params()
            .get(1)
            .or(message.params().first())
            .copied()
            .filter(|nick| !nick.is_empty())
        else {
            return self.reply(id, 431, &[], "No nickname given");
        };
        match self.by_nick(nick) {
            Some(other) => self.send_whois(id, other),
            None => self.reply(id, 401, &[nick], "No such nick/channel"),
        }
        self.reply(id, 318, &[nick], "End of /WHOIS list");
    }

    fn send_whois(&mut self, id: UserId, other: UserId) {
        let (Some(me), Some(user)) = (self.users.get(&id), self.users.get(&other)) else { return };
        let nick = user.nick.clone();
        let all_prefixes = me.capabilities.has(Capability::MultiPrefix);
        let shown =
            user.channels.iter().filter_map(|key| self.channels.get(key)).filter(|channel| {
                channel.members.contains_key(&id)
                    || !channel.is_hidden() && !user.modes.is_invisible
            });
        let shown: Vec<Vec<u8>> = shown
            .map(|channel| {
                let status = channel.status(other).unwrap_or_default();
                [status.prefixes(all_prefixes).as_bytes(), &channel.name].concat()
            })
            .collect();
        let mut replies = Vec::new();
        let front = |number| self.numeric(id, number).param(&nick);
        replies
            .push(front(311).param(&user.user).param(&user.host).param("*").text(&user.real_name));
        for names in in_lines(&shown) {
            replies.push(front(319).text(names));
        }
        replies.push(front(312).param(&self.config.name).text(&self.config.description));
        if user.modes.is_operator {
            replies.push(front(313).text("is an operator of this server"));
        }
        if let Some(account) = &user.account {
            replies.push(front(330).param(account).text("is logged in as"));
        }
        if user.modes.is_bot {
            replies.push(front(335).text("is a bot"));
        }
        if user.is_secure {
            replies.push(front(671).text("is using a secure connection"));
        }
        if id == other || me.modes.is_operator {
            replies.push(front(338).param(user.real_host()).text("is actually using host"));
        }
        if let Some(away) = &user.away {
            replies.push(front(301).text(away));
        }
        let idle = self.instant.saturating_duration_since(user.spoke_at).as_secs().to_string();
        let signed_on = seconds(user.signed_on).to_string();
        replies.push(front(317).param(idle).param(signed_on).text("seconds idle, signon time"));
        replies.iter().for_each(|reply| self.send(id, reply));
    }

    pub(super) fn whowas(&mut self, id: UserId, message: &Message<'_>) {
        let Some(nick) = message.params().first().copied().filter(|nick| !nick.is_empty()) else {
            return self.reply(id, 431, &[], "No nickname given");
        };
        let most = message.params().get(1).and_then(|most| str::from_utf8(most).ok()?.parse().ok());
        let most = most.filter(|most| *most > 0).unwrap_or(20_usize).min(20);
        // RFC 2812 3.6.3 allows masks. As for WHO, they find no invisible user.
        let is_found = |former: &&Former| match former.is_invisible {
            true => MAPPING.is_equal(&former.nick, nick),
            false => mask_matches(MAPPING, nick, &former.nick),
        };
        let found = self.former.iter().filter(is_found).take(most);
        let replies: Vec<Outgoing> = found
            .flat_map(|former| {
                let front = |number| self.numeric(id, number).param(&former.nick);
                let at = crate::irc::codec::format_time(former.at);
                [
                    front(314)
                        .param(&former.user)
                        .param(&former.host)
                        .param("*")
                        .text(&former.real_name),
                    front(312).param(&self.config.name).text(at),
                ]
            })
            .collect();
        if replies.is_empty() {
            self.reply(id, 406, &[nick], "There was no such nickname");
        }
        replies.iter().for_each(|reply| self.send(id, reply));
        self.reply(id, 369, &[nick], "End of WHOWAS");
    }
}

/// Names in lines that a reply can hold.
fn in_lines(names: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const LINE_MAX: usize = 350;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() < LINE_MAX => {
                line.push(b' ');
                line.extend_from_slice(name);
            }
            _ => lines.push(name.clone()),
        }
    }
    lines
}
