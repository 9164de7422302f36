//! Requests that wait for a connection of a client that reconnects.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sinew_transports::{
    ClientService, ServiceError,
    reactor::{Failure, Promise, Reactor},
};

use super::{Answers, MatchAnswers, Shared};
use crate::basic::{Codec, Framed, RequestError};

/// A request that waits.
pub(super) struct Waiting<I> {
    pub(super) timeout: Option<Duration>,
    /// When the timeout began.
    pub(super) began: Instant,
    pub(super) id: I,
    pub(super) question: Bytes,
    pub(super) promise: Promise<Bytes, RequestError>,
}

/// Counts one request that waits, as long as it exists.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(waiting: &Rc<Cell<usize>>) -> Self {
        waiting.set(waiting.get() + 1);
        Self(waiting.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<I: 'static> Waiting<I> {
    /// Sends the request once there is a connection.
    pub(super) fn start<D: Codec, M: MatchAnswers<Id = I>>(
        self,
        reactor: &Reactor,
        shared: &Rc<Shared<D, M>>,
        service: &ClientService<Framed<D, Answers<D, M>>>,
    ) {
        let max = shared.config.outstanding_max;
        if shared.waiting.get() >= max {
            return self.promise.reject(RequestError::TooMany { max });
        }
        let counted = Counted::new(&shared.waiting);
        let connected = service.when_connected();
        let canceller = connected.canceller();
        self.promise.on_cancel(move |_| canceller.cancel());
        let canceller = connected.canceller();
        let timer =
            self.left(reactor).map(|left| reactor.call_later(left, move |_| canceller.cancel()));
        let (shared, service) = (Rc::downgrade(shared), service.clone());
        connected.then(move |reactor, connected| {
            drop(counted);
            if let Some(timer) = timer {
                timer.cancel();
            }
            let shared = shared.upgrade().filter(|_| self.promise.is_pending());
            let Some(shared) = shared else { return };
            match connected {
                Ok(_) if shared.is_connected() => self.send(reactor, &shared),
                // It was lost again.
                Ok(_) => self.start(reactor, &shared, &service),
                Err(ServiceError::GivenUp(Failure::Cancelled)) => {
                    self.promise.reject(timed_out(self.timeout));
                }
                Err(ServiceError::GivenUp(failure)) => self.promise.reject(failure.into()),
                Err(error) => self.promise.reject(RequestError::not_connected(&error)),
            }
        });
    }

    fn send<D: Codec, M: MatchAnswers<Id = I>>(self, reactor: &Reactor, shared: &Shared<D, M>) {
        let (left, timeout) = (self.left(reactor), self.timeout);
        match shared.send(left, self.id, &self.question) {
            Some(answer) => self.promise.follow(answer.map(move |answer| match answer {
                Err(RequestError::TimedOut { .. }) => Err(timed_out(timeout)),
                answer => answer,
            })),
            None => self.promise.reject(Failure::Abandoned.into()),
        }
    }

    /// What is left of the timeout.
    fn left(&self, reactor: &Reactor) -> Option<Duration> {
        let spent = reactor.now().saturating_duration_since(self.began);
        self.timeout.map(|timeout| timeout.saturating_sub(spent))
    }
}

fn timed_out(timeout: Option<Duration>) -> RequestError {
    RequestError::TimedOut { after: timeout.unwrap_or_default() }
}
