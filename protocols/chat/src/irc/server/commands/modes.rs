//! MODE, for channels and users.

use crate::irc::{
    codec::{Message, ModeChange, ModeKinds, ModesError},
    server::{
        channel::{Listed, MAPPING, is_channel, is_mask, seconds, whole_mask},
        network::Network,
        outgoing::Outgoing,
        user::UserId,
    },
};

/// Most changes with an argument in one message.
const ARGUMENTS_MAX: usize = 12;
/// Most changes of a message that cannot be understood, and are answered.
const ERRORS_MAX: usize = 12;
const KEY_MAX: usize = 32;
const MASK_MAX: usize = 120;

/// The modes of channels here.
fn kinds() -> ModeKinds {
    ModeKinds { never: b"CRimnprst".to_vec(), ..ModeKinds::default() }
}

impl Network {
    pub(super) fn mode(&mut self, id: UserId, message: &Message<'_>) {
        let target = message.params()[0];
        if !is_channel(target) {
            return self.user_mode(id, target, message);
        }
        let key = MAPPING.fold(target);
        let Some(channel) = self.channels.get(&key).filter(|channel| channel.is_seen_by(id)) else {
            return self.reply(id, 403, &[target], "No such channel");
        };
        let Some(letters) = message.params().get(1) else {
            let (letters, arguments) = channel.modes(channel.members.contains_key(&id));
            let (name, created) = (channel.name.clone(), channel.created);
            let reply = self.numeric(id, 324).param(&name).param(letters).params(&arguments);
            self.send(id, &reply);
            let reply = self.numeric(id, 329).param(&name).param(created.to_string());
            return self.send(id, &reply);
        };
        let (changes, errors) = kinds().parse_known(letters, &message.params()[2..]);
        for error in errors.into_iter().take(ERRORS_MAX) {
            match error {
                ModesError::Unknown { mode } => {
                    let letter = mode.to_string();
                    self.reply(id, 472, &[letter.as_bytes()], "is unknown mode char to me");
                }
                ModesError::NoArgument { mode } => {
                    let letter = mode.to_string();
                    self.reply(
                        id,
                        696,
                        &[target, letter.as_bytes(), b"*"],
                        "You must specify a parameter",
                    );
                }
                ModesError::TooMany { .. } => {}
            }
        }
        self.change_channel(id, &key, changes);
    }

    fn change_channel(&mut self, id: UserId, key: &[u8], changes: Vec<ModeChange>) {
        let (mut applied, mut is_operator, mut listed) = (Vec::new(), None, Vec::new());
        let mut arguments = 0;
        for change in changes {
            if kinds().is_list(change.mode) && change.argument.is_none() {
                // Once each, however often it is asked for.
                if !listed.contains(&change.mode) {
                    listed.push(change.mode);
                    self.send_list(id, key, change.mode);
                }
                continue;
            }
            arguments += usize::from(change.argument.is_some());
            if arguments > ARGUMENTS_MAX {
                break;
            }
            // It is told once that it may not.
            if !*is_operator.get_or_insert_with(|| self.is_channel_operator(id, key)) {
                continue;
            }
            applied.extend(self.apply(id, key, change));
        }
        if applied.is_empty() {
            return;
        }
        let (Some(user), Some(channel)) = (self.users.get(&id), self.channels.get(key)) else {
            return;
        };
        let front = || Outgoing::new(&user.source(), "MODE").param(&channel.name);
        let room = front().room().saturating_sub(" ".len());
        let messages = in_messages(&applied, room).into_iter().map(|changes| {
            let arguments = changes.iter().filter_map(|change| change.argument.as_ref());
            let message = front().param(ModeChange::letters(changes)).params(arguments);
            message.account(user.account.as_deref())
        });
        let messages: Vec<Outgoing> = messages.collect();
        self.is_changed |= channel.founder.is_some();
        for message in messages {
            self.send_channel(key, &message, |_, _| true);
        }
    }

    /// Carries a change out. Returns it as it is told to others, or nothing if it changes nothing.
    fn apply(&mut self, id: UserId, key: &[u8], change: ModeChange) -> Option<ModeChange> {
        match change.mode {
            'o' | 'v' => self.apply_status(id, key, change),
            'b' | 'e' | 'I' => self.apply_list(id, key, change),
            'k' => self.apply_key(id, key, change),
            'l' => {
                let channel = self.channels.get_mut(key)?;
                if !change.is_set {
                    return channel.limit.take().map(|_| change);
                }
                let limit = str::from_utf8(change.argument.as_deref()?).ok()?.parse::<usize>().ok();
                let limit = limit.filter(|limit| *limit > 0 && Some(*limit) != channel.limit)?;
                channel.limit = Some(limit);
                Some(ModeChange::new(true, 'l').with(limit.to_string()))
            }
            // That a channel is registered is not a matter of MODE.
            'r' => None,
            mode => {
                let flag = u8::try_from(mode).ok()?;
                self.channels.get_mut(key)?.set(flag, change.is_set).then_some(change)
            }
        }
    }

    fn apply_status(&mut self, id: UserId, key: &[u8], change: ModeChange) -> Option<ModeChange> {
        let nick = change.argument.as_deref()?;
        let Some(target) = self.by_nick(nick) else {
            self.reply(id, 401, &[nick], "No such nick/channel");
            return None;
        };
        let told = self.users.get(&target)?.nick.clone();
        let channel = self.channels.get_mut(key)?;
        let name = channel.name.clone();
        let Some(status) = channel.members.get_mut(&target) else {
            self.reply(id, 441, &[nick, &name], "They aren't on that channel");
            return None;
        };
        let place =
            if change.mode == 'o' { &mut status.is_operator } else { &mut status.has_voice };
        let was_set = std::mem::replace(place, change.is_set);
        (was_set != change.is_set).then_some(ModeChange { argument: Some(told), ..change })
    }

