//! Shutdown: its phases, notifying all handlers, and freeing everything.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    mem,
    rc::Rc,
    time::Duration,
};

use crate::{Deferred, Failure, Killed, Phase, Reactor, RunError, Token, engine::NoKernel};

/// Rounds of notification at a shutdown: ending one handler may register another, but not forever.
const SHUTDOWN_ROUNDS_MAX: usize = 1_000;

impl Reactor {
    /// Fires the triggers of a phase and returns the number of deferreds to wait for.
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
            // The wait is over if it timed out; this may be the next run already.
            let Some(waiting) = waiting.upgrade() else { return };
            waiting.set(waiting.get() - 1);
            if waiting.get() == 0 {
                // Otherwise this turn would sleep in the poll.
                let _ = reactor.inner.state.request_stop();
            }
        });
    }

    /// Keeps turning until the BeforeShutdown triggers are done, their time is up, or a second `stop` or signal arrives.
    pub(crate) fn wait_for_triggers(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        let waiting = self.fire(Phase::BeforeShutdown);
        let max = self.inner.settings.shutdown_max;
        let end = self.inner.clock.precise().checked_add(max);
        state.acknowledge_stop();
        while waiting.get() > 0 && !state.should_exit() {
            let now = self.inner.clock.precise();
            let left = end.map(|end| end.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                tracing::warn!(
                    ?max,
                    "shutdown triggers did not finish in time; stopping without them"
                );
                break;
            }
            self.turn_once(left)?;
        }
        Ok(())
    }

    pub(crate) fn shut_down(&self) {
        self.inner.state.set_running(false);
        self.fire(Phase::DuringShutdown);
        self.notify_shutdown();
        self.fire(Phase::AfterShutdown);
        self.end();
    }

    /// Called when the last handle is dropped. Life-cycle phases belong to runs, so none is fired.
    #[cold]
    pub(crate) fn tear_down(&self) {
        let inner = &*self.inner;
        // A handler that is notified of its end here cannot run the reactor any more.
        let Some(_entered) = inner.state.enter(&inner.clock) else { return };
        let _wakeups = inner.enter_thread();
        self.start_callback_timer();
        if inner.is_forked_copy() {
            self.release_after_fork();
        } else {
            self.notify_shutdown();
        }
        self.end();
        self.inner.life.take_all().into_iter().for_each(|trigger| self.defer_drop(trigger));
        #[cfg(unix)]
        self.inner.signals.take_calls().into_iter().for_each(|call| self.defer_drop(call));
        self.clear();
        self.inner.locals.take().into_iter().for_each(|local| self.defer_drop(local));
        self.clear();
    }

    /// In a child of fork(2): everything here belongs to the parent, where it lives on. So no handler is notified, no
    /// call is made to the engine, and other threads, which do not exist in the child, are not awaited. Only the
    /// child's memory is freed, and its descriptors are closed.
    fn release_after_fork(&self) {
        let inner = &*self.inner;
        // An engine checks for a fork itself; from here on there is none.
        let engine = inner.poller.replace(Box::new(NoKernel));
        drop(engine);
        self.notify_killed();
        // Another thread may have held a queue's internal state when the process forked: emptying the queue, as a drop
        // does, could then block forever. So the state is leaked.
        mem::forget(self.inner.clone());
    }

    /// Has every handler release everything without notifying its user.
    pub(crate) fn notify_killed(&self) {
        let handlers = self.inner.registry.borrow().handlers();
        for handler in handlers {
            let what = || "a handler at the kill of its reactor".to_owned();
            let _ = self.guard(what, || handler.message_received(self, &Killed));
        }
    }

    /// Calls `shutdown` of every handler, including those registered meanwhile, and then `finalize` of those that
    /// requested it.
    fn notify_shutdown(&self) {
        let queues = &self.inner.queues;
        let mut notified = HashSet::new();
        for _ in 0..SHUTDOWN_ROUNDS_MAX {
            remove_duplicates(&queues.flush);
            self.call_queued(&queues.flush, |reactor, handler| handler.flush(reactor));
            let mut tokens = self.inner.registry.borrow().tokens();
            tokens.retain(|token| notified.insert(*token));
            if tokens.is_empty() && queues.finalize.borrow().is_empty() {
                return;
            }
            for token in tokens {
                self.call_handler(token, |handler| handler.shutdown(self));
            }
            remove_duplicates(&queues.finalize);
            self.call_queued(&queues.finalize, |reactor, handler| handler.finalize(reactor));
        }
    }

    /// Frees everything. No handler is left that could be notified.
    pub(crate) fn end(&self) {
        self.inner.shared.set_ended(true);
        self.stop_pool();
        #[cfg(unix)]
        self.unwatch_signals();
        self.clear();
    }

    /// Drops everything pending, until a round of drops adds nothing new. Nothing is borrowed meanwhile, since a drop
    /// may be user code.
    pub(crate) fn clear(&self) {
        let inner = &*self.inner;
        for _ in 0..SHUTDOWN_ROUNDS_MAX {
            let timers = inner.wheel.borrow_mut().drain();
            timers.into_iter().for_each(|timer| self.defer_drop(timer));
            let calls = mem::take(&mut *inner.soon.borrow_mut());
            calls.into_iter().for_each(|call| self.defer_drop(call));
            if !inner.is_forked_copy() {
                self.empty_inbox();
            }
            let tasks = inner.tasks.borrow_mut().take_all();
            tasks.into_iter().for_each(|task| self.defer_drop(task));
            let tokens = inner.registry.borrow().tokens();
            tokens.into_iter().for_each(|token| self.deregister(token, false));
            for queue in [&inner.queues.flush, &inner.queues.rescheduled, &inner.queues.finalize] {
                queue.take();
            }
            if inner.deferred_drops.borrow().is_empty() {
                return;
            }
            self.drop_deferred();
        }
    }

    fn empty_inbox(&self) {
        let inner = &*self.inner;
        while let Ok(call) = inner.inbox.calls.try_recv() {
            inner.shared.call_taken();
            self.defer_drop(call);
        }
        while inner.local_wakeups.pop().is_some() {}
        while inner.inbox.woken.try_recv().is_ok() {
            inner.shared.woken_taken();
        }
    }
}

/// Removes duplicates. Otherwise a handler that requests two calls in each call would double the queue in every round.
fn remove_duplicates(queue: &RefCell<Vec<Token>>) {
    let mut seen = HashSet::new();
    queue.borrow_mut().retain(|token| seen.insert(*token));
}
