//! A run from start to end: [`Reactor::run`], what stops it, and how everything is brought to its end.

use std::{cell::Cell, future::Future, io, mem, rc::Rc, time::Duration};

use crate::{NotRunning, Phase, Reactor, RunError};

/// Rounds of telling ends at a shutdown: an end may cause another, but not for ever.
const REAP_ROUNDS_MAX: usize = 1_000;

/// Where in its life a reactor is.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// In `run` or `turn`.
    entered: Cell<bool>,
    /// As `is_running` tells.
    running: Cell<bool>,
    stop: Cell<bool>,
    crash: Cell<bool>,
}

impl RunState {
    /// Whether the loop should come round without waiting.
    pub(crate) fn wants_out(&self) -> bool {
        self.stop.get() || self.crash.get()
    }
}

/// While it lives, the reactor cannot be entered a second time.
struct Entered<'a>(&'a RunState);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.entered.set(false);
        self.0.running.set(false);
    }
}

impl Reactor {
    /// Runs the loop until [`stop`](Self::stop) is called or, on Unix, SIGINT or SIGTERM comes. Then the shutdown
    /// phases run, open connections are closed, and no handler, timer or task is left. It may be run again.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::Io`] if the engine fails.
    pub fn run(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        let entered = self.enter()?;
        state.stop.set(false);
        state.crash.set(false);
        self.inner.shared.set_ended(false);
        #[cfg(unix)]
        self.watch_signals()?;
        self.fire(Phase::BeforeStartup);
        state.running.set(true);
        self.fire(Phase::AfterStartup);

        let mut turned = Ok(());
        while turned.is_ok() && !state.wants_out() {
            turned = self.turn_once(None);
        }
        if !state.crash.get() {
            turned = turned.and(self.wait_for_triggers());
            self.shut_down();
        }
        #[cfg(unix)]
        self.unwatch_signals();
        drop(entered);
        turned.map_err(RunError::Io)
    }

    /// Runs the loop until `future` is done, then stops it and returns the future's value.
    ///
    /// # Errors
    ///
    /// [`RunError::Stopped`] if something else stopped the loop first; else as [`run`](Self::run).
    pub fn run_until<F>(&self, future: F) -> Result<F::Output, RunError>
    where
        F: Future<Output: 'static> + 'static,
    {
        if self.inner.state.entered.get() {
            return Err(RunError::AlreadyRunning);
        }
        let result = Rc::new(Cell::new(None));
        let slot = result.clone();
        let task = self.spawn(future);
        task.then(move |reactor, value| {
            slot.set(Some(value));
            let _ = reactor.stop();
        });
        self.run()?;
        Ok(result.take().ok_or(RunError::Stopped)??)
    }