    fn apply_list(&mut self, id: UserId, key: &[u8], change: ModeChange) -> Option<ModeChange> {
        let mask = whole_mask(change.argument.as_deref()?);
        let mode = u8::try_from(change.mode).ok()?;
        if change.is_set && !is_mask(&mask) {
            let name = self.channels.get(key)?.name.clone();
            self.reply(id, 696, &[&name, &[mode], b"*"], "The mask is not valid");
            return None;
        }
        let (max, at) = (self.config.lists_max, seconds(self.now));
        let by = self.users.get(&id)?.source();
        let channel = self.channels.get_mut(key)?;
        let name = channel.name.clone();
        let list = channel.list(mode);
        let known = list.iter().position(|listed| MAPPING.is_equal(&listed.mask, &mask));
        match (change.is_set, known) {
            (true, None) if list.len() >= max || mask.len() > MASK_MAX => {
                let letter = [mode];
                self.reply(
                    id,
                    478,
                    &[&name, &letter],
                    "Channel list is full, or the mask is too long",
                );
                return None;
            }
            (true, None) => list.push(Listed { mask: mask.clone(), by, at }),
            (false, Some(known)) => drop(list.remove(known)),
            _ => return None,
        }
        Some(ModeChange { argument: Some(mask), ..change })
    }

    fn apply_key(&mut self, id: UserId, key: &[u8], change: ModeChange) -> Option<ModeChange> {
        let argument = change.argument.clone()?;
        let channel = self.channels.get_mut(key)?;
        if !change.is_set {
            return channel.key.take().map(|_| change.with("*"));
        }
        let is_valid = !argument.is_empty()
            && argument.len() <= KEY_MAX
            && argument[0] != b':'
            && !argument.iter().any(|byte| *byte <= b' ' || *byte == b',');
        if !is_valid {
            let name = channel.name.clone();
            self.reply(id, 696, &[&name, b"k", b"*"], "The key is not valid");
            return None;
        }
        let is_same = channel.key.as_ref() == Some(&argument);
        channel.key = Some(argument);
        (!is_same).then_some(change)
    }

    /// The entries of a list.
    fn send_list(&mut self, id: UserId, key: &[u8], mode: char) {
        let (entry, end) = match mode {
            'e' => (348, 349),
            'I' => (346, 347),
            _ => (367, 368),
        };
        let Ok(letter) = u8::try_from(mode) else { return };
        // Exceptions and invitations are for operators.
        if mode != 'b' && !self.is_channel_operator(id, key) {
            return;
        }
        let Some(channel) = self.channels.get_mut(key) else { return };
        let (name, list) = (channel.name.clone(), channel.list(letter).clone());
        for listed in list {
            let message =
                self.numeric(id, entry).param(&name).param(&listed.mask).param(&listed.by);
            let message = message.param(listed.at.to_string());
            self.send(id, &message);
        }
        self.reply(id, end, &[&name], "End of list");
    }

    fn user_mode(&mut self, id: UserId, target: &[u8], message: &Message<'_>) {
        match self.by_nick(target) {
            None => return self.reply(id, 401, &[target], "No such nick/channel"),
            Some(other) if other != id => {
                return self.reply(id, 502, &[], "Cannot change mode for other users");
            }
            Some(_) => {}
        }
        let Some(user) = self.users.get_mut(&id) else { return };
        let Some(letters) = message.params().get(1) else {
            let letters = user.mode_letters();
            let reply = self.numeric(id, 221).param(letters);
            return self.send(id, &reply);
        };
        let (changes, errors) = ModeKinds::of_users("iowB").parse_known(letters, &[]);
        let mut applied = Vec::new();
        for change in changes {
            let place = match change.mode {
                'i' => &mut user.modes.is_invisible,
                'w' => &mut user.modes.has_wallops,
                'B' => &mut user.modes.is_bot,
                // Only OPER makes one an operator.
                _ if change.is_set => continue,
                _ => &mut user.modes.is_operator,
            };
            if *place != change.is_set {
                *place = change.is_set;
                applied.push(change);
            }
        }
        let mode = Outgoing::new(&user.source(), "MODE").param(&user.nick);
        let mode = mode.account(user.account.as_deref());
        if !errors.is_empty() {
            self.reply(id, 501, &[], "Unknown MODE flag");
        }
        if !applied.is_empty() {
            let message = mode.param(ModeChange::letters(&applied));
            self.send(id, &message);
        }
    }
}

/// The changes in groups that a message has room for. What a client may say in one message can be too long with its source in front and
/// with masks made whole, and a mask that is cut would be another one.
fn in_messages(changes: &[ModeChange], room: usize) -> Vec<&[ModeChange]> {
    let (mut groups, mut first, mut len) = (Vec::new(), 0, 0);
    for (at, change) in changes.iter().enumerate() {
        // A sign, the letter, and the argument behind a space.
        let more = 2 + change.argument.as_ref().map_or(0, |argument| 1 + argument.len());
        if len + more > room && at > first {
            groups.push(&changes[first..at]);
            (first, len) = (at, 0);
        }
        len += more;
    }
    groups.push(&changes[first..]);
    groups
}
