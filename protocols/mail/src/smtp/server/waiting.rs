//! Verdicts that are open, and those that are there: [`Waiting`], [`Answer`].

use sinew_auth::ServerStep;

use super::{MessageSink, Outcome, session::Greeting};
use crate::smtp::codec::{Recipient, Reply, Sender};

/// What a verdict is about.
pub(super) enum Step {
    Greeting,
    Helo(Greeting),
    Mail(Sender),
    Rcpt(Recipient),
    /// The sink of a message.
    Open,
    /// A piece of it.
    Write,
    Finish,
    /// A message of a login.
    Auth,
}

/// A verdict that is open.
pub(super) struct Waiting {
    pub(super) step: Step,
    pub(super) cancel: Option<Box<dyn FnOnce()>>,
}

/// A verdict that is there.
pub(super) enum Answer {
    Done(Result<(), Reply>),
    Sink(Result<Box<dyn MessageSink>, Reply>),
    Finished(Result<Outcome, Reply>),
    Sasl(Result<ServerStep, Reply>),
}

impl From<Result<(), Reply>> for Answer {
    fn from(result: Result<(), Reply>) -> Self {
        Self::Done(result)
    }
}

impl From<Result<Box<dyn MessageSink>, Reply>> for Answer {
    fn from(result: Result<Box<dyn MessageSink>, Reply>) -> Self {
        Self::Sink(result)
    }
}

impl From<Result<Outcome, Reply>> for Answer {
    fn from(result: Result<Outcome, Reply>) -> Self {
        Self::Finished(result)
    }
}

impl From<Result<ServerStep, Reply>> for Answer {
    fn from(result: Result<ServerStep, Reply>) -> Self {
        Self::Sasl(result)
    }
}
