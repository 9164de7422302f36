//! One connection as the network sees it: [`User`], by its [`UserId`]. Data, and what follows from it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    rc::Rc,
    time::{Instant, SystemTime},
};

use sinew_auth::{BegunLogin, OpenSession, SaslServer};

use super::{capability::Capabilities, name_set::NameSet, wire::Wire};
use crate::irc::codec::SaslText;

/// A connection: a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UserId(pub(super) u64);

/// Modes of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UserModes {
    pub(super) is_invisible: bool,
    pub(super) is_operator: bool,
    pub(super) has_wallops: bool,
    pub(super) is_bot: bool,
}

pub(super) struct User {
    pub(super) wire: Box<dyn Wire>,
    pub(super) ip: Option<IpAddr>,
    pub(super) is_secure: bool,
    /// Empty until it is said.
    pub(super) nick: Vec<u8>,
    pub(super) user: Vec<u8>,
    /// As others see it.
    pub(super) host: String,
    /// Unless it is the same.
    pub(super) real_host: Option<Box<str>>,
    pub(super) real_name: Vec<u8>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) account: Option<String>,
    pub(super) capabilities: Capabilities,
    pub(super) knows_302: bool,
    /// The mechanisms that it was told last, one bit each.
    pub(super) sasl_told: Option<u16>,
    /// CAP was said, and CAP END was not yet.
    pub(super) is_negotiating: bool,
    pub(super) is_registered: bool,
    /// QUIT was sent, or the connection is over: nothing more is sent to it.
    pub(super) is_gone: bool,
    pub(super) modes: UserModes,
    pub(super) away: Option<Vec<u8>>,
    /// Channels by their folded names.
    pub(super) channels: NameSet,
    /// Channels that operators of them have invited it to, by their folded names, and when those were made: one of the same name is another.
    pub(super) invited: BTreeMap<Vec<u8>, u64>,
    pub(super) monitored: BTreeSet<Vec<u8>>,
    /// Long lists that are being sent.
    pub(super) lists: Rc<Cell<usize>>,
    pub(super) signed_on: SystemTime,
    pub(super) spoke_at: Instant,
    pub(super) sasl: Option<(SaslServer, BegunLogin)>,
    /// With an account.
    pub(super) open: Option<OpenSession>,
    /// Since OPER.
    pub(super) oper: Option<OpenSession>,
    pub(super) sasl_text: SaslText,
    pub(super) failed_logins: usize,
    pub(super) failed_opers: usize,
}

impl User {
    /// `nick!user@host`.
    pub(super) fn source(&self) -> Vec<u8> {
        [&self.nick, &b"!"[..], &self.user, b"@", self.host.as_bytes()].concat()
    }

    pub(super) fn real_host(&self) -> &str {
        self.real_host.as_deref().unwrap_or(&self.host)
    }

    /// What masks are compared with: as others see it, and by its address.
    pub(super) fn names(&self) -> [Vec<u8>; 2] {
        let real = [&self.nick, &b"!"[..], &self.user, b"@", self.real_host().as_bytes()].concat();
        [self.source(), real]
    }

    /// The nick, or `*` before it is said.
    pub(super) fn nick_or_star(&self) -> &[u8] {
        if self.nick.is_empty() { b"*" } else { &self.nick }
    }

    /// The modes as letters.
    pub(super) fn mode_letters(&self) -> String {
        let modes = [
            (self.modes.is_invisible, 'i'),
            (self.modes.is_operator, 'o'),
            (self.modes.has_wallops, 'w'),
            (self.modes.is_bot, 'B'),
        ];
        let letters = modes.iter().filter(|(is_on, _)| *is_on).map(|(_, letter)| *letter);
        std::iter::once('+').chain(letters).collect()
    }
}
