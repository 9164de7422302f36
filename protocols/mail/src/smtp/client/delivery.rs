//! What has become of a message: [`Delivery`], with a reply for each recipient.

use std::fmt;

use super::{SmtpError, Stage};
use crate::smtp::codec::{Address, Reply};

/// The replies of a server to a message, one for each recipient, in the order of the envelope.
///
/// If the connection is lost while a server of LMTP replies about one recipient after the other, those that are missing are 451, made
/// by the client: it is not known whether the message was accepted for them.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::client::{Delivery, SmtpError};
///
/// fn report(delivery: &Delivery) {
///     for refused in delivery.refused() {
///         eprintln!("not to {}: {}", refused.address(), refused.reply());
///     }
/// }
///
/// /// All or nothing, as far as the caller is concerned.
/// fn all(delivery: Delivery) -> Result<(), SmtpError> {
///     delivery.complete().map(drop)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub(super) replies: Vec<RecipientReply>,
}

/// What a server has replied about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientReply {
    pub(super) address: Address,
    pub(super) stage: Stage,
    pub(super) reply: Reply,
}

impl Delivery {
    /// About all recipients.
    #[must_use]
    pub fn replies(&self) -> &[RecipientReply] {
        &self.replies
    }

    /// About those for whom the server has accepted the message.
    pub fn delivered(&self) -> impl Iterator<Item = &RecipientReply> {
        self.replies.iter().filter(|reply| reply.is_delivered())
    }

    /// About those for whom it has not.
    pub fn refused(&self) -> impl Iterator<Item = &RecipientReply> {
        self.replies.iter().filter(|reply| !reply.is_delivered())
    }

    /// Whether the message was accepted for all recipients.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused().next().is_none()
    }

    /// An error if the message was not accepted for all recipients.
    ///
    /// # Errors
    ///
    /// [`SmtpError::NotDelivered`], with this delivery.
    pub fn complete(self) -> Result<Self, SmtpError> {
        if self.is_complete() { Ok(self) } else { Err(SmtpError::NotDelivered(self)) }
    }
}

impl RecipientReply {
    /// The recipient.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it was a reply to: [`Stage::Message`] if the whole message was sent.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The reply.
    #[must_use]
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Whether the server is responsible for the message to this recipient from now on.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.stage == Stage::Message && self.reply.is_success()
    }
}

impl fmt::Display for Delivery {
    /// The recipients for whom the message was not accepted, with the replies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, refused) in self.refused().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}to {} ({}: {})", refused.address, refused.stage, refused.reply)?;
        }
        Ok(())
    }
}
