//! Why a transfer, a notification or an update failed: [`TransferError`].

use std::time::Duration;

use sinew_protocols::basic::FramesError;
use sinew_transports::{
    ConnectError,
    reactor::{Excerpt, Failure},
};

use super::SignError;
use crate::{
    client::{LookupError, ServerError},
    codec::{EncodeError, MessageError, Mismatch, Name, ResponseCode, tsig::TsigError},
};

/// A transfer has failed. Nothing of what it has brought should be used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The name of the zone is none.
    #[error(transparent)]
    Zone(#[from] LookupError),
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server cannot be asked so.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The connection has failed, or ended early.
    #[error(transparent)]
    Connection(#[from] FramesError),
    /// No further message came in time.
    #[error("no message of the transfer came within {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The server does not transfer the zone.
    #[error("the server responds {} to the transfer", .0.to_str())]
    Refused(ResponseCode),
    /// A message is not a response to our query.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A message cannot be decoded.
    #[error(transparent)]
    Malformed(#[from] MessageError),
    /// The query cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A signature is missing or wrong.
    #[error(transparent)]
    Signature(#[from] TsigError),
    /// The records are not in the order of a transfer.
    #[error("the records of the transfer are out of order: {0}")]
    Order(&'static str),
    /// A record does not belong to the zone.
    #[error("{} is outside of the zone that is transferred", Excerpt::new(&.name.to_ascii()))]
    OutOfZone {
        /// Its name.
        name: Box<Name>,
    },
    /// There are too many records.
    #[error("the zone has more than {max} records")]
    TooManyRecords {
        /// The limit.
        max: u64,
    },
    /// It is too long.
    #[error("the transfer has more than {max} bytes")]
    TooManyBytes {
        /// The limit.
        max: u64,
    },
    /// The reactor has ended.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(TransferError);

impl From<SignError> for TransferError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Encode(error) => error.into(),
            SignError::Tsig(error) => error.into(),
        }
    }
}
