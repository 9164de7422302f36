//! Around every call of user code: a panic is contained, and a callback that takes too long is reported.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{Excerpt, Reactor};

/// A panic that was contained.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Excerpt::new(.message))]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

crate::error_debug!(Panicked);

/// # For authors of transports
impl Reactor {
    /// Calls user code from the loop: a panic in it is contained and logged, and if it takes longer than
    /// [`Builder::slow_callback`](crate::Builder::slow_callback) that is logged too. For writers of handlers that call
    /// more than one user object; the loop guards the methods of [`Handler`](crate::Handler) itself.
    ///
    /// # Errors
    ///
    /// [`Panicked`] if `f` did.
    pub fn guard<R>(
        &self,
        what: impl Fn() -> String,
        f: impl FnOnce() -> R,
    ) -> Result<R, Panicked> {
        if !self.inner.state.is_entered() {
            // Outside of the loop nobody has started the watch.
            self.start_callback_timer();
        }
        // What `f` has in hand is either dropped by the unwinding or owned by the object that panicked, which gets no
        // other callback but its end.
        let result = catch_unwind(AssertUnwindSafe(f));
        self.callback_timer(&what);
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

    /// The callback that ends now began when the last one ended, or when the poll did.
    pub(crate) fn callback_timer(&self, what: &dyn Fn() -> String) {
        let now = self.inner.clock.stopwatch();
        let took = now.saturating_sub(self.inner.callback_timer.replace(now));
        if took >= self.inner.settings.slow_callback {
            self.report_slow(&name(what), Duration::from_nanos(took));
        }
    }

    #[cold]
    fn report_slow(&self, what: &str, took: Duration) {
        self.inner.meter.slow_callbacks.add(1);
        tracing::warn!(what, ?took, "a slow callback held up the loop");
    }

    /// Starts the watch: the loop is awake.
    pub(crate) fn start_callback_timer(&self) {
        self.inner.callback_timer.set(self.inner.clock.stopwatch());
    }
}

/// Calls user code where there is no reactor to log for: on other threads.
pub(crate) fn contain<R>(f: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| Panicked { message: into_message(panic) })
}

/// What ran; the name is made by user code, too.
#[cold]
fn name(what: &dyn Fn() -> String) -> String {
    contain(what).unwrap_or_else(|_| "something that panics when asked for its name".to_owned())
}

/// What a panic said, if it said it in words.
#[cold]
fn into_message(panic: Box<dyn Any + Send>) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    // The payload is the user's and may panic when dropped; what comes of that is left alone.
    if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
        mem::forget(again);
    }
    message
}
