//! A run of the loop: [`Reactor::run`], and what stops it. Shutting everything down is in `shutdown.rs`.

use std::{
    future::Future,
    rc::{Rc, Weak},
    time::Duration,
};

use crate::{
    Failure, NotRunning, Phase, Reactor, RunError, WeakReactor, local_wakeups::EnteredThread,
    reactor::Inner, run_state::Entered,
};

/// Held by the future of `run_until`: stops the loop when that future completes or panics.
struct StopAtEnd {
    reactor: WeakReactor,
    /// Dropped when the call of `run_until` returns.
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
    /// Runs the loop until [`stop`](Self::stop) is called or, on Unix, SIGINT or SIGTERM arrives. Then the shutdown
    /// phases run, open connections are closed, and no handler, timer or task is left. A reactor can be run several
    /// times.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::Wait`] if the engine fails;
    /// [`RunError::InChild`] in a child of fork(2). On a simulated reactor, [`RunError::NothingLeft`] where a real one
    /// would sleep forever, and [`RunError::Driven`] if a driver controls its time.
    pub fn run(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        if self.inner.driven.get() {
            return Err(RunError::Driven);
        }
        let entered = self.enter()?;
        let _wakeups = self.inner.enter_thread();
        self.inner.shared.set_ended(false);
        self.inner.wait_failures.reset();
        #[cfg(unix)]
        self.watch_signals()?;
        self.fire(Phase::BeforeStartup);
        state.set_running(true);
        self.fire(Phase::AfterStartup);

        let mut turned = Ok(());
        while turned.is_ok() && !state.should_exit() {
            turned = self.turn_once(None);
        }
        // A callback may have forked, and its child may return here: all that could be shut down is the parent's.
        let must_shut_down = || !state.has_crashed() && !self.inner.fork_epoch.is_in_child();
        if must_shut_down() {
            turned = turned.and(self.wait_for_triggers());
        }
        // The wait may have been ended by a crash.
        if must_shut_down() {
            self.shut_down();
        }
        #[cfg(unix)]
        self.unwatch_signals();
        drop(entered);
        if self.inner.fork_epoch.is_in_child() { Err(RunError::InChild) } else { turned }
    }

    /// Runs the loop until `future` completes, then stops it and returns the future's output.
    ///
    /// # Errors
    ///
    /// [`RunError::Stopped`] if something else stopped the loop first (the future is dropped then), [`RunError::Failed`] if
    /// the future panicked; otherwise as [`run`](Self::run).
    #[track_caller]
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
        // If the loop stopped before the future completed, do not leave the future to the next run.
        drop(this_call);
        self.cancel_task(task.running.id);
        let result = task.deferred.take();
        ran?;
        match result {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure @ Failure::Panicked(_))) => Err(failure.into()),
            _ => Err(RunError::Stopped),
        }
    }

    /// Runs one turn of the loop. If there is work, does it, together with the events that are ready by then, and
    /// returns. Otherwise waits at most `max_wait` for an event (`None`: without limit). For embedding the reactor in
    /// another loop, and for tests. Signals and life-cycle phases belong to [`run`](Self::run). A [`stop`](Self::stop)
    /// called in the turn keeps it from waiting and has no other effect.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&self, max_wait: Option<Duration>) -> Result<(), RunError> {
        let entered = self.enter()?;
        // Without tasks, a single turn need not prepare for their wakeups.
        let has_tasks = self.inner.tasks.borrow().len() > 0;
        let _wakeups = has_tasks.then(|| self.inner.enter_thread());
        self.inner.shared.set_ended(false);
        self.inner.state.set_running(true);
        let max_wait = if self.inner.is_busy() { Some(Duration::ZERO) } else { max_wait };
        let turned = self.turn_once(max_wait);
        drop(entered);
        turned
    }

    /// Asks the loop to stop: the current turn is finished, then the shutdown phases run. Returns at once. Queued
    /// calls, timers and tasks are dropped. Called once more while the loop waits for triggers of
    /// [`Phase::BeforeShutdown`], it ends that wait.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if the reactor does not run, or is stopping already.
    pub fn stop(&self) -> Result<(), NotRunning> {
        let state = &self.inner.state;
        if !state.is_running() || !state.request_stop() {
            return Err(NotRunning);
        }
        Ok(())
    }

    /// Asks the loop to leave [`run`](Self::run) after this turn without a shutdown: connections, timers and tasks
    /// stay as they are and resume with the next run.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if the reactor does not run.
    pub fn crash(&self) -> Result<(), NotRunning> {
        if !self.inner.state.is_running() {
            return Err(NotRunning);
        }
        self.inner.state.request_crash();
        Ok(())
    }

    /// Whether the loop is running: from [`Phase::AfterStartup`] until [`Phase::DuringShutdown`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.state.is_running()
    }

    /// Whether the current run, or turn, is to end because [`stop`](Self::stop) was called or a stop signal arrived. Stays
    /// `false` if the run ends with an error.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.state.is_entered() && self.inner.state.is_stopping()
    }

    #[inline]
    pub(crate) fn enter(&self) -> Result<Entered<'_>, RunError> {
        if self.inner.fork_epoch.is_in_child() {
            return Err(RunError::InChild);
        }
        let entered = self.inner.state.enter(&self.inner.clock);
        let entered = entered.ok_or(RunError::AlreadyRunning)?;
        self.start_callback_timer();
        Ok(entered)
    }
}

impl Inner {
    /// Until the guard is dropped, wakeups of this reactor's tasks on this thread take the queue without atomics.
    pub(crate) fn enter_thread(&self) -> EnteredThread {
        self.local_wakeups.enter(&self.shared)
    }
}
