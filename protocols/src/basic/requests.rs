//! Questions that wait for their answers: [`Requests`] matches them in order, [`RequestsById`] by a name that both carry. Neither knows
//! what is asked; both ask the transport's reactor for a timer.

mod by_id;
mod in_order;
mod places;
#[cfg(test)]
mod tests;

use std::{fmt, rc::Rc, time::Duration};

use sinew_transports::reactor::Failure;

use super::EncodeError;

pub use self::{by_id::RequestsById, in_order::Requests};

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// None came in time.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended first, or had ended already.
    #[error("the connection ended before the answer came: {0}")]
    Lost(Rc<str>),
    /// So many questions are waiting that this one was not sent.
    #[error("{max} questions are waiting for an answer already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Another question of that name is waiting, so this one was not sent.
    #[error("a question of that name is waiting for an answer already")]
    IdInUse,
    /// It cannot be said.
    #[error("the question cannot be sent: {0}")]
    NotSent(#[from] EncodeError),
    /// The wait was cancelled, or nobody is left who could answer.
    #[error("the answer is not waited for any more: {0}")]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(RequestError);

impl RequestError {
    fn lost(reason: &dyn fmt::Display) -> Self {
        Self::Lost(reason.to_string().into())
    }
}

/// What a question may fail with: [`RequestError`], or an error of your own that can be made of it and of
/// [`Failure`](sinew_transports::reactor::Failure).
pub trait AnswerError: From<RequestError> + From<Failure> + fmt::Display + 'static {}

impl<E: From<RequestError> + From<Failure> + fmt::Display + 'static> AnswerError for E {}
