//! Where a message comes from: [`Source`].

use std::fmt;

use memchr::{memchr, memrchr};

use super::IrcText;

/// The source of a message: a server, or `nick!user@host`.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::Source;
///
/// let ann = Source::new(b"ann!a@example.net");
/// assert_eq!((ann.nick().as_bytes(), ann.host().unwrap().as_bytes()), (&b"ann"[..], &b"example.net"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source<'a> {
    whole: &'a [u8],
    nick: &'a [u8],
    user: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// Takes it apart. Every text is a source: one without `!` and `@` is the name of a server, or a nick.
    #[must_use]
    pub fn new(whole: &'a [u8]) -> Self {
        let (front, host) = match memrchr(b'@', whole) {
            Some(at) => (&whole[..at], Some(&whole[at + 1..])),
            None => (whole, None),
        };
        let (nick, user) = match memchr(b'!', front) {
            Some(at) => (&front[..at], Some(&front[at + 1..])),
            None => (front, None),
        };
        Self { whole, nick, user, host }
    }

    /// The nick, or the name of the server.
    #[must_use]
    pub const fn nick(&self) -> IrcText<'a> {
        IrcText::new(self.nick)
    }

    /// The name of the user on its host.
    #[must_use]
    pub fn user(&self) -> Option<IrcText<'a>> {
        self.user.map(IrcText::new)
    }

    /// The host of the user.
    #[must_use]
    pub fn host(&self) -> Option<IrcText<'a>> {
        self.host.map(IrcText::new)
    }

    /// All of it.
    #[must_use]
    pub const fn whole(&self) -> IrcText<'a> {
        IrcText::new(self.whole)
    }
}

/// All of it. What is not UTF-8 is replaced.
impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole().fmt(f)
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.whole()).finish()
    }
}
