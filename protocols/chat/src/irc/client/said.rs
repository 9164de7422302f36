//! What somebody has said: [`Said`].

use std::time::SystemTime;

use crate::irc::codec::{IrcText, Message, Source, parse_time};

/// A message of somebody, to a channel or to the client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Said<'a> {
    /// Who says it.
    pub from: Source<'a>,
    /// To whom: a channel, or the nick of the client.
    pub target: IrcText<'a>,
    /// What. For an action and for CTCP, without its command.
    pub text: IrcText<'a>,
    /// Whether the client itself has said it, and the server sends it back (echo-message).
    pub is_echo: bool,
    /// Whether the target is a channel, or the members of one who have a status.
    pub is_to_channel: bool,
    /// The whole message, with its tags.
    pub message: &'a Message<'a>,
}

impl<'a> Said<'a> {
    /// To whom an answer goes: the channel, or who has said it.
    #[must_use]
    pub fn reply_to(&self) -> IrcText<'a> {
        if self.is_to_channel { self.target } else { self.from.nick() }
    }

    /// The account that who has said it is logged in to (account-tag).
    #[must_use]
    pub fn account(&self) -> Option<String> {
        let account = self.message.tag("account")?;
        Some(String::from_utf8_lossy(&account).into_owned())
    }

    /// When the server received it (server-time), if it says so.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        parse_time(&self.message.tag("time")?)
    }
}
