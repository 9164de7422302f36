//! Why a queue does not do what it is asked: [`QueueError`].

use std::io;

use sinew_transports::reactor::Failure;

use super::MessageId;

/// A queue could not be opened, has not taken a message, or could not change one.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The folder is that of another queue, of this process or of another.
    #[error("could not open the spool: another queue uses it")]
    InUse,
    /// A file could not be written or read.
    #[error("the spool: {what}")]
    Spool {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A limit of the queue is reached.
    #[error("the queue is full: {what}")]
    Full {
        /// Which limit.
        what: &'static str,
    },
    /// The message is too long.
    #[error("a message longer than {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// The envelope has no recipient.
    #[error("there is no recipient")]
    NoRecipient,
    /// The envelope has a parameter that cannot be written down, such as an identifier with a control character.
    #[error("the envelope has a parameter that no server would accept")]
    Envelope,
    /// No agent of this name is registered.
    #[error("there is no delivery agent {0:?}")]
    NoAgent(String),
    /// The message has a bare CR or LF.
    #[error("the message has a bare CR or LF")]
    BareLineEnd,
    /// There is no such message, or it has left the queue.
    #[error("no message {0} in the queue")]
    NoMessage(MessageId),
    /// The queue was stopped.
    #[error("the queue was stopped")]
    Stopped,
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(QueueError);
