//! NAMES and LIST. A list of many entries is made as there is room for it.

use std::{
    cell::{Cell, RefCell},
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
        let is_seen = self.channels.get(&key).is_some_and(|channel| channel.is_seen_by(id));
        match is_seen {
            true => self.send_names(id, &key),
            false => self.reply(id, 366, &[name], "End of /NAMES list"),
        }
    }

    /// The members of a channel, as far as the client may see them.
    pub(super) fn send_names(&mut self, id: UserId, key: &[u8]) {
        let Some(channel) = self.channels.get(key) else { return };
        let is_member = channel.members.contains_key(&id);
        let is_seen = |other: &UserId| {
            is_member || self.users.get(other).is_some_and(|user| !user.modes.is_invisible)
        };
        let mut members: VecDeque<UserId> =
            channel.members.keys().copied().filter(is_seen).collect();
        let (key, name, count) = (key.to_vec(), channel.name.clone(), members.len());
        let mut is_ended = false;
        self.reply_with(id, "NAMES", count, move |network| {
            if let Some(names) = network.next_names(id, &key, &mut members) {
                return Some(names);
            }
            let end = network.numeric(id, 366).param(&name).text("End of /NAMES list");
            (!std::mem::replace(&mut is_ended, true)).then_some(end)
        });
    }

    /// The next line of names, of as many members as fit.
    fn next_names(
        &self,
        id: UserId,
        key: &[u8],
        members: &mut VecDeque<UserId>,
    ) -> Option<Outgoing> {
        let (user, channel) = (self.users.get(&id)?, self.channels.get(key)?);
        let has_all_prefixes = user.capabilities.has(Capability::MultiPrefix);
        let has_hosts = user.capabilities.has(Capability::UserhostInNames);
        let sign = if channel.is_hidden() { "@" } else { "=" };
        let front = self.numeric(id, 353).param(sign).param(&channel.name);
        let room = front.room().saturating_sub(" :".len());
        let mut line: Vec<u8> = Vec::new();
        while let Some(next) = members.front() {
            // Some may have left meanwhile.
            if let (Some(member), Some(status)) = (self.users.get(next), channel.status(*next)) {
                let shown = if has_hosts { member.source() } else { member.nick.clone() };
                let shown = [status.prefixes(has_all_prefixes).as_bytes(), &shown].concat();
                if !line.is_empty() && line.len() + 1 + shown.len() > room {
                    break;
                }
                if !line.is_empty() {
                    line.push(b' ');
                }
                line.extend_from_slice(&shown);
            }
            members.pop_front();
        }
        (!line.is_empty()).then(|| front.text(line))
    }

    /// Replies of which there may be many: at once if there are few, else made one by one as there is room for them. `next` says none when all are made.
    pub(super) fn reply_with(
        &mut self,
        id: UserId,
        command: &str,
        count: usize,
        mut next: impl FnMut(&Self) -> Option<Outgoing> + 'static,
    ) {
        if count <= AT_ONCE {
            while let Some(reply) = next(self) {
                self.send(id, &reply);
            }
            return;
        }
        let Some(user) = self.users.get(&id) else { return };
        if user.lists.get() >= LISTS_MAX {
            return self.reply(id, 263, &[command.as_bytes()], "Read the other lists first");
        }
        let open = OpenList::new(&user.lists);
        let replies = Replies { network: self.this.clone(), id, next, _open: open };
        self.stream_list(id, Box::new(replies));
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
        let (count, mut keys, mut is_ended) = (keys.len(), keys, false);
        self.reply_with(id, "LIST", count, move |network| {
            while let Some(key) = keys.pop_front() {
                if let Some(listed) = network.listed(id, &key) {
                    return Some(listed);
                }
            }
            let end = network.numeric(id, 323).text("End of /LIST");
            (!std::mem::replace(&mut is_ended, true)).then_some(end)
        });
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

/// Entries that are sent without waiting for room.
const AT_ONCE: usize = 100;
/// Most long lists that a client has not received to their ends.
const LISTS_MAX: usize = 3;

fn is_listed(channel: &Channel, id: UserId) -> bool {
    !channel.members.is_empty() && channel.is_seen_by(id)
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

/// Replies that are made as there is room for them.
struct Replies<F> {
    network: Weak<RefCell<Network>>,
    id: UserId,
    next: F,
    _open: OpenList,
}

/// Counts a list as long as it is there.
struct OpenList(Rc<Cell<usize>>);

impl OpenList {
    fn new(lists: &Rc<Cell<usize>>) -> Self {
        lists.set(lists.get() + 1);
        Self(Rc::clone(lists))
    }
}

impl Drop for OpenList {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl<F: FnMut(&Network) -> Option<Outgoing>> LineProducer for Replies<F> {
    fn next_line(&mut self) -> Option<Bytes> {
        let network = self.network.upgrade()?;
        let network = network.try_borrow().ok()?;
        let capabilities = network.users.get(&self.id)?.capabilities;
        let reply = (self.next)(&network)?;
        Some(reply.encode(capabilities, network.now).clone())
    }
}
