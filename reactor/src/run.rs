//! A run from start to end: [`Reactor::run`], what stops it, and how everything is brought to its end.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    future::Future,
    mem,
    rc::{Rc, Weak},
    time::Duration,
};

use crate::{
    Deferred, Failure, NotRunning, Phase, Reactor, RunError, Token, WeakReactor, reactor::Inner,
};

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
    pub(crate) fn is_entered(&self) -> bool {
        self.entered.get()
    }

    /// Whether the loop should come round without waiting.
    pub(crate) fn wants_out(&self) -> bool {
        self.stop.get() || self.crash.get()
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// The stop has been heard: from here on the flag stands for a second one, or for the last trigger being done.
    pub(crate) fn heard_stop(&self) {
        self.stop.set(false);
    }
}

/// While it lives, the reactor cannot be entered a second time.
pub(crate) struct Entered<'a>(&'a Inner);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.state.entered.set(false);
        self.0.state.running.set(false);
        self.0.clock.hold(false);
    }
}

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
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::Io`] if the engine fails. On a simulated reactor
    /// [`RunError::NothingLeft`] where a real one would sleep for ever, and [`RunError::Driven`] if its time is not its own.
    pub fn run(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        if self.inner.driven.get() {
            return Err(RunError::Driven);
        }
        let entered = self.enter()?;
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
        }
        // The wait may have been ended by a crash.
        if !state.crash.get() {
            self.shut_down();
        }
        #[cfg(unix)]
        self.unwatch_signals();
        drop(entered);
        turned
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
            self.discard(future);
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
        self.inner.state.running.set(true);
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

    pub(crate) fn enter(&self) -> Result<Entered<'_>, RunError> {
        let state = &self.inner.state;
        if state.entered.replace(true) {
            return Err(RunError::AlreadyRunning);
        }
        state.stop.set(false);
        state.crash.set(false);
        self.inner.clock.hold(true);
        self.start_lap();
        Ok(Entered(&self.inner))
    }

    /// Fires the triggers of a phase and counts what has to be waited for.
    pub(crate) fn fire(&self, phase: Phase) -> Rc<Cell<usize>> {
        let waiting = Rc::new(Cell::new(0));
        for trigger in self.inner.life.take(phase) {
            let result = self.guard(|| format!("a {phase:?} trigger"), || trigger(self));
            if let (Ok(Some(deferred)), Phase::BeforeShutdown) = (result, phase) {
                self.wait_for(deferred, &waiting);
            }
        }
        waiting
    }

    fn wait_for(&self, deferred: Deferred<()>, waiting: &Rc<Cell<usize>>) {
        fn done(result: Result<(), Failure>) {
            if let Err(error) = result {
                tracing::error!(%error, "a BeforeShutdown trigger failed");
            }
        }
        if let Some(result) = deferred.take() {
            return done(result);
        }
        waiting.set(waiting.get() + 1);
        let waiting = Rc::downgrade(waiting);
        deferred.then(move |reactor, result| {
            done(result);
            // Nobody waits any more if time was up; this may well be the next run.
            let Some(waiting) = waiting.upgrade() else { return };
            waiting.set(waiting.get() - 1);
            if waiting.get() == 0 {
                // Or this turn would sleep through it.
                reactor.inner.state.stop.set(true);
            }
        });
    }

    /// Goes on turning until the BeforeShutdown triggers are done, their time is up, or a second `stop` or signal comes.
    fn wait_for_triggers(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        let waiting = self.fire(Phase::BeforeShutdown);
        let max = self.inner.settings.shutdown_max;
        let end = self.inner.clock.precise().checked_add(max);
        state.heard_stop();
        while waiting.get() > 0 && !state.wants_out() {
            let now = self.inner.clock.precise();
            let left = end.map(|end| end.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                tracing::warn!(?max, "shutdown triggers are not done; stopping without them");
                break;
            }
            self.turn_once(left)?;
        }
        Ok(())
    }

    pub(crate) fn shut_down(&self) {
        self.inner.state.running.set(false);
        self.fire(Phase::DuringShutdown);
        self.tell_ends();
        self.fire(Phase::AfterShutdown);
        self.end();
    }

    /// What dropping the last handle does. Life events are those of runs, so none is fired.
    pub(crate) fn tear_down(&self) {
        // Whoever is told of its end now cannot run the reactor any more.
        let Ok(_entered) = self.enter() else { return };
        self.tell_ends();
        self.end();
        self.inner.life.take_all().into_iter().for_each(|trigger| self.discard(trigger));
        #[cfg(unix)]
        self.inner.signals.take_calls().into_iter().for_each(|call| self.discard(call));
        self.clear();
        self.inner.locals.take().into_iter().for_each(|local| self.discard(local));
        self.clear();
    }

    /// Tells every handler that the reactor stops, also those that come while others are told, and delivers the ends.
    fn tell_ends(&self) {
        let queues = &self.inner.queues;
        let mut told = HashSet::new();
        for _ in 0..REAP_ROUNDS_MAX {
            name_once(&queues.flush);
            self.call_queued(&queues.flush, |reactor, handler| handler.flush(reactor));
            let mut tokens = self.inner.registry.borrow().tokens();
            tokens.retain(|token| told.insert(*token));
            if tokens.is_empty() && queues.reap.borrow().is_empty() {
                return;
            }
            for token in tokens {
                self.call_handler(token, |handler| handler.shutdown(self));
            }
            name_once(&queues.reap);
            self.call_queued(&queues.reap, |reactor, handler| handler.reap(reactor));
        }
    }

    /// Nobody is left who could hear of anything: frees everything.
    pub(crate) fn end(&self) {
        self.inner.shared.set_ended(true);
        self.stop_pool();
        #[cfg(unix)]
        self.unwatch_signals();
        self.clear();
    }

    /// Drops what waits, until dropping brings nothing new. Nothing is borrowed meanwhile, for a drop may be user code.
    pub(crate) fn clear(&self) {
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

/// Takes out what is named twice, or a handler that asks twice each time it is called would ask for ever more.
fn name_once(queue: &RefCell<Vec<Token>>) {
    let mut named = HashSet::new();
    queue.borrow_mut().retain(|token| named.insert(*token));
}
