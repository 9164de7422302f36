//! One turn of the loop, on one screen, and nothing else.

use std::time::Duration;

use crate::{Reactor, RunError, handler::TimerKey, reactor::Inner, timer::TimerPayload};

/// Timers run in one turn; what is left runs in the next, after a poll that does not wait.
const TIMERS_PER_TURN: usize = 100_000;

/// Cancelled timers dropped under one guard: few enough that it still tells who is slow.
const DROPS_PER_GUARD: usize = 32;

impl Reactor {
    pub(crate) fn turn_once(&self, max_wait: Option<Duration>) -> Result<(), RunError> {
        let inner = &*self.inner;
        inner.meter.turns.add(1);
        let began = inner.callback_timer.get();
        inner.clock.forget();
        inner.mark_due();

        // 1. Calls that are present at the start: from threads, then call_soon. What they call for runs next turn.
        let present = inner.soon.borrow().len();
        for _ in 0..inner.shared.calls_waiting() {
            let Ok(call) = inner.inbox.calls.try_recv() else {
                break;
            };
            inner.shared.taken();
            self.make_call(call);
        }
        for _ in 0..present {
            let Some(call) = inner.soon.borrow_mut().pop_front() else {
                break;
            };
            self.make_call(call);
        }

        // 2. Timers that were due at the start. One of no delay that was made since then waits for the next turn.
        for _ in 0..TIMERS_PER_TURN {
            let due = inner.wheel.borrow_mut().pop_due();
            let Some((key, payload)) = due else { break };
            self.fire_timer(key, payload);
        }

        // 3. Tasks that were woken.
        for _ in 0..inner.shared.woken_waiting() {
            let Ok(task) = inner.inbox.woken.try_recv() else {
                break;
            };
            inner.shared.woken_taken();
            self.run_task(task);
        }

        // 4. Connections that were written to from elsewhere.
        self.call_queued(&inner.queues.flush, |reactor, handler| handler.flush(reactor));

        // 5. Poll: at once while work is left, else until the next timer.
        let mut events = inner.events.take();
        let before = inner.callback_timer.get().saturating_sub(began);
        let waited = inner.wait(max_wait, &mut events);
        inner.clock.forget();
        self.start_callback_timer();
        let woke = inner.callback_timer.get();

        // 6. Dispatch. A token whose handler went away in this turn finds nobody.
        inner.meter.events.add(events.len() as u64);
        self.dispatch(&events);
        events.clear();
        inner.events.replace(events);
        self.call_rescheduled();

        // 7. Reap: ends are told, slots freed, and what user code let go of is dropped.
        self.call_queued(&inner.queues.finalize, |reactor, handler| handler.finalize(reactor));
        self.drop_deferred();
        let took = before + inner.callback_timer.get().saturating_sub(woke);
        inner.meter.longest_turn.set(inner.meter.longest_turn.get().max(took));
        waited
    }

    fn make_call(&self, call: Box<dyn FnOnce(&Self) + '_>) {
        self.inner.meter.calls.add(1);
        let _ = self.guard(|| "a call".to_owned(), || call(self));
    }

    fn fire_timer(&self, key: TimerKey, payload: TimerPayload) {
        self.inner.meter.timers_fired.add(1);
        match payload {
            TimerPayload::Due(due) => {
                let what = due.what();
                let _ = self.guard(|| what.to_owned(), || due.fire(self));
            }
            TimerPayload::Handler(token) => {
                self.call_handler(token, |handler| handler.timer(self, key));
            }
        }
    }

    /// Drops what user code let go of.
    pub(crate) fn drop_deferred(&self) {
        if self.inner.wheel.borrow().has_retired() {
            self.drop_cancelled_timers();
        }
        if self.inner.deferred_drops.borrow().is_empty() {
            return;
        }
        for dead in self.inner.deferred_drops.take() {
            let _ = self.guard(|| "a drop".to_owned(), move || drop(dead));
        }
    }

    /// Cancelled timers are many and small, so a guard is around some of them at a time.
    fn drop_cancelled_timers(&self) {
        let mut storage = self.inner.wheel.borrow_mut().take_retired();
        let mut dead = storage.drain(..);
        while !dead.as_slice().is_empty() {
            // One that panics is gone by then, and the next guard begins behind it.
            let some = dead.by_ref().take(DROPS_PER_GUARD);
            let _ = self.guard(|| "a drop".to_owned(), move || some.for_each(drop));
        }
        drop(dead);
        self.inner.wheel.borrow_mut().reuse_retired(storage);
    }
}

impl Inner {
    fn mark_due(&self) {
        let mut wheel = self.wheel.borrow_mut();
        if !wheel.is_empty() {
            wheel.advance(self.clock.ticks());
        }
    }

    /// How long the poll may wait; `None` for as long as nothing happens.
    pub(crate) fn timeout(&self, max_wait: Option<Duration>) -> Option<Duration> {
        if max_wait == Some(Duration::ZERO) || self.has_work() {
            return Some(Duration::ZERO);
        }
        let Some(tick) = self.wheel.borrow().next_wakeup() else { return max_wait };
        self.clock.forget();
        let until = self.clock.until(tick);
        Some(max_wait.map_or(until, |max_wait| max_wait.min(until)))
    }

    /// Whether a turn that begins now has something to do before any event comes, timers included.
    pub(crate) fn is_busy(&self) -> bool {
        let due = self.wheel.borrow().next_wakeup().is_some_and(|tick| tick <= self.clock.ticks());
        due || self.has_work()
    }

    /// Whether the next turn has something to do before any event comes.
    pub(crate) fn has_work(&self) -> bool {
        !self.soon.borrow().is_empty()
            || !self.queues.are_empty()
            || self.state.should_exit()
            || self.wheel.borrow().has_work()
            || self.shared.has_any()
            || !self.deferred_drops.borrow().is_empty()
    }
}
