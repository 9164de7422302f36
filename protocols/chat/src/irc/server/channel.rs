//! A channel: [`Channel`]. Data, and what follows from it. Pure.

use std::{collections::BTreeMap, time::SystemTime};

use super::user::UserId;
use crate::irc::codec::{CaseMapping, MaskedText};

/// How names compare on this server.
pub(super) const MAPPING: CaseMapping = CaseMapping::Ascii;

/// The status of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) is_operator: bool,
    pub(super) has_voice: bool,
}

impl Status {
    /// `@`, `+`, both, or nothing.
    pub(super) fn prefixes(self, all: bool) -> &'static str {
        match (self.is_operator, self.has_voice) {
            (true, true) if all => "@+",
            (true, _) => "@",
            (false, true) => "+",
            (false, false) => "",
        }
    }
}

/// An entry of a list: a ban, an exception, an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) mask: Vec<u8>,
    pub(super) by: Vec<u8>,
    pub(super) at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) text: Vec<u8>,
    pub(super) by: Vec<u8>,
    pub(super) at: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) name: Vec<u8>,
    pub(super) members: BTreeMap<UserId, Status>,
    pub(super) created: u64,
    pub(super) topic: Option<Topic>,
    /// Letters of modes without an argument.
    pub(super) flags: Vec<u8>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) limit: Option<usize>,
    pub(super) bans: Vec<Listed>,
    pub(super) exceptions: Vec<Listed>,
    pub(super) invitations: Vec<Listed>,
    /// The account that has registered it.
    pub(super) founder: Option<String>,
}

impl Channel {
    pub(super) fn new(name: &[u8], created: u64) -> Self {
        Self {
            name: name.to_vec(),
            members: BTreeMap::new(),
            created,
            topic: None,
            flags: b"nt".to_vec(),
            key: None,
            limit: None,
            bans: Vec::new(),
            exceptions: Vec::new(),
            invitations: Vec::new(),
            founder: None,
        }
    }

    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags.contains(&flag)
    }

    pub(super) fn set(&mut self, flag: u8, is_set: bool) -> bool {
        let was_set = self.is(flag);
        self.flags.retain(|found| *found != flag);
        if is_set {
            self.flags.push(flag);
            self.flags.sort_unstable();
        }
        was_set != is_set
    }

    /// Whether others who are not in it may not see it.
    pub(super) fn is_hidden(&self) -> bool {
        self.is(b's') || self.is(b'p')
    }

    /// Whether somebody may know of it.
    pub(super) fn is_seen_by(&self, user: UserId) -> bool {
        !self.is_hidden() || self.members.contains_key(&user)
    }

    /// How NAMES shows what kind of channel it is (RFC 2812 5.1, 353).
    pub(super) fn sign(&self) -> &'static str {
        match (self.is(b's'), self.is(b'p')) {
            (true, _) => "@",
            (false, true) => "*",
            (false, false) => "=",
        }
    }

    pub(super) fn status(&self, user: UserId) -> Option<Status> {
        self.members.get(&user).copied()
    }

    pub(super) fn is_operator(&self, user: UserId) -> bool {
        self.status(user).is_some_and(|status| status.is_operator)
    }

    pub(super) fn list(&mut self, mode: u8) -> &mut Vec<Listed> {
        match mode {
            b'e' => &mut self.exceptions,
            b'I' => &mut self.invitations,
            _ => &mut self.bans,
        }
    }

    /// Whether a user of these names is banned, and not excepted.
    pub(super) fn is_banned(&self, names: &[Vec<u8>]) -> bool {
        fits(&self.bans, names) && !fits(&self.exceptions, names)
    }

    pub(super) fn invites(&self, names: &[Vec<u8>]) -> bool {
        fits(&self.invitations, names)
    }

    /// Whether a message of this user is passed on.
    pub(super) fn hears(&self, user: UserId, names: &[Vec<u8>]) -> bool {
        match self.status(user) {
            Some(status) if status.is_operator || status.has_voice => true,
            Some(_) => !self.is(b'm') && !self.is_banned(names),
            None => !self.is(b'm') && !self.is(b'n') && !self.is_banned(names),
        }
    }

    /// The modes, and their arguments. The key is shown to members only.
    pub(super) fn modes(&self, is_member: bool) -> (String, Vec<Vec<u8>>) {
        let mut letters: String = self.flags.iter().map(|flag| char::from(*flag)).collect();
        let mut arguments = Vec::new();
        if let Some(key) = &self.key {
            letters.push('k');
            arguments.push(if is_member { key.clone() } else { b"*".to_vec() });
        }
        if let Some(limit) = self.limit {
            letters.push('l');
            arguments.push(limit.to_string().into_bytes());
        }
        (format!("+{letters}"), arguments)
    }
}

