//! The bound on passwords that are judged: [`Attempts`]. One that is being judged counts as a failure until it has succeeded, so
//! that many at once learn no more than one after the other. The counts are those of `limiter.rs`.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    rc::Rc,
};

use sinew_transports::reactor::{Deferred, Failure, Promise, Reactor, WeakReactor};

use crate::{
    AuthError, FailureLimiter,
    limiter::{Admission, Failed, Key, Keys},
};

/// Most attempts that wait for those of the same address, or of the same user.
const WAITING_MAX: usize = 1_000;

/// Attempts to log in. A handle: clones are the same ones.
#[derive(Clone)]
pub(crate) struct Attempts(Rc<State>);

struct State {
    limiter: RefCell<FailureLimiter>,
    /// Those that wait, by the address or user whose failures left are all reserved by attempts under way. The end of one of these
    /// begins the next.
    waiting: RefCell<HashMap<Key, VecDeque<Waiting>>>,
}

struct Waiting {
    keys: Keys,
    promise: Promise<Attempt, AuthError>,
}

/// The right to one verdict. It ends when it is dropped: as a success, or unjudged, unless it has [failed](Self::failed).
pub(crate) struct Attempt {
    attempts: Attempts,
    keys: Keys,
    reactor: WeakReactor,
}

impl Attempts {
    pub(crate) fn new(limiter: FailureLimiter) -> Self {
        let (limiter, waiting) = (RefCell::new(limiter), RefCell::default());
        Self(Rc::new(State { limiter, waiting }))
    }

    /// Whether an attempt may [begin](Self::begin), now or later. It counts nothing.
    ///
    /// # Errors
    ///
    /// [`AuthError::TooManyFailures`].
    pub(crate) fn admit(
        &self,
        reactor: &Reactor,
        address: Option<IpAddr>,
        user: &str,
    ) -> Result<(), AuthError> {
        let mut limiter = self.0.limiter.borrow_mut();
        let keys = limiter.keys(address, user);
        match limiter.blocked(reactor.now(), keys) {
            Some(retry_after) => Err(AuthError::TooManyFailures { retry_after }),
            None => Ok(()),
        }
    }

    /// Begins an attempt. Waits as long as those under way could be failures that leave none for this one.
    ///
    /// # Errors
    ///
    /// [`AuthError::TooManyFailures`], also for one that has waited; [`Failure::Overloaded`] if too many wait.
    pub(crate) fn begin(
        &self,
        reactor: &Reactor,
        address: Option<IpAddr>,
        user: &str,
    ) -> Deferred<Attempt, AuthError> {
        let (promise, attempt) = reactor.promise();
        let keys = self.0.limiter.borrow().keys(address, user);
        if let Some((key, waiting)) = self.try_begin(reactor, Waiting { keys, promise }) {
            let mut queues = self.0.waiting.borrow_mut();
            let queue = queues.entry(key).or_default();
            if queue.len() < WAITING_MAX {
                queue.push_back(waiting);
            } else {
                waiting.promise.reject(Failure::Overloaded { limit: WAITING_MAX }.into());
            }
        }
        attempt
    }

    /// Gives it back with what it has to wait for.
    fn try_begin(&self, reactor: &Reactor, waiting: Waiting) -> Option<(Key, Waiting)> {
        let Waiting { keys, promise } = waiting;
        let admission = self.0.limiter.borrow_mut().begin(reactor.now(), keys);
        match admission {
            Admission::Begun => {
                let (attempts, reactor) = (self.clone(), reactor.downgrade());
                promise.resolve(Attempt { attempts, keys, reactor });
            }
            Admission::Blocked(retry_after) => {
                promise.reject(AuthError::TooManyFailures { retry_after });
            }
            Admission::Full(key) => return Some((key, Waiting { keys, promise })),
        }
        None
    }

    /// Begins what there is room for, of those that wait for this address or user.
    fn begin_waiting(&self, reactor: &Reactor, key: Key) {
        while let Some(waiting) = self.next(key) {
            let Some((full, waiting)) = self.try_begin(reactor, waiting) else { continue };
            let mut queues = self.0.waiting.borrow_mut();
            let queue = queues.entry(full).or_default();
            if full == key {
                return queue.push_front(waiting);
            }
            queue.push_back(waiting);
        }
    }

    fn next(&self, key: Key) -> Option<Waiting> {
        let mut queues = self.0.waiting.borrow_mut();
        let queue = queues.get_mut(&key)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            queues.remove(&key);
        }
        next
    }
}

impl Attempt {
    /// It was a failure.
    pub(crate) fn failed(self, reactor: &Reactor) -> Failed {
        self.attempts.0.limiter.borrow_mut().failed(reactor.now(), self.keys)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.attempts.0.limiter.borrow_mut().end(self.keys);
        // Without a reactor nothing is judged any more.
        let Some(reactor) = self.reactor.upgrade() else { return };
        for key in self.keys.into_iter().flatten() {
            self.attempts.begin_waiting(&reactor, key);
        }
    }
}
