//! An asynchronous result: [`Promise`] is the producer's end, [`Deferred`] the consumer's, awaited or with a callback.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use crate::{Excerpt, Failure, Reactor, WeakReactor};

type Callback<T, E> = Box<dyn FnOnce(&Reactor, Result<T, E>)>;

type OnCancel = Box<dyn FnOnce(&Reactor)>;

struct State<T, E: fmt::Display> {
    result: Option<Result<T, E>>,
    settled: bool,
    callback: Option<Callback<T, E>>,
    waker: Option<Waker>,
    canceller: Option<OnCancel>,
    /// Nobody waits any more, but the work goes on.
    detached: bool,
    /// Cancelled, or abandoned because the reactor ended: not logged.
    quiet: bool,
}

impl<T, E: fmt::Display> Default for State<T, E> {
    fn default() -> Self {
        Self {
            result: None,
            settled: false,
            callback: None,
            waker: None,
            canceller: None,
            detached: false,
            quiet: false,
        }
    }
}

impl<T, E: fmt::Display> Drop for State<T, E> {
    fn drop(&mut self) {
        if let Some(Err(error)) = &self.result
            && !self.quiet
        {
            let error = error.to_string();
            tracing::error!(error = %Excerpt::new(&error), "a deferred failed, and its error was never handled");
        }
    }
}

/// The producer's end of a [`Deferred`]. Dropped without a result, it fails the deferred with [`Failure::Abandoned`].
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::{Deferred, Reactor};
///
/// /// The answer to everything, after some thought.
/// fn ask(reactor: &Reactor) -> Deferred<u32> {
///     let (promise, answer) = reactor.promise();
///     reactor.call_later(Duration::from_millis(5), |_| promise.resolve(42));
///     answer
/// }
///
/// let reactor = Reactor::new()?;
/// let answer = reactor.run_until(ask(&reactor))??;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it fails the deferred"]
pub struct Promise<T: 'static, E: From<Failure> + fmt::Display + 'static = Failure> {
    state: Rc<RefCell<State<T, E>>>,
    reactor: WeakReactor,
}

/// A value that becomes available later, once: await it, or attach a callback.
///
/// It is a [`Future`] of `Result<T, E>`. Dropping it before the result is there [cancels](Self::cancel) the work in
/// progress; [`detach`](Self::detach) lets the work go on. An error that is never handled is logged.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_reactor::Reactor;
///
/// let reactor = Reactor::new()?;
/// reactor.defer_to_thread(|| 6 * 7).then(|reactor, answer| {
///     assert_eq!(answer, Ok(42));
///     let _ = reactor.stop();
/// });
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels the work: await it, attach a callback with `then`, or let the work go on with `detach`"]
pub struct Deferred<T: 'static, E: From<Failure> + fmt::Display + 'static = Failure> {
    state: Rc<RefCell<State<T, E>>>,
    reactor: WeakReactor,
}

/// Cancels a [`Deferred`] that has been moved elsewhere: awaited, or consumed by `then`. It keeps nothing alive.
pub struct Canceller<T: 'static, E: From<Failure> + fmt::Display + 'static = Failure> {
    state: Weak<RefCell<State<T, E>>>,
    reactor: WeakReactor,
}

impl Reactor {
    /// A new promise and the deferred that it settles.
    pub fn promise<T: 'static, E: From<Failure> + fmt::Display + 'static>(
        &self,
    ) -> (Promise<T, E>, Deferred<T, E>) {
        self.downgrade().promise()
    }
}

