//! Matching answers to requests: [`Requests`] matches them in order (FIFO), [`RequestsById`] by an identifier that
//! both carry. Neither knows the content of a request. Both use one timer of the transport's reactor.

mod by_id;
mod in_order;
mod places;
#[cfg(test)]
mod tests;

use std::{fmt, rc::Rc, time::Duration};

use sinew_transports::reactor::Failure;

use super::EncodeError;

pub(super) use places::{OUTSTANDING_MAX, TIMEOUT};

pub use self::{by_id::RequestsById, in_order::Requests};

/// Why a request failed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No answer arrived in time.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// The connection ended before the answer arrived, or had already ended.
    #[error("the connection ended before the answer arrived: {0}")]
    Lost(Rc<str>),
    /// Too many requests are outstanding, so this one was not sent.
    #[error("{max} requests are outstanding already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Another request with that identifier is outstanding, so this one was not sent.
    #[error("a request with that identifier is outstanding already")]
    IdInUse,
    /// The request could not be encoded.
    #[error("the request cannot be encoded: {0}")]
    NotSent(#[from] EncodeError),
    /// There is no connection, and there will be none, so the request was not sent.
    #[error("there is no connection to send the request on: {0}")]
    NotConnected(Rc<str>),
    /// The request was cancelled, or its handle was dropped without an answer.
    #[error("the request was cancelled or abandoned: {0}")]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(RequestError);

impl RequestError {
    fn lost(reason: &dyn fmt::Display) -> Self {
        Self::Lost(reason.to_string().into())
    }

    pub(super) fn not_connected(reason: &dyn fmt::Display) -> Self {
        Self::NotConnected(reason.to_string().into())
    }
}

/// The error type of a request: [`RequestError`], or your own error that can be converted from it and from
/// [`Failure`](sinew_transports::reactor::Failure).
pub trait AnswerError: From<RequestError> + From<Failure> + fmt::Display + 'static {}

impl<E: From<RequestError> + From<Failure> + fmt::Display + 'static> AnswerError for E {}
