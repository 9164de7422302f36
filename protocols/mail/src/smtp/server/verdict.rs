//! What a handler decides: [`Verdict`], at once or later, and [`Outcome`] at the end of a message.

use std::fmt;

use sinew_transports::reactor::{Deferred, Reactor};

use crate::smtp::codec::Reply;

/// The decision about a step: it goes on, with a value if there is one, or it is refused with a [`Reply`].
///
/// It is known at once, or is that of a [`Deferred`], whose failures (a panic, a job that was lost) count as 451: the client tries again
/// later. The client waits meanwhile, at most for [`ServerConfig::verdict_timeout`](super::ServerConfig::verdict_timeout); if it
/// disconnects, the deferred is cancelled, but for that of the end of a message.
pub struct Verdict<T: 'static = ()>(pub(super) Decision<T>);

pub(super) enum Decision<T: 'static> {
    Now(Result<T, Reply>),
    Later(Deferred<T, Reply>),
}

/// What has become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The same for all recipients.
    All(Reply),
    /// One for each recipient, in the order in which they were accepted. LMTP says each; SMTP has one reply, which accepts the message
    /// if it was accepted for any recipient: the handler then reports to the sender for the others.
    Each(Vec<Reply>),
}

impl Verdict {
    /// Go on.
    #[must_use]
    pub fn accept() -> Self {
        Self::now(())
    }
}

impl<T> Verdict<T> {
    /// Go on, with this.
    #[must_use]
    pub fn now(value: T) -> Self {
        Self(Decision::Now(Ok(value)))
    }

    /// No, with a reply of 4yz or 5yz. With 421 the connection is closed.
    #[must_use]
    pub fn refuse(reply: Reply) -> Self {
        Self(Decision::Now(Err(reply)))
    }

    /// It is not known yet.
    #[must_use]
    pub fn later(deferred: Deferred<T, Reply>) -> Self {
        Self(Decision::Later(deferred))
    }
}

impl<T> Verdict<T> {
    /// The decision, once it is made.
    pub(crate) fn decided(self, reactor: &Reactor) -> Deferred<T, Reply> {
        match self.0 {
            Decision::Now(result) => {
                let (promise, deferred) = reactor.promise();
                promise.settle(result);
                deferred
            }
            Decision::Later(deferred) => deferred,
        }
    }
}

impl Verdict<Outcome> {
    /// The same reply for all recipients, whatever it says.
    #[must_use]
    pub fn reply(reply: Reply) -> Self {
        Self::now(Outcome::All(reply))
    }
}

impl<T> From<Result<T, Reply>> for Verdict<T> {
    fn from(result: Result<T, Reply>) -> Self {
        Self(Decision::Now(result))
    }
}

impl<T> From<Deferred<T, Reply>> for Verdict<T> {
    fn from(deferred: Deferred<T, Reply>) -> Self {
        Self::later(deferred)
    }
}

impl<T> fmt::Debug for Verdict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Decision::Now(Ok(_)) => f.write_str("Verdict(accept)"),
            Decision::Now(Err(reply)) => write!(f, "Verdict({reply})"),
            Decision::Later(_) => f.write_str("Verdict(later)"),
        }
    }
}
