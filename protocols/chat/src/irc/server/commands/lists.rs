//! NAMES and LIST. A list of many channels is made as there is room for it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::{Rc, Weak},
};

use bytes::Bytes;

use crate::irc::{
    codec::{Message, mask_matches},
    server::{
        capability::Capability,
        channel::{Channel, MAPPING},
        network::Network,
        outgoing::Outgoing,
        user::UserId,
        wire::LineProducer,
    },
};

impl Network {
    pub(super) fn names(&mut self, id: UserId, message: &Message<'_>) {
        let Some(names) = message.params().first() else {
            return self.reply(id, 366, &[b"*"], "End of /NAMES list");
        };
        // One channel: names of many are asked for by many messages, which are counted.
        let name = names.split(|byte| *byte == b',').next().unwrap_or_default();
        let key = MAPPING.fold(name);
        let is_seen = self
            .channels
            .get(&key)
            .is_some_and(|channel| !channel.is_hidden() || channel.members.contains_key(&id));
        match is_seen {
            true => self.send_names(id, &key),
            false => self.reply(id, 366, &[name], "End of /NAMES list"),
        }
    }

    /// The members of a channel, as far as the client may see them.
    pub(super) fn send_names(&mut self, id: UserId, key: &[u8]) {
        let (Some(user), Some(channel)) = (self.users.get(&id), self.channels.get(key)) else {
            return;
        };
        let has_all_prefixes = user.capabilities.has(Capability::MultiPrefix);
        let has_hosts = user.capabilities.has(Capability::UserhostInNames);
        let is_member = channel.members.contains_key(&id);
        let (name, sign) = (channel.name.clone(), if channel.is_hidden() { "@" } else { "=" });
        let mut names = Vec::with_capacity(channel.members.len());
        for (member, status) in &channel.members {
            let Some(member) = self.users.get(member) else { continue };
            if member.modes.is_invisible && !is_member {
                continue;
            }
            let shown = if has_hosts { member.source() } else { member.nick.clone() };
            names.push([status.prefixes(has_all_prefixes).as_bytes(), &shown].concat());
        }
        let front = self.numeric(id, 353).param(sign).param(&name);
        let room = front.room().saturating_sub(2);
        let mut line: Vec<u8> = Vec::new();
        for shown in names {
            if !line.is_empty() && line.len() + 1 + shown.len() > room {
                let message = self.numeric(id, 353).param(sign).param(&name).text(&line);
                self.send(id, &message);
                line.clear();
            }
            if !line.is_empty() {
                line.push(b' ');
            }
            line.extend_from_slice(&shown);
        }
        if !line.is_empty() {
            let message = self.numeric(id, 353).param(sign).param(&name).text(&line);
            self.send(id, &message);
        }
        self.reply(id, 366, &[&name], "End of /NAMES list");
    }

    pub(super) fn list(&mut self, id: UserId, message: &Message<'_>) {
        let filter = Filter::parse(message.params().first().copied().unwrap_or_default());
        let keys: VecDeque<Vec<u8>> = self
            .channels
            .iter()
            .filter(|(_, channel)| filter.fits(channel) && is_listed(channel, id))
            .map(|(key, _)| key.clone())
            .collect();
        self.reply(id, 321, &[b"Channel"], "Users  Name");
        let Some(network) = self.this.upgrade() else { return };
        // With a label, the reply is one piece.
        if keys.len() <= AT_ONCE || self.has_label() {
            for key in &keys {
                if let Some(message) = self.listed(id, key) {
                    self.send(id, &message);
                }
            }
            return self.reply(id, 323, &[], "End of /LIST");
        }
        let list = List { network: Rc::downgrade(&network), id, keys, is_ended: false };
        if let Some(user) = self.users.get(&id) {
            user.wire.stream(Box::new(list));
        }
    }

    /// The reply about one channel, if it is still there.
    fn listed(&self, id: UserId, key: &[u8]) -> Option<Outgoing> {
        let channel = self.channels.get(key)?;
        let topic = channel.topic.as_ref().map(|topic| topic.text.as_slice()).unwrap_or_default();
        let message =
            self.numeric(id, 322).param(&channel.name).param(channel.members.len().to_string());
        Some(message.text(topic))
    }
}

/// Channels that are listed without waiting for room.
const AT_ONCE: usize = 100;

fn is_listed(channel: &Channel, id: UserId) -> bool {
    !channel.members.is_empty() && (!channel.is_hidden() || channel.members.contains_key(&id))
}

/// Which channels are asked for: names, masks, or how many members they have.
enum Filter {
    All,
    Names(Vec<Vec<u8>>),
    More(usize),
    Fewer(usize),
}

impl Filter {
    fn parse(text: &[u8]) -> Self {
        let number = |text: &[u8]| str::from_utf8(text).ok()?.parse().ok();
        match text.split_first() {
            None => Self::All,
            Some((b'>', rest)) => number(rest).map_or(Self::All, Self::More),
            Some((b'<', rest)) => number(rest).map_or(Self::All, Self::Fewer),
            Some(_) => {
                Self::Names(text.split(|byte| *byte == b',').take(16).map(<[u8]>::to_vec).collect())
            }
        }
    }

    fn fits(&self, channel: &Channel) -> bool {
        match self {
            Self::All => true,
            Self::Names(masks) => {
                masks.iter().any(|mask| mask_matches(MAPPING, mask, &channel.name))
            }
            Self::More(members) => channel.members.len() > *members,
            Self::Fewer(members) => channel.members.len() < *members,
        }
    }
}

/// The rest of a list.
struct List {
    network: Weak<RefCell<Network>>,
    id: UserId,
    keys: VecDeque<Vec<u8>>,
    is_ended: bool,
}

impl LineProducer for List {
    fn next_line(&mut self) -> Option<Bytes> {
        let network = self.network.upgrade()?;
        let network = network.try_borrow().ok()?;
        if self.is_ended || !network.users.contains_key(&self.id) {
            return None;
        }
        while let Some(key) = self.keys.pop_front() {
            if let Some(message) = network.listed(self.id, &key) {
                return Some(message.with_tags(b""));
            }
        }
        self.is_ended = true;
        Some(network.numeric(self.id, 323).text("End of /LIST").with_tags(b""))
    }
}
