//! Wraps every call of user code: catches panics and reports slow callbacks.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{Excerpt, Reactor};

/// A panic that was caught.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Excerpt::new(.message))]
pub struct Panicked {
    /// The panic's message.
    pub message: String,
}

crate::error_debug!(Panicked);

/// # For authors of transports
impl Reactor {
    /// Calls user code from the loop. A panic in it is caught and logged; a call that takes longer than
    /// [`Builder::slow_callback`](crate::Builder::slow_callback) is logged too. For handlers that call more than one
    /// user object; the loop guards the methods of [`Handler`](crate::Handler) itself.
    ///
    /// # Errors
    ///
    /// [`Panicked`] if `f` panicked.
    pub fn guard<R>(
        &self,
        what: impl Fn() -> String,
        f: impl FnOnce() -> R,
    ) -> Result<R, Panicked> {
        if !self.inner.state.is_entered() {
            // Outside of the loop nothing has started the callback timer.
            self.start_callback_timer();
        }
        // Unwind safety: what `f` owns is dropped by the unwinding; what it borrows belongs to the object that
        // panicked, whose only further callback is its end.
        let result = catch_unwind(AssertUnwindSafe(f));
        self.record_callback(&what);
        result.map_err(|panic| self.contained(&what, panic))
    }

    /// Counts and logs a panic that was caught.
    #[cold]
    pub(crate) fn contained(
        &self,
        what: &dyn Fn() -> String,
        panic: Box<dyn Any + Send>,
    ) -> Panicked {
        let message = into_message(panic);
        self.inner.meter.panics.add(1);
        let shown = Excerpt::new(&message);
        tracing::error!(what = name(what), panic = ?shown, "a callback panicked");
        Panicked { message }
    }

    /// Ends the timing of a callback, which began when the previous one ended or when the poll returned, and reports it
    /// if slow.
    pub(crate) fn record_callback(&self, what: &dyn Fn() -> String) {
        let now = self.inner.clock.stopwatch();
        let took = now.saturating_sub(self.inner.callback_start.replace(now));
        if took >= self.inner.recorded_from {
            self.record_long(&name(what), took);
        }
    }

    #[cold]
    fn record_long(&self, what: &str, ns: u64) {
        let took = Duration::from_nanos(ns);
        self.inner.long_callbacks.borrow_mut().record(what, took);
        if ns < self.inner.settings.slow_callback {
            return;
        }
        self.inner.meter.slow_callbacks.add(1);
        let at = self.inner.clock.age();
        self.inner.long_callbacks.borrow_mut().record_slow(what, took, at);
        tracing::warn!(what, ?took, "a slow callback held up the loop");
    }

    /// Starts the callback timer: the loop is awake.
    pub(crate) fn start_callback_timer(&self) {
        self.inner.callback_start.set(self.inner.clock.stopwatch());
    }
}

/// Calls user code where there is no reactor to log for: on other threads.
pub(crate) fn contain<R>(f: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| Panicked { message: into_message(panic) })
}

/// The name of the callback for logs. Naming runs user code, too.
#[cold]
fn name(what: &dyn Fn() -> String) -> String {
    contain(what).unwrap_or_else(|_| "an object whose description panics".to_owned())
}

/// The message of a panic payload, if it is a string.
#[cold]
fn into_message(panic: Box<dyn Any + Send>) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    // The payload may panic when it is dropped; the payload of that second panic is leaked.
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
        mem::forget(second);
    }
    message
}
