//! A run: [`Reactor::run`], and what stops it. How everything is brought to its end is in `shutdown.rs`.

use std::{
    future::Future,
    rc::{Rc, Weak},
    time::Duration,
};

use crate::{Failure, NotRunning, Phase, Reactor, RunError, WeakReactor, run_state::Entered};

/// Lies in the future of `run_until`, and stops the loop when that is done or has panicked.
struct StopAtEnd {
    reactor: WeakReactor,
    /// Gone when the call of `run_until` has returned.
    call: Weak<()>,
}

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        if let (1.., Some(reactor)) = (self.call.strong_count(), self.reactor.upgrade()) {
            let _ = reactor.stop();
        }
    }
}

impl Reactor {
    /// Runs the loop until [`stop`](Self::stop) is called or, on Unix, SIGINT or SIGTERM comes. Then the shutdown
    /// phases run, open connections are closed, and no handler, timer or task is left. It may be run again.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::Wait`] if the engine fails; [`RunError::InChild`] in a
    /// child of fork(2). On a simulated reactor
    /// [`RunError::NothingLeft`] where a real one would sleep for ever, and [`RunError::Driven`] if its time is not its own.
    pub fn run(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        if self.inner.driven.get() {
            return Err(RunError::Driven);
        }
        let entered = self.enter()?;
        self.inner.shared.set_ended(false);
        self.inner.wait_health.begin_run();
        #[cfg(unix)]
        self.watch_signals()?;
        self.fire(Phase::BeforeStartup);
        state.set_running(true);
        self.fire(Phase::AfterStartup);

        let mut turned = Ok(());
        while turned.is_ok() && !state.should_exit() {
            turned = self.turn_once(None);
        }
        // A callback may have forked, and its child come back here: what there is to end is the parent's.
        let goes_on = || !state.has_crashed() && !self.inner.home.is_left();
        if goes_on() {
            turned = turned.and(self.wait_for_triggers());
        }
        // The wait may have been ended by a crash.
        if goes_on() {
            self.shut_down();
        }
        #[cfg(unix)]
        self.unwatch_signals();
        drop(entered);
        if self.inner.home.is_left() { Err(RunError::InChild) } else { turned }
    }

    /// Runs the loop until `future` is done, then stops it and returns the future's value.
    ///
    /// # Errors
    ///
    /// [`RunError::Stopped`] if something else stopped the loop first (the future is dropped then), [`RunError::Failed`] if
    /// the future panicked; else as [`run`](Self::run).
    pub fn run_until<F>(&self, future: F) -> Result<F::Output, RunError>
    where
        F: Future<Output: 'static> + 'static,
    {
        if self.inner.state.is_entered() {
            self.defer_drop(future);
            return Err(RunError::AlreadyRunning);
        }
        let this_call = Rc::new(());
        let end = StopAtEnd { reactor: self.downgrade(), call: Rc::downgrade(&this_call) };
        let task = self.spawn(async move {
            let _end = end;
            future.await
        });
        let ran = self.run();
        // Should the loop have left without it, it is of no use to the next run.
        drop(this_call);
        self.cancel_task(task.id);
        let result = task.deferred.take();
        ran?;
        match result {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure @ Failure::Panicked(_))) => Err(failure.into()),
            _ => Err(RunError::Stopped),
        }
    }

    /// Runs one turn of the loop. If it finds something to do at once it does that, with what the kernel has ready by then,
    /// and returns; else it waits at most `max_wait` for something to happen (`None`: until it does). For embedding the
    /// reactor in another loop, and for tests; signals and life events belong to [`run`](Self::run). A
    /// [`stop`](Self::stop) made in the turn keeps it from waiting, and that is all.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&self, max_wait: Option<Duration>) -> Result<(), RunError> {
        let entered = self.enter()?;
        self.inner.shared.set_ended(false);
        self.inner.state.set_running(true);
        let max_wait = if self.inner.is_busy() { Some(Duration::ZERO) } else { max_wait };
        let turned = self.turn_once(max_wait);
        drop(entered);
        turned
    }

    /// Asks the loop to stop: the current turn is finished, then the shutdown phases run. Returns at once. Calls, timers
    /// and tasks that wait are dropped. Made once more while triggers of [`Phase::BeforeShutdown`] are waited for, this
    /// ends their wait.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if the reactor does not run, or was asked to stop already.
    pub fn stop(&self) -> Result<(), NotRunning> {
        let state = &self.inner.state;
        if !state.is_running() || !state.ask_stop() {
            return Err(NotRunning);
        }
        Ok(())
    }

    /// Asks the loop to leave [`run`](Self::run) after this turn without any shutdown: connections, timers and tasks
    /// stay as they are and go on if it is run again.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if the reactor does not run.
    pub fn crash(&self) -> Result<(), NotRunning> {
        if !self.inner.state.is_running() {
            return Err(NotRunning);
        }
        self.inner.state.ask_crash();
        Ok(())
    }

    /// Whether the loop runs: from [`Phase::AfterStartup`] on, until [`Phase::DuringShutdown`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.state.is_running()
    }

    pub(crate) fn enter(&self) -> Result<Entered<'_>, RunError> {
        if self.inner.home.is_left() {
            return Err(RunError::InChild);
        }
        let entered = self.inner.state.enter(&self.inner.clock);
        let entered = entered.ok_or(RunError::AlreadyRunning)?;
        self.start_callback_timer();
        Ok(entered)
    }
}
