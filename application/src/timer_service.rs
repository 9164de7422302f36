//! A function that is called again and again: [`TimerService`].

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Display},
    mem,
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{Deferred, Excerpt, Failure, LoopingCall, Promise, Reactor};

use crate::{Service, StartError, StopError};

/// Calls a function at a fixed interval, for the first time when it starts. A handle: its clones are the same service.
///
/// The function returns nothing, a `Result`, or a [`Deferred`]. Calls stay on the grid that the start has made; those that would
/// come while a returned deferred is pending, and those that the loop was too late for, are skipped. An error is logged, and the
/// next call comes as if nothing had been. A panic ends the series, since what the function has left behind is unknown; it is
/// logged, too. [`stop`](Service::stop) waits for a pending deferred.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_application::TimerService;
/// use sinew_reactor::Reactor;
///
/// let rotate = TimerService::new(Duration::from_secs(3600), |_: &Reactor| {
///     std::fs::rename("today.log", "yesterday.log")
/// });
/// # drop(rotate);
/// ```
#[derive(Clone)]
pub struct TimerService {
    inner: Rc<Inner>,
}

type Call = Box<dyn FnMut(&Reactor) -> Option<Deferred<(), Failed>>>;

struct Inner {
    interval: Duration,
    call: RefCell<Call>,
    series: RefCell<Option<LoopingCall>>,
    /// A deferred of the function has no result yet.
    is_pending: Cell<bool>,
    calls: Cell<u64>,
    /// Promises of `stop`, while a call is pending.
    stopping: RefCell<Vec<Promise<(), StopError>>>,
}

/// The text of an error that the function's deferred ended with.
struct Failed(String);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt::new(&self.0).fmt(f)
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
    impl<E: From<sinew_reactor::Failure> + std::fmt::Display + 'static> Sealed
        for sinew_reactor::Deferred<(), E>
    {
    }
}

/// What the function of a [`TimerService`] returns: nothing, a `Result`, or a [`Deferred`].
#[diagnostic::on_unimplemented(
    message = "the function of a timer cannot return `{Self}`",
    label = "none of `()`, `Result<(), E>` and `Deferred<(), E>`",
    note = "end the closure with `;`, or with `Ok::<(), E>(())`"
)]
pub trait TimerResult: sealed::Sealed {
    /// The deferred to wait for, or the text of an error.
    #[doc(hidden)]
    fn outcome(self, reactor: &Reactor) -> TimerOutcome;
}

/// What came of a call, without its types.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "it is not for users")]
pub struct TimerOutcome(Result<Option<Deferred<(), Failed>>, String>);

impl TimerResult for () {
    fn outcome(self, _: &Reactor) -> TimerOutcome {
        TimerOutcome(Ok(None))
    }
}

impl<E: Display> TimerResult for Result<(), E> {
    fn outcome(self, _: &Reactor) -> TimerOutcome {
        TimerOutcome(self.map(|()| None).map_err(|error| error.to_string()))
    }
}

impl<E: From<Failure> + Display + 'static> TimerResult for Deferred<(), E> {
    fn outcome(self, _: &Reactor) -> TimerOutcome {
        let untyped = self.map(|result| result.map_err(|error| Failed(error.to_string())));
        TimerOutcome(Ok(Some(untyped)))
    }
}

impl TimerService {
    /// A service that calls `f` every `interval`, which must not be zero.
    pub fn new<R: TimerResult>(
        interval: Duration,
        mut f: impl FnMut(&Reactor) -> R + 'static,
    ) -> Self {
        let call: Call = Box::new(move |reactor| match f(reactor).outcome(reactor).0 {
            Ok(pending) => pending,
            Err(error) => {
                log(&Failed(error));
                None
            }
        });
        let inner = Inner {
            interval,
            call: RefCell::new(call),
            series: RefCell::default(),
            is_pending: Cell::new(false),
            calls: Cell::new(0),
            stopping: RefCell::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// How often the function was called, since the service was made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner.calls.get()
    }

    /// Whether it was started, and neither stopped nor ended by a panic of the function.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let series = self.inner.series.borrow();
        series.as_ref().is_some_and(LoopingCall::is_active)
    }
}

fn log(error: &Failed) {
    tracing::error!(%error, "the function of a timer failed; it will be called again");
}

impl Service for TimerService {
    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let inner = &self.inner;
        if inner.interval.is_zero() {
            return Err(StartError::other("the interval of a timer must be longer than zero"));
        }
        if self.is_running() {
            return Err(StartError::AlreadyStarted);
        }
        // A call that was pending when an earlier run of the reactor ended has no result any more.
        inner.is_pending.set(false);
        let ticking = inner.clone();
        let series = reactor.call_every(inner.interval, move |reactor| ticking.tick(reactor));
        inner.series.replace(Some(series.clone()));
        let first = inner.clone();
        reactor.call_soon(move |reactor| {
            if !series.is_active() {
                return;
            }
            let tick = || first.clone().tick(reactor);
            if reactor.guard(|| "the function of a timer".to_owned(), tick).is_err() {
                series.stop();
            }
        });
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let inner = &self.inner;
        let series = inner.series.take();
        if let Some(series) = series {
            series.stop();
        }
        if inner.is_pending.get() {
            inner.stopping.borrow_mut().push(promise);
        } else {
            promise.resolve(());
        }
        stopped
    }
}

impl Inner {
    fn tick(self: &Rc<Self>, reactor: &Reactor) {
        if self.is_pending.get() {
            return;
        }
        self.calls.set(self.calls.get() + 1);
        // Only the loop calls it, so it is not borrowed twice.
        let pending = (self.call.borrow_mut())(reactor);
        let Some(pending) = pending else { return };
        self.is_pending.set(true);
        let inner = self.clone();
        pending.then(move |_, result| {
            if let Err(error) = result {
                log(&error);
            }
            inner.is_pending.set(false);
            let waiting = mem::take(&mut *inner.stopping.borrow_mut());
            waiting.into_iter().for_each(|promise| promise.resolve(()));
        });
    }
}

impl fmt::Debug for TimerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerService")
            .field("interval", &self.inner.interval)
            .field("running", &self.is_running())
            .field("calls", &self.calls())
            .finish()
    }
}
