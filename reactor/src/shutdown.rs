//! How everything is brought to its end: the phases of a shutdown, the ends that are told, and what is freed.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    mem,
    rc::Rc,
    time::Duration,
};

use crate::{Deferred, Failure, Killed, Phase, Reactor, RunError, Token, engine::NoKernel};

/// Rounds of telling ends at a shutdown: an end may cause another, but not for ever.
const REAP_ROUNDS_MAX: usize = 1_000;

impl Reactor {
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
                let _ = reactor.inner.state.ask_stop();
            }
        });
    }

    /// Goes on turning until the BeforeShutdown triggers are done, their time is up, or a second `stop` or signal comes.
    pub(crate) fn wait_for_triggers(&self) -> Result<(), RunError> {
        let state = &self.inner.state;
        let waiting = self.fire(Phase::BeforeShutdown);
        let max = self.inner.settings.shutdown_max;
        let end = self.inner.clock.precise().checked_add(max);
        state.stop_noticed();
        while waiting.get() > 0 && !state.should_exit() {
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
        self.inner.state.set_running(false);
        self.fire(Phase::DuringShutdown);
        self.notify_shutdown();
        self.fire(Phase::AfterShutdown);
        self.end();
    }

    /// What dropping the last handle does. Life events are those of runs, so none is fired.
    pub(crate) fn tear_down(&self) {
        let inner = &*self.inner;
        // Whoever is told of its end now cannot run the reactor any more.
        let Some(_entered) = inner.state.enter(&inner.clock) else { return };
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

    /// In a child of fork(2): all this is the parent's, and lives on there. So nobody is told of an end, the kernel is told
    /// nothing, and other threads, which the child has not got, are not waited for. What is dropped is the child's memory, and
    /// what is closed are its descriptors.
    fn release_after_fork(&self) {
        let inner = &*self.inner;
        // An engine asks first, too. From here on there is none.
        let engine = inner.poller.replace(Box::new(NoKernel));
        drop(engine);
        self.notify_killed();
        // Somebody may have been in the midst of putting something into a queue when the process forked: whoever empties it,
        // as a drop does, would wait for that for ever.
        mem::forget(self.inner.clone());
    }

    /// Has every handler let go of everything without a word.
    pub(crate) fn notify_killed(&self) {
        let handlers = self.inner.registry.borrow().handlers();
        for handler in handlers {
            let what = || "a handler that is killed".to_owned();
            let _ = self.guard(what, || handler.message_received(self, &Killed));
        }
    }

    /// Tells every handler that the reactor stops, also those that come while others are told, and delivers the ends.
    fn notify_shutdown(&self) {
        let queues = &self.inner.queues;
        let mut told = HashSet::new();
        for _ in 0..REAP_ROUNDS_MAX {
            name_once(&queues.flush);
            self.call_queued(&queues.flush, |reactor, handler| handler.flush(reactor));
            let mut tokens = self.inner.registry.borrow().tokens();
            tokens.retain(|token| told.insert(*token));
            if tokens.is_empty() && queues.finalize.borrow().is_empty() {
                return;
            }
            for token in tokens {
                self.call_handler(token, |handler| handler.shutdown(self));
            }
            name_once(&queues.finalize);
            self.call_queued(&queues.finalize, |reactor, handler| handler.finalize(reactor));
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
            for queue in [&inner.queues.flush, &inner.queues.again, &inner.queues.finalize] {
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
            inner.shared.taken();
            self.defer_drop(call);
        }
        while inner.inbox.woken.try_recv().is_ok() {
            inner.shared.woken_taken();
        }
    }
}

/// Takes out what is named twice, or a handler that asks twice each time it is called would ask for ever more.
fn name_once(queue: &RefCell<Vec<Token>>) {
    let mut named = HashSet::new();
    queue.borrow_mut().retain(|token| named.insert(*token));
}
