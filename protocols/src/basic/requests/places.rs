//! Outstanding requests: storage, limit, and one shared timer. Used by both matchers.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    hash::Hash,
    marker::PhantomData,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::{
    ConnectionLost, Transport, WriteStatus,
    reactor::{Deferred, DelayedCall, Promise, Reactor, WeakReactor},
};

use super::{AnswerError, RequestError};

/// Default limit of outstanding requests.
pub(in crate::basic) const OUTSTANDING_MAX: usize = 1024;

/// Default timeout of a request.
pub(in crate::basic) const TIMEOUT: Duration = Duration::from_secs(30);

/// The slot of an outstanding request. It is kept after a timeout or a cancellation, for the answer that may still
/// arrive.
pub(super) struct Place<A: 'static, E: AnswerError> {
    promise: Option<Promise<A, E>>,
    timeout: Option<Duration>,
    due: Option<Instant>,
}

/// The container of the slots.
pub(super) trait Places<A: 'static, E: AnswerError>: Default + 'static {
    /// Whether a timed-out request keeps its slot until its answer arrives; otherwise for the length of its timeout
    /// once more.
    const KEPT: bool;
    fn len(&self) -> usize;
    fn retain(&mut self, keep: impl FnMut(&mut Place<A, E>) -> bool);
}

/// Slots in the order of the requests, each with the data of its request.
pub(super) type InOrder<Q, A, E> = VecDeque<(Q, Place<A, E>)>;

/// Slots by identifier.
pub(super) type ById<K, A, E> = HashMap<K, Place<A, E>>;

impl<Q: 'static, A: 'static, E: AnswerError> Places<A, E> for InOrder<Q, A, E> {
    const KEPT: bool = true;

    fn len(&self) -> usize {
        self.len()
    }

    fn retain(&mut self, mut keep: impl FnMut(&mut Place<A, E>) -> bool) {
        self.retain_mut(|(_, place)| keep(place));
    }
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> Places<A, E> for ById<K, A, E> {
    const KEPT: bool = false;

    fn len(&self) -> usize {
        self.len()
    }

    fn retain(&mut self, mut keep: impl FnMut(&mut Place<A, E>) -> bool) {
        self.retain(|_, place| keep(place));
    }
}

/// The outstanding requests of a connection. Clones share them.
pub(super) struct Outstanding<P, A: 'static, E: AnswerError> {
    inner: Rc<RefCell<Inner<P, A, E>>>,
}

struct Inner<P, A: 'static, E: AnswerError> {
    places: P,
    max: usize,
    timeout: Option<Duration>,
    /// The timer, and when it fires.
    timer: Option<(DelayedCall, Instant)>,
    lost: Option<RequestError>,
    reactor: WeakReactor,
    answers: PhantomData<(A, E)>,
}

impl<P, A: 'static, E: AnswerError> Drop for Inner<P, A, E> {
    fn drop(&mut self) {
        if let Some((timer, _)) = self.timer.take() {
            timer.cancel();
        }
    }
}

impl<P, A: 'static, E: AnswerError> Clone for Outstanding<P, A, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<P: Places<A, E>, A: 'static, E: AnswerError> Default for Outstanding<P, A, E> {
    fn default() -> Self {
        let inner = Inner {
            places: P::default(),
            max: OUTSTANDING_MAX,
            timeout: Some(TIMEOUT),
            timer: None,
            lost: None,
            reactor: WeakReactor::default(),
            answers: PhantomData,
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }
}

impl<P: Places<A, E>, A: 'static, E: AnswerError> Outstanding<P, A, E> {
    pub(super) fn set_max(&self, max: usize) {
        self.inner.borrow_mut().max = max.max(1);
    }

    pub(super) fn set_timeout(&self, timeout: Option<Duration>) {
        self.inner.borrow_mut().timeout = timeout;
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.inner.borrow().timeout
    }

    pub(super) fn len(&self) -> usize {
        self.inner.borrow().places.len()
    }

