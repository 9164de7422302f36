//! Lifecycle triggers: callbacks before and after startup and shutdown, in phases. The order of a run is in `run.rs`.

use std::{cell::RefCell, fmt};

use crate::{Deferred, Reactor};

/// A phase of a run.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::{Phase, Reactor};
///
/// let reactor = Reactor::new()?;
/// reactor.on(Phase::AfterStartup, |reactor| {
///     println!("ready");
///     let _ = reactor.stop();
/// });
/// // The shutdown waits until the deferred is settled: time to finish work in progress.
/// reactor.on(Phase::BeforeShutdown, |reactor| {
///     let (promise, finished) = reactor.promise();
///     reactor.call_later(Duration::from_millis(5), |_| promise.resolve(()));
///     finished
/// });
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// `run` was called; no turn has begun and [`Reactor::is_running`] is `false`.
    BeforeStartup,
    /// The first turn is about to begin.
    AfterStartup,
    /// `stop` was called; everything still works. A trigger may return a [`Deferred`]: the loop keeps running until it is
    /// settled, at most for [`Builder::shutdown_max`](crate::Builder::shutdown_max). The place to drain connections.
    BeforeShutdown,
    /// The remaining connections are about to be closed.
    DuringShutdown,
    /// `connection_lost` has been called on every connection.
    AfterShutdown,
}

type TriggerCall = Box<dyn FnOnce(&Reactor) -> Option<Deferred<()>>>;

/// The triggers whose phase has not been reached.
#[derive(Default)]
pub(crate) struct Triggers {
    triggers: RefCell<Vec<(Phase, TriggerCall)>>,
}

impl Triggers {
    /// Removes and returns the triggers of a phase, in the order in which they were added.
    pub(crate) fn take(&self, phase: Phase) -> Vec<TriggerCall> {
        let mut triggers = self.triggers.borrow_mut();
        let (due, rest): (Vec<_>, Vec<_>) = triggers.drain(..).partition(|(at, _)| *at == phase);
        *triggers = rest;
        due.into_iter().map(|(_, call)| call).collect()
    }

    pub(crate) fn take_all(&self) -> Vec<(Phase, TriggerCall)> {
        self.triggers.take()
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Triggers").field("triggers", &self.triggers.borrow().len()).finish()
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for crate::Deferred<()> {}
}

/// The return value of a trigger: nothing, or a [`Deferred`] that is awaited in [`Phase::BeforeShutdown`].
#[diagnostic::on_unimplemented(
    message = "a trigger cannot return `{Self}`",
    label = "neither `()` nor a `Deferred<()>`",
    note = "end the closure with `;`, or return a `Deferred<()>`, which is waited for before the shutdown"
)]
pub trait TriggerResult: sealed::Sealed {
    /// The deferred to await.
    #[doc(hidden)]
    fn into_deferred(self) -> Option<Deferred<()>>;
}

impl TriggerResult for () {
    fn into_deferred(self) -> Option<Deferred<()>> {
        None
    }
}

impl TriggerResult for Deferred<()> {
    fn into_deferred(self) -> Option<Deferred<()>> {
        Some(self)
    }
}

impl Reactor {
    /// Has `f` called once, when the run reaches `phase`. Triggers of a phase run in the order in which they were
    /// added; a panic in one is logged and does not stop the others. A trigger that is added after its phase has begun
    /// runs in the next run.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_reactor::{Phase, Reactor};
    ///
    /// let reactor = Reactor::new()?;
    /// reactor.on(Phase::AfterStartup, |reactor| {
    ///     let _ = reactor.stop();
    /// });
    /// // Wait for a last job before the connections are closed.
    /// reactor.on(Phase::BeforeShutdown, |reactor| reactor.defer_to_thread(|| ()));
    /// reactor.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on<R: TriggerResult>(&self, phase: Phase, f: impl FnOnce(&Self) -> R + 'static) {
        let call: TriggerCall = Box::new(|reactor| f(reactor).into_deferred());
        self.inner.life.triggers.borrow_mut().push((phase, call));
    }
}
