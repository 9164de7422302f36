//! NAMES and LIST. A list of many entries is made as there is room for it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ops::Bound,
    rc::{Rc, Weak},
};

use bytes::Bytes;

use crate::irc::{
    codec::{MaskedText, Message},
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
        let Some(names) = message.params().first() else { return self.send_all_names(id) };
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
        let mut members = self.seen_members(id, channel);
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

    /// The members of all channels that the client may see (RFC 2812 3.2.5). Users who are in none of them are not listed.
    fn send_all_names(&mut self, id: UserId) {
        let listed = self.channels.values().filter(|channel| is_listed(channel, id));
        let count = listed.map(|channel| channel.members.len()).sum();
        // One channel is listed after the other, since all members together may be many.
        let (mut key, mut members, mut is_ended) = (Vec::new(), VecDeque::new(), false);
        self.reply_with(id, "NAMES", count, move |network| {
            while !is_ended {
                if let Some(names) = network.next_names(id, &key, &mut members) {
                    return Some(names);
                }
                let Some((next, channel)) = network.next_listed(id, &Filter::All, &key) else {
                    is_ended = true;
                    return Some(network.numeric(id, 366).param("*").text("End of /NAMES list"));
                };
                key.clone_from(next);
                members = network.seen_members(id, channel);
            }
            None
        });
    }

    fn seen_members(&self, id: UserId, channel: &Channel) -> VecDeque<UserId> {
        let is_member = channel.members.contains_key(&id);
        let is_seen = |other: &UserId| {
            is_member || self.users.get(other).is_some_and(|user| !user.modes.is_invisible)
        };
        channel.members.keys().copied().filter(is_seen).collect()
    }

    /// The next line of names, of as many members as fit.
    fn next_names(
        &self,
        id: UserId,
        key: &[u8],
        members: &mut VecDeque<UserId>,
    ) -> Option<Outgoing> {
        // It may have been hidden since the list was asked for.
        let channel = self.channels.get(key).filter(|channel| channel.is_seen_by(id))?;
        let user = self.users.get(&id)?;
        let has_all_prefixes = user.capabilities.has(Capability::MultiPrefix);
        let has_hosts = user.capabilities.has(Capability::UserhostInNames);
        let front = self.numeric(id, 353).param(channel.sign()).param(&channel.name);
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
        self.reply(id, 321, &[b"Channel"], "Users  Name");
        let listed = self.channels.values();
        let listed = listed.filter(|channel| is_listed(channel, id) && filter.fits(channel));
        let count = listed.take(AT_ONCE + 1).count();
        let (mut key, mut is_ended) = (Vec::new(), false);
        self.reply_with(id, "LIST", count, move |network| {
            if is_ended {
                return None;
            }
            let Some((next, channel)) = network.next_listed(id, &filter, &key) else {
                is_ended = true;
                return Some(network.numeric(id, 323).text("End of /LIST"));
            };
            key.clone_from(next);
            Some(network.listed(id, channel))
        });
    }

    /// The first channel behind this one in the order of their names that is wanted, and that the client may see. So a list that is not
    /// read takes the memory of one name, and knows of no channel that is hidden meanwhile.
    fn next_listed(&self, id: UserId, filter: &Filter, key: &[u8]) -> Option<(&Vec<u8>, &Channel)> {
        let behind = self.channels.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded));
        let mut behind = behind.filter(|(_, channel)| is_listed(channel, id));
        behind.find(|(_, channel)| filter.fits(channel))
    }

    fn listed(&self, id: UserId, channel: &Channel) -> Outgoing {
        let topic = channel.topic.as_ref().map(|topic| topic.text.as_slice()).unwrap_or_default();
        let message =
            self.numeric(id, 322).param(&channel.name).param(channel.members.len().to_string());
        message.text(topic)
    }
}

/// Entries that are sent without waiting for room.
const AT_ONCE: usize = 100;
/// Most long lists that a client has not received to their ends.
const LISTS_MAX: usize = 3;

fn is_listed(channel: &Channel, id: UserId) -> bool {
    !channel.members.is_empty() && channel.is_seen_by(id)
}

/// Which channels are asked for: masks of names, `!` before those that are not wanted, or how many members they have.
enum Filter {
    All,
    Names { wanted: Vec<Vec<u8>>, unwanted: Vec<Vec<u8>> },
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
                let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
                for mask in text.split(|byte| *byte == b',').take(16) {
                    match mask.strip_prefix(b"!") {
                        Some(mask) => unwanted.push(mask.to_vec()),
                        None => wanted.push(mask.to_vec()),
                    }
                }
                Self::Names { wanted, unwanted }
            }
        }
    }

    fn fits(&self, channel: &Channel) -> bool {
        match self {
            Self::All => true,
            Self::Names { wanted, unwanted } => {
                let name = MaskedText::new(MAPPING, &channel.name);
                let matches = |mask: &Vec<u8>| name.fits(mask);
                (wanted.is_empty() || wanted.iter().any(matches)) && !unwanted.iter().any(matches)
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