    /// Accesses the slots.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut P) -> R) -> R {
        f(&mut self.inner.borrow_mut().places)
    }

    /// Sends a request unless it is refused, and lets `put` store its slot.
    pub(super) fn send(
        &self,
        transport: &Transport,
        timeout: Option<Duration>,
        refused: Option<RequestError>,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
        put: impl FnOnce(&mut P, Place<A, E>),
    ) -> Deferred<A, E> {
        let reactor = transport.reactor();
        let weak = reactor.as_ref().map(Reactor::downgrade).unwrap_or_default();
        let (promise, answer) = weak.promise();
        let sent = match self.refuses().or(refused) {
            Some(error) => Err(error.into()),
            None => send(transport),
        };
        match sent {
            Err(error) => promise.reject(error),
            Ok(WriteStatus::Closed) => {
                promise.reject(RequestError::lost(&"the connection is closing").into());
            }
            Ok(_) => {
                let due = timeout.and_then(|timeout| reactor.as_ref()?.now().checked_add(timeout));
                let place = Place { promise: Some(promise), timeout, due };
                self.with(|places| put(places, place));
                self.inner.borrow_mut().reactor = weak;
                if let (Some(reactor), Some(due)) = (&reactor, due) {
                    self.schedule_expiry(reactor, due);
                }
            }
        }
        answer
    }

    /// Settles the request of this slot with what `result` makes of `value`, if it is still awaited; otherwise the event
    /// loop drops it. Without a slot, `value` is handed back.
    pub(super) fn settle<T>(
        &self,
        place: Option<Place<A, E>>,
        value: T,
        result: impl FnOnce(T) -> Result<A, E>,
    ) -> Result<(), T> {
        let Some(place) = place else { return Err(value) };
        let answer = result(value);
        if let Some(promise) = place.promise {
            promise.settle(answer);
        } else if let Some(reactor) = self.inner.borrow().reactor.upgrade() {
            reactor.defer_drop(answer);
        }
        Ok(())
    }

    fn refuses(&self) -> Option<RequestError> {
        let inner = self.inner.borrow();
        let max = inner.max;
        let is_full = inner.places.len() >= max;
        inner.lost.clone().or(is_full.then_some(RequestError::TooMany { max }))
    }

    /// Fails all requests. On shutdown of the reactor the promises are only dropped, since their receivers are gone,
    /// too.
    pub(super) fn connection_lost(&self, reason: &ConnectionLost) {
        let is_shutdown = matches!(reason, ConnectionLost::Shutdown);
        let error = RequestError::lost(reason);
        let mut inner = self.inner.borrow_mut();
        inner.lost = Some(error.clone());
        let timer = inner.timer.take();
        let mut unanswered = Vec::new();
        inner.places.retain(|place| {
            unanswered.extend(place.promise.take());
            false
        });
        drop(inner);
        if let Some((timer, _)) = timer {
            timer.cancel();
        }
        for promise in unanswered.into_iter().filter(|_| !is_shutdown) {
            promise.reject(error.clone().into());
        }
    }

    /// Makes the timer fire at `due` at the latest.
    fn schedule_expiry(&self, reactor: &Reactor, due: Instant) {
        let mut inner = self.inner.borrow_mut();
        if inner.timer.as_ref().is_some_and(|(_, at)| *at <= due) {
            return;
        }
        if let Some((timer, _)) = inner.timer.take() {
            timer.cancel();
        }
        let this = Rc::downgrade(&self.inner);
        let timer =
            reactor.call_later(due.saturating_duration_since(reactor.now()), move |reactor| {
                if let Some(inner) = this.upgrade() {
                    Self { inner }.expire(reactor);
                }
            });
        inner.timer = Some((timer, due));
    }

    /// Fails the requests whose timeout has passed. The request for which the timer was set may have been answered
    /// since.
    fn expire(&self, reactor: &Reactor) {
        let now = reactor.now();
        let mut late = Vec::new();
        let mut next: Option<Instant> = None;
        let mut inner = self.inner.borrow_mut();
        inner.timer = None;
        inner.places.retain(|place| {
            if place.due.is_some_and(|due| due <= now) {
                match place.promise.take() {
                    Some(promise) => late.push((promise, place.timeout.unwrap_or_default())),
                    None => return false,
                }
                let quarantine = place.timeout.filter(|_| !P::KEPT);
                place.due = quarantine.and_then(|timeout| now.checked_add(timeout));
            }
            next = next.into_iter().chain(place.due).min();
            true
        });
        drop(inner);
        for (promise, after) in late {
            promise.reject(RequestError::TimedOut { after }.into());
        }
        if let Some(due) = next {
            self.schedule_expiry(reactor, due);
        }
    }
}