impl WeakReactor {
    /// As [`Reactor::promise`], also if the reactor has been dropped: then the deferred can be awaited and its result
    /// taken, but a callback attached to it is only logged as an error, since there is no loop to call it.
    pub fn promise<T: 'static, E: From<Failure> + fmt::Display + 'static>(
        &self,
    ) -> (Promise<T, E>, Deferred<T, E>) {
        let state = Rc::default();
        let reactor = self.clone();
        (
            Promise { state: Rc::clone(&state), reactor: reactor.clone() },
            Deferred { state, reactor },
        )
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Promise<T, E> {
    /// Settles with a value.
    pub fn resolve(self, value: T) {
        self.settle(Ok(value));
    }

    /// Settles with an error.
    pub fn reject(self, error: E) {
        self.settle(Err(error));
    }

    /// Settles with a value or an error. After a cancellation the result is dropped by the loop.
    pub fn settle(self, result: Result<T, E>) {
        settle(&self.state, &self.reactor, result);
    }

    /// Settles with the result of `deferred`, when it is there. Cancelling the deferred of this promise cancels `deferred`.
    #[track_caller]
    pub fn follow(self, deferred: Deferred<T, E>) {
        let canceller = deferred.canceller();
        self.on_cancel(move |_| canceller.cancel());
        deferred.then(move |_, result| self.settle(result));
    }

    /// Gives up a promise whose deferred nobody waits for. Runs no user code: there is neither a result nor a callback.
    pub(crate) fn discard(self) {
        let mut inside = self.state.borrow_mut();
        inside.settled = true;
        inside.quiet = true;
    }

    /// Settles with a failure that has been logged already.
    pub(crate) fn reject_quietly(self, failure: Failure) {
        self.state.borrow_mut().quiet = true;
        self.settle(Err(failure.into()));
    }

    /// Whether the deferred is still unsettled: `false` once it was cancelled.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.state.borrow().settled
    }

    /// Whether the result would be used: the deferred exists, or has a callback. `false` for one that was cancelled,
    /// dropped or detached.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let inside = self.state.borrow();
        !inside.settled && (inside.callback.is_some() || Rc::strong_count(&self.state) > 1)
    }

