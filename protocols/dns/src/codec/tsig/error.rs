//! Why a signature is not accepted: [`TsigError`].

use crate::codec::{MessageError, Name};

/// A signature is missing or wrong, or a key cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TsigError {
    /// The secret is not base64.
    #[error("the secret of the key {name} is not base64")]
    Secret {
        /// The key.
        name: Box<Name>,
    },
    /// The message cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The message has no signature, or too many messages of a transfer have none.
    #[error("the message is not signed, but must be")]
    Missing,
    /// It is signed with another key, or by another algorithm.
    #[error("the message is signed with another key or algorithm")]
    WrongKey,
    /// The signature is not that of this message and this key.
    #[error("the signature of the message is wrong")]
    BadSignature,
    /// It was signed at another time: the clocks differ, or the message was sent again by somebody else.
    #[error("the message was signed at {signed}, which differs from {now} by more than {fudge} s")]
    BadTime {
        /// When it was signed, in seconds since 1970.
        signed: u64,
        /// The time here.
        now: u64,
        /// How much they may differ.
        fudge: u16,
    },
    /// The server has refused our signature, with this code (16 to 18 and 22: RFC 8945, section 3).
    #[error("the server refuses the signature: {}", refusal(*.0))]
    Refused(u16),
}

sinew_transports::reactor::error_debug!(TsigError);

fn refusal(code: u16) -> &'static str {
    match code {
        16 => "it computes another one (BADSIG)",
        17 => "it does not know the key (BADKEY)",
        18 => "its clock differs (BADTIME)",
        22 => "it was truncated (BADTRUNC)",
        _ => "for an unknown reason",
    }
}
