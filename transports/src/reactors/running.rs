//! The owner of reactors that run: [`RunningReactors`].

use std::{fmt, ops::Deref, panic::resume_unwind, thread::JoinHandle};

use sinew_reactor::Stats;

use super::{ReactorsHandle, ShardFailure};

/// Reactors that run on threads of their own, from [`Reactors::start`](super::Reactors::start). Dropping this stops them
/// without a drain, and waits for that. Dereferences to a [`ReactorsHandle`].
#[must_use = "dropping it stops the reactors"]
pub struct RunningReactors {
    handle: ReactorsHandle,
    /// The supervisor; `None` once it was waited for.
    supervisor: Option<JoinHandle<Result<Stats, ShardFailure>>>,
}

impl RunningReactors {
    pub(super) const fn new(
        handle: ReactorsHandle,
        supervisor: JoinHandle<Result<Stats, ShardFailure>>,
    ) -> Self {
        Self { handle, supervisor: Some(supervisor) }
    }

    /// The handle for other threads.
    #[must_use]
    pub const fn handle(&self) -> &ReactorsHandle {
        &self.handle
    }

    /// Waits until all have ended, and returns their counters. Does not stop them.
    ///
    /// # Errors
    ///
    /// [`ShardFailure`] if they were stopped because one had failed.
    pub fn join(mut self) -> Result<Stats, ShardFailure> {
        match self.supervisor.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            // A bug of ours, which must not pass for a clean end.
            Some(Err(panic)) => resume_unwind(panic),
            None => Ok(Stats::default()),
        }
    }

    /// Lets the reactors run on by themselves: nothing waits for their end, except the process if it lives that long.
    pub fn detach(mut self) -> ReactorsHandle {
        self.supervisor.take();
        self.handle.clone()
    }
}

impl Drop for RunningReactors {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            let _ = self.handle.stop_now();
            let _ = supervisor.join();
        }
    }
}

impl Deref for RunningReactors {
    type Target = ReactorsHandle;

    fn deref(&self) -> &ReactorsHandle {
        &self.handle
    }
}

impl fmt::Debug for RunningReactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningReactors").field("count", &self.count()).finish_non_exhaustive()
    }
}
