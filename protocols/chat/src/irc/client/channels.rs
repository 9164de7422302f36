//! The channels that the client is in, as the server has said: [`Channels`]. Pure.

use std::collections::BTreeMap;

use crate::irc::codec::{CaseMapping, ModeChange, ModeKinds};

/// Most channels that are remembered.
pub(super) const CHANNELS_MAX: usize = 1_000;

/// Longest nick that is remembered. Servers allow far less.
const NICK_MAX: usize = 256;

/// Somebody in a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Member {
    /// The nick.
    pub nick: Vec<u8>,
    /// The letters of the modes that the member has: `o` for operators, `v` for those with voice.
    pub modes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    by_name: BTreeMap<Vec<u8>, Channel>,
    members: usize,
    members_max: usize,
}

#[derive(Debug)]
struct Channel {
    name: Vec<u8>,
    members: BTreeMap<Vec<u8>, Member>,
    topic: Vec<u8>,
}

impl Channels {
    pub(super) fn new(members_max: usize) -> Self {
        Self { members_max, ..Self::default() }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.by_name.values().map(|channel| channel.name.as_slice())
    }

    pub(super) fn contains(&self, mapping: CaseMapping, name: &[u8]) -> bool {
        self.by_name.contains_key(&mapping.fold(name))
    }

    pub(super) fn members(&self, mapping: CaseMapping, name: &[u8]) -> Option<Vec<Member>> {
        Some(self.by_name.get(&mapping.fold(name))?.members.values().cloned().collect())
    }

    pub(super) fn topic(&self, mapping: CaseMapping, name: &[u8]) -> Option<&[u8]> {
        Some(&self.by_name.get(&mapping.fold(name))?.topic)
    }

    pub(super) fn set_topic(&mut self, mapping: CaseMapping, name: &[u8], topic: &[u8]) {
        if let Some(channel) = self.by_name.get_mut(&mapping.fold(name)) {
            channel.topic = topic.to_vec();
        }
    }

    pub(super) fn enter(&mut self, mapping: CaseMapping, name: &[u8]) {
        self.leave(mapping, name);
        if self.by_name.len() < CHANNELS_MAX {
            let channel =
                Channel { name: name.to_vec(), members: BTreeMap::new(), topic: Vec::new() };
            self.by_name.insert(mapping.fold(name), channel);
        }
    }

    pub(super) fn leave(&mut self, mapping: CaseMapping, name: &[u8]) {
        if let Some(channel) = self.by_name.remove(&mapping.fold(name)) {
            self.members -= channel.members.len();
        }
    }

    /// Somebody is in a channel, with these modes.
    pub(super) fn add(&mut self, mapping: CaseMapping, channel: &[u8], nick: &[u8], modes: &[u8]) {
        let Some(channel) = self.by_name.get_mut(&mapping.fold(channel)) else { return };
        if nick.len() > NICK_MAX {
            return;
        }
        let key = mapping.fold(nick);
        let is_known = channel.members.contains_key(&key);
        if is_known || self.members < self.members_max {
            let member = Member { nick: nick.to_vec(), modes: modes.to_vec() };
            channel.members.insert(key, member);
            self.members += usize::from(!is_known);
        }
    }

    pub(super) fn remove(&mut self, mapping: CaseMapping, channel: &[u8], nick: &[u8]) {
        let Some(channel) = self.by_name.get_mut(&mapping.fold(channel)) else { return };
        self.members -= usize::from(channel.members.remove(&mapping.fold(nick)).is_some());
    }

    pub(super) fn quit(&mut self, mapping: CaseMapping, nick: &[u8]) {
        let nick = mapping.fold(nick);
        for channel in self.by_name.values_mut() {
            self.members -= usize::from(channel.members.remove(&nick).is_some());
        }
    }

    pub(super) fn rename(&mut self, mapping: CaseMapping, old: &[u8], new: &[u8]) {
        let (old, key) = (mapping.fold(old), mapping.fold(new));
        for channel in self.by_name.values_mut() {
            let Some(mut member) = channel.members.remove(&old) else { continue };
            if new.len() > NICK_MAX {
                self.members -= 1;
                continue;
            }
            member.nick = new.to_vec();
            if channel.members.insert(key.clone(), member).is_some() {
                self.members -= 1;
            }
        }
    }

    /// Modes of members among the changes of a channel.
    pub(super) fn change(
        &mut self,
        mapping: CaseMapping,
        channel: &[u8],
        kinds: &ModeKinds,
        changes: &[ModeChange],
    ) {
        let Some(channel) = self.by_name.get_mut(&mapping.fold(channel)) else { return };
        for change in changes {
            if kinds.prefix_of_mode(change.mode).is_none() {
                continue;
            }
            let (Some(nick), Ok(mode)) = (&change.argument, u8::try_from(change.mode)) else {
                continue;
            };
            if let Some(member) = channel.members.get_mut(&mapping.fold(nick)) {
                member.modes.retain(|found| *found != mode);
                if change.is_set {
                    member.modes.push(mode);
                }
            }
        }
    }

    /// The server has said that names compare in another way.
    pub(super) fn fold_again(&mut self, mapping: CaseMapping) {
        let channels = std::mem::take(&mut self.by_name);
        for mut channel in channels.into_values() {
            let members = std::mem::take(&mut channel.members).into_values();
            channel.members = members.map(|member| (mapping.fold(&member.nick), member)).collect();
            self.by_name.insert(mapping.fold(&channel.name), channel);
        }
        self.members = self.by_name.values().map(|channel| channel.members.len()).sum();
    }
}

/// A nick of NAMES with the prefixes before it, and with its user and host behind it if the server sends them.
pub(super) fn member(kinds: &ModeKinds, name: &[u8]) -> Member {
    let prefixes = name.iter().take_while(|byte| kinds.mode_of_prefix(**byte).is_some()).count();
    let (prefixes, name) = name.split_at(prefixes);
    let nick = name.split(|byte| *byte == b'!').next().unwrap_or_default().to_vec();
    let mut modes = Vec::new();
    for mode in prefixes.iter().filter_map(|prefix| kinds.mode_of_prefix(*prefix)) {
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    Member { nick, modes }
}
