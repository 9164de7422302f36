//! What happens on a network of instant messages: [`Event`], told by the clients of OSCAR and of TOC.

use super::ScreenName;

/// Something has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A buddy has signed on, or is away, or is back.
    Arrived(Buddy),
    /// A buddy has signed off.
    Departed(ScreenName),
    /// A message for this user.
    Message(Message),
    /// A message could not be delivered: its receiver is not signed on.
    NotDelivered {
        /// Whom it was for, if the network says so.
        to: Option<ScreenName>,
    },
    /// This network allows no more messages for a moment, and has dropped one.
    TooFast,
}

/// A user that is signed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Buddy {
    /// Its name.
    pub name: ScreenName,
    /// Whether it is away.
    pub is_away: bool,
    /// When it has signed on, in seconds since 1970.
    pub signed_on: u32,
}

/// A message from one user to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Who has sent it.
    pub from: ScreenName,
    /// The text. Programs of the time sent HTML; it is passed on as it is.
    pub text: String,
    /// Whether a program has sent it because its user is away.
    pub is_automatic: bool,
}