/// Whether a mask of the list fits one of the names, which may be the same twice. Its time does not depend on how the masks are made: clients
/// make them, and every message of every member is compared with all.
fn fits(list: &[Listed], names: &[Vec<u8>]) -> bool {
    let is_first = |at: usize| !names[..at].contains(&names[at]);
    !list.is_empty()
        && (0..names.len()).filter(|at| is_first(*at)).any(|at| {
            let name = MaskedText::new(MAPPING, &names[at]);
            list.iter().any(|listed| name.fits(&listed.mask))
        })
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A mask with what is missing: `nick` is `nick!*@*`, `user@host` is `*!user@host`.
pub(super) fn whole_mask(mask: &[u8]) -> Vec<u8> {
    match (mask.contains(&b'!'), mask.contains(&b'@')) {
        (true, true) => mask.to_vec(),
        (true, false) => [mask, b"@*"].concat(),
        (false, true) => [b"*!", mask].concat(),
        (false, false) => [mask, b"!*@*"].concat(),
    }
}

/// Whether a mask can be a parameter, and a word in the file of channels.
pub(super) fn is_mask(mask: &[u8]) -> bool {
    mask.first().is_some_and(|first| *first != b':')
        && !mask.iter().any(|byte| *byte <= b' ' || *byte == 0x7f)
}

/// Longest names.
pub(super) const NICK_MAX: usize = 30;
pub(super) const CHANNEL_MAX: usize = 64;

pub(super) fn is_nick(nick: &[u8]) -> bool {
    let is_special = |byte: &u8| b"[]\\`_^{|}".contains(byte);
    let first = nick.first().is_some_and(|byte| byte.is_ascii_alphabetic() || is_special(byte));
    let rest =
        nick.iter().all(|byte| byte.is_ascii_alphanumeric() || is_special(byte) || *byte == b'-');
    first && rest && nick.len() <= NICK_MAX
}

pub(super) fn is_channel(name: &[u8]) -> bool {
    name.first() == Some(&b'#')
        && (2..=CHANNEL_MAX).contains(&name.len())
        && !name.iter().any(|byte| *byte <= b' ' || *byte == b',' || *byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks() {
        for (nick, expected) in [
            ("ann", true),
            ("[a]-1", true),
            ("1a", false),
            ("-a", false),
            ("", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(is_nick(nick.as_bytes()), expected, "{nick}");
        }
        assert!(!is_nick(&b"a".repeat(31)));
        for (name, expected) in [
            ("#a", true),
            ("#", false),
            ("a", false),
            ("#a,b", false),
            ("#a\x07", false),
            ("#ä", true),
        ] {
            assert_eq!(is_channel(name.as_bytes()), expected, "{name}");
        }
        for (mask, whole) in
            [("ann", "ann!*@*"), ("a@b", "*!a@b"), ("a!b", "a!b@*"), ("a!b@c", "a!b@c")]
        {
            assert_eq!(whole_mask(mask.as_bytes()), whole.as_bytes());
        }
        for (mask, expected) in [
            ("a!b@c", true),
            ("", false),
            (":a!b@c", false),
            ("a b!c@d", false),
            ("a\x07!b@c", false),
        ] {
            assert_eq!(is_mask(mask.as_bytes()), expected, "{mask:?}");
        }
    }
}