    /// Runs one turn of the loop, waiting at most `max_wait` for something to happen (`None`: until it does). For
    /// embedding the reactor in another loop, and for tests; signals and life events belong to [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn turn(&self, max_wait: Option<Duration>) -> Result<(), RunError> {
        let entered = self.enter()?;
        self.inner.state.running.set(true);
        let turned = self.turn_once(max_wait);
        drop(entered);
        Ok(turned?)
    }

    /// Asks the loop to stop: the current turn is finished, then the shutdown phases run. Returns at once.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if the reactor does not run, or was asked to stop already.
    pub fn stop(&self) -> Result<(), NotRunning> {
        let state = &self.inner.state;
        if !state.running.get() || state.stop.replace(true) {
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
        if !self.inner.state.running.get() {
            return Err(NotRunning);
        }
        self.inner.state.crash.set(true);
        Ok(())
    }

    /// Whether the loop runs: from [`Phase::AfterStartup`] on, until [`Phase::DuringShutdown`].
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.state.running.get()
    }

    fn enter(&self) -> Result<Entered<'_>, RunError> {
        let state = &self.inner.state;
        if state.entered.replace(true) {
            return Err(RunError::AlreadyRunning);
        }
        self.inner.clock.forget();
        self.start_lap();
        Ok(Entered(state))
    }

    /// Fires the triggers of a phase and counts what has to be waited for.
    fn fire(&self, phase: Phase) -> Rc<Cell<usize>> {
        let waiting = Rc::new(Cell::new(0));
        for trigger in self.inner.life.take(phase) {
            let result = self.guard(|| format!("a {phase:?} trigger"), || trigger(self));
            if let (Ok(Some(deferred)), Phase::BeforeShutdown) = (result, phase) {
                waiting.set(waiting.get() + 1);
                let waiting = waiting.clone();
                deferred.then(move |reactor, result| {
                    if let Err(error) = result {
                        tracing::error!(%error, "a BeforeShutdown trigger failed");
                    }
                    waiting.set(waiting.get() - 1);
                    if waiting.get() == 0 {
                        // Or this turn would sleep through it.
                        reactor.inner.state.stop.set(true);
                    }
                });
            }
        }
        waiting
    }

    /// Goes on turning until the BeforeShutdown triggers are done, their time is up, or a second `stop` or signal comes.
    fn wait_for_triggers(&self) -> io::Result<()> {
        let state = &self.inner.state;
        let waiting = self.fire(Phase::BeforeShutdown);
        let max = self.inner.settings.shutdown_max;
        let end = self.inner.clock.precise() + max;
        // The stop has been heard: from here on the flag stands for a second one, or for the last trigger being done.
        state.stop.set(false);
        while waiting.get() > 0 && !state.wants_out() {
            let left = end.saturating_duration_since(self.inner.clock.precise());
            if left.is_zero() {
                tracing::warn!(?max, "shutdown triggers are not done; stopping without them");
                break;
            }
            self.turn_once(Some(left))?;
        }
        Ok(())
    }

    /// The end of a run: every handler is told, every end is delivered, everything is freed.
    fn shut_down(&self) {
        self.inner.state.running.set(false);
        self.fire(Phase::DuringShutdown);
        self.call_queued(&self.inner.queues.flush, |reactor, handler| handler.flush(reactor));
        let tokens = self.inner.registry.borrow().tokens();
        for token in tokens {
            self.call_handler(token, |handler| handler.shutdown(self));
        }
        self.deliver_ends();
        self.fire(Phase::AfterShutdown);
        self.inner.shared.set_ended(true);
        self.inner.pool.stop(self.inner.settings.pool_grace);
        #[cfg(unix)]
        self.unwatch_signals();
        self.clear();
    }

    /// What dropping the last handle does.
    pub(crate) fn tear_down(&self) {
        // Whoever is told of its end now cannot run the reactor any more.
        let Ok(_entered) = self.enter() else { return };
        self.shut_down();
        self.inner.life.take_all().into_iter().for_each(|trigger| self.discard(trigger));
        #[cfg(unix)]
        self.inner.signals.take_calls().into_iter().for_each(|call| self.discard(call));
        self.bury();
    }

    fn deliver_ends(&self) {
        for _ in 0..REAP_ROUNDS_MAX {
            let tokens = self.inner.queues.reap.take();
            if tokens.is_empty() {
                return;
            }
            for token in tokens {
                self.call_handler(token, |handler| handler.reap(self));
            }
        }
    }

    /// Drops what waits, until dropping brings nothing new. Nothing is borrowed meanwhile, for a drop may be user code.
    fn clear(&self) {
        let inner = &*self.inner;
        for _ in 0..REAP_ROUNDS_MAX {
            let timers = inner.wheel.borrow_mut().drain();
            timers.into_iter().for_each(|timer| self.discard(timer));
            let calls = mem::take(&mut *inner.soon.borrow_mut());
            calls.into_iter().for_each(|call| self.discard(call));
            while let Ok(call) = inner.inbox.calls.try_recv() {
                inner.shared.taken();
                self.discard(call);
            }
            while inner.inbox.woken.try_recv().is_ok() {}
            let tasks = inner.tasks.borrow_mut().take_all();
            tasks.into_iter().for_each(|task| self.discard(task));
            let tokens = inner.registry.borrow().tokens();
            tokens.into_iter().for_each(|token| self.deregister(token, false));
            for queue in [&inner.queues.flush, &inner.queues.again, &inner.queues.reap] {
                queue.take();
            }
            if inner.graveyard.borrow().is_empty() {
                return;
            }
            self.bury();
        }
    }
}