    /// Sets what the loop does when the deferred is cancelled, such as stopping the work; if it has been cancelled
    /// already, the loop does it now. Replaces an earlier `f`.
    pub fn on_cancel(&self, f: impl FnOnce(&Reactor) + 'static) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let mut inside = self.state.borrow_mut();
        if inside.settled {
            // As long as there is a promise, only a cancellation settles.
            drop(inside);
            return reactor.call_soon(f);
        }
        let old = inside.canceller.replace(Box::new(f));
        drop(inside);
        if let Some(old) = old {
            reactor.defer_drop(old);
        }
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Drop for Promise<T, E> {
    fn drop(&mut self) {
        let mut inside = self.state.borrow_mut();
        if inside.settled {
            return;
        }
        inside.quiet = true;
        drop(inside);
        settle(&self.state, &self.reactor, Err(Failure::Abandoned.into()));
    }
}

#[cold]
#[track_caller]
fn never_called(why: &str) {
    let at = Location::caller();
    tracing::error!(%at, why, "a callback was attached to a deferred, and will never be called");
}

/// Stores the result and notifies the consumer. No user code runs here: the callback runs from the loop.
fn settle<T: 'static, E: From<Failure> + fmt::Display + 'static>(
    state: &Rc<RefCell<State<T, E>>>,
    reactor: &WeakReactor,
    result: Result<T, E>,
) {
    let reactor = reactor.upgrade();
    let mut inside = state.borrow_mut();
    if inside.settled {
        drop(inside);
        if let Some(reactor) = reactor {
            reactor.defer_drop(result);
        }
        return;
    }
    inside.settled = true;
    let (canceller, callback, waker) =
        (inside.canceller.take(), inside.callback.take(), inside.waker.take());
    let callback = match callback {
        Some(callback) => Some((callback, result)),
        None => {
            inside.result = Some(result);
            None
        }
    };
    drop(inside);
    if let Some(reactor) = reactor {
        if let Some((callback, result)) = callback {
            reactor.call_soon(move |reactor| callback(reactor, result));
        }
        if let Some(canceller) = canceller {
            reactor.defer_drop(canceller);
        }
        if Rc::strong_count(state) == 1 {
            // The deferred is gone and the result would be dropped with the promise: have the loop drop it.
            reactor.defer_drop(state.clone());
        }
    }
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Deferred<T, E> {
    /// A deferred that is resolved already.
    pub fn ready_on(reactor: &Reactor, value: T) -> Self {
        let (promise, deferred) = reactor.promise();
        promise.resolve(value);
        deferred
    }

    /// A deferred that has failed already.
    pub fn failed_on(reactor: &Reactor, error: E) -> Self {
        let (promise, deferred) = reactor.promise();
        promise.reject(error);
        deferred
    }

    /// Has the loop call `f` with the result, once it is available; in its next turn if it is already. The end of a run
    /// drops pending callbacks, as it does all calls.
    ///
    /// An `f` that can never be called is logged as an error, with the location of this call: if the result has been
    /// [taken](Self::take) before, or the reactor was dropped.
    #[track_caller]
    pub fn then(self, f: impl FnOnce(&Reactor, Result<T, E>) + 'static) {
        let Some(reactor) = self.reactor.upgrade() else {
            return never_called("its reactor was dropped");
        };
        let mut inside = self.state.borrow_mut();
        let result = inside.result.take();
        if result.is_none() && !inside.settled {
            inside.callback = Some(Box::new(f));
            return;
        }
        drop(inside);
        match result {
            Some(result) => reactor.call_soon(move |reactor| f(reactor, result)),
            None => {
                never_called("its result was taken before");
                reactor.defer_drop(f);
            }
        }
    }

    /// Lets the work go on without anything that waits for it. The loop drops the value; an error is logged.
    pub fn detach(self) {
        self.state.borrow_mut().detached = true;
    }

    /// Cancels: the result is [`Failure::Cancelled`], and the loop stops the work if possible. Does nothing if the
    /// result is available already. Dropping the deferred does the same.
    pub fn cancel(&self) {
        let mut inside = self.state.borrow_mut();
        if inside.settled {
            return;
        }
        inside.quiet = true;
        let canceller = inside.canceller.take();
        drop(inside);
        let reactor = self.reactor.upgrade();
        if let (Some(canceller), Some(reactor)) = (canceller, &reactor) {
            reactor.call_soon(canceller);
        }
        settle(&self.state, &self.reactor, Err(Failure::Cancelled.into()));
    }

    /// A handle that cancels this deferred after it has been moved elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller<T, E> {
        Canceller { state: Rc::downgrade(&self.state), reactor: self.reactor.clone() }
    }

    /// A deferred whose result is computed by `f` from the result of this one, in the loop. Cancelling it cancels this
    /// one, too. An `f` that can never be called is logged as an error, as with [`then`](Self::then), and fails it with
    /// [`Failure::Abandoned`].
    #[track_caller]
    pub fn map<U, D>(self, f: impl FnOnce(Result<T, E>) -> Result<U, D> + 'static) -> Deferred<U, D>
    where
        U: 'static,
        D: From<Failure> + fmt::Display + 'static,
    {
        let (promise, mapped) = self.reactor.promise();
        let canceller = self.canceller();
        promise.on_cancel(move |_| canceller.cancel());
        self.then(move |_, result| promise.settle(f(result)));
        mapped
    }

    /// Whether the result is available, or was.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state.borrow().settled
    }

    /// Takes the result, if it is available and has not been taken.
    #[must_use]
    pub fn take(&self) -> Option<Result<T, E>> {
        self.state.borrow_mut().result.take()
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Drop for Deferred<T, E> {
    /// Cancels, unless the result is there, a callback waits for it, or it was detached.
    fn drop(&mut self) {
        let mut inside = self.state.borrow_mut();
        if inside.settled || inside.detached || inside.callback.is_some() {
            return;
        }
        // What polled it drops it now, so there is nothing to wake.
        let waker = inside.waker.take();
        drop(inside);
        self.cancel();
        drop(waker);
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Canceller<T, E> {
    /// As [`Deferred::cancel`].
    pub fn cancel(&self) {
        if let Some(state) = self.state.upgrade() {
            Deferred { state, reactor: self.reactor.clone() }.cancel();
        }
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> Future for Deferred<T, E> {
    type Output = Result<T, E>;

    /// # Panics
    ///
    /// If polled again after it was ready, as futures may.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inside = self.state.borrow_mut();
        if let Some(result) = inside.result.take() {
            return Poll::Ready(result);
        }
        assert!(!inside.settled, "a deferred was polled after it was ready");
        if inside.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        drop(inside);
        // A waker may run user code, so it is neither cloned nor dropped under the borrow.
        let waker = context.waker().clone();
        let old = self.state.borrow_mut().waker.replace(waker);
        drop(old);
        Poll::Pending
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("pending", &self.is_pending()).finish()
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> fmt::Debug for Deferred<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("settled", &self.is_settled()).finish()
    }
}

impl<T: 'static, E: From<Failure> + fmt::Display + 'static> fmt::Debug for Canceller<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").field("in_use", &(self.state.strong_count() > 0)).finish()
    }
}
