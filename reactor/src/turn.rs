//! One turn of the event loop, on one screen, and nothing else.

use std::time::Duration;

use crate::{Reactor, RunError, handler::TimerKey, reactor::Inner, timer::TimerPayload};

/// Timers fired in one turn. The rest fire in the next, after a poll that does not wait.
const TIMERS_PER_TURN: usize = 100_000;

/// Cancelled timers dropped under one guard: few enough that a slow drop can still be attributed.
const DROPS_PER_GUARD: usize = 32;

impl Reactor {
    pub(crate) fn turn_once(&self, max_wait: Option<Duration>) -> Result<(), RunError> {
        let inner = &*self.inner;
        inner.meter.turns.add(1);
        let began = inner.callback_start.get();
        inner.clock.reset_sample();
        inner.mark_due();

        // 1. Calls queued by now: first from threads, then from call_soon. Calls that they queue run in the next turn.
        let present = inner.soon.borrow().len();
        for _ in 0..inner.shared.calls_queued() {
            let Ok(call) = inner.inbox.calls.try_recv() else {
                break;
            };
            inner.shared.call_taken();
            self.make_call(call);
        }
        for _ in 0..present {
            let Some(call) = inner.soon.borrow_mut().pop_front() else {
                break;
            };
            self.make_call(call);
        }

        // 2. Timers that were due at the start. A timer of zero delay made since then fires in the next turn.
        for _ in 0..TIMERS_PER_TURN {
            let due = inner.wheel.borrow_mut().pop_due();
            let Some((key, payload)) = due else { break };
            self.fire_timer(key, payload);
        }

        // 3. Tasks that were woken: by the loop itself, then from elsewhere.
        for _ in 0..inner.local_wakeups.len() {
            let Some(task) = inner.local_wakeups.pop() else {
                break;
            };
            self.run_task(task);
        }
        for _ in 0..inner.shared.woken_queued() {
            let Ok(task) = inner.inbox.woken.try_recv() else {
                break;
            };
            inner.shared.woken_taken();
            self.run_task(task);
        }

        // 4. Connections that were written to outside of their own callbacks.
        self.call_queued(&inner.queues.flush, |reactor, handler| handler.flush(reactor));

        // 5. Poll: without waiting while work is left, else until the next timer.
        let mut events = inner.events.take();
        let before = inner.callback_start.get().saturating_sub(began);
        let wait_result = inner.wait(max_wait, &mut events);
        inner.clock.reset_sample();
        self.start_callback_timer();
        let woke = inner.callback_start.get();

        // 6. Dispatch. The token of a handler that was removed in this turn matches nothing.
        inner.meter.events.add(events.len() as u64);
        self.dispatch(&events);
        events.clear();
        inner.events.replace(events);
        self.call_rescheduled();

        // 7. Finalize: connection_lost is called, slots are freed, and deferred drops run.
        self.call_queued(&inner.queues.finalize, |reactor, handler| handler.finalize(reactor));
        self.drop_deferred();
        let took = before + inner.callback_start.get().saturating_sub(woke);
        inner.meter.longest_turn.set(inner.meter.longest_turn.get().max(took));
        if let Some(inspection) = &inner.inspection {
            inspection.turned(took);
        }
        wait_result
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

    /// Runs the deferred drops.
    pub(crate) fn drop_deferred(&self) {
        if self.inner.wheel.borrow().has_retired() {
            self.drop_cancelled_timers();
        }
        if self.inner.deferred_drops.borrow().is_empty() {
            return;
        }
        for dropped in self.inner.deferred_drops.take() {
            let _ = self.guard(|| "a drop".to_owned(), move || drop(dropped));
        }
    }

    /// Cancelled timers are many and small, so they are dropped in batches, each under one guard.
    fn drop_cancelled_timers(&self) {
        let mut storage = self.inner.wheel.borrow_mut().take_retired();
        let mut dropped = storage.drain(..);
        while !dropped.as_slice().is_empty() {
            // A timer whose drop panics is gone by then; the next guard starts after it.
            let batch = dropped.by_ref().take(DROPS_PER_GUARD);
            let _ = self.guard(|| "a drop".to_owned(), move || batch.for_each(drop));
        }
        drop(dropped);
        self.inner.wheel.borrow_mut().reuse_retired(storage);
    }
}

impl Inner {
    fn mark_due(&self) {
        let mut wheel = self.wheel.borrow_mut();
        if !wheel.is_empty() {
            wheel.advance(self.clock.ticks());
            if let (Some(inspection), Some(due)) = (&self.inspection, wheel.first_due()) {
                inspection.timer_late(&self.clock, due);
            }
        }
    }

    /// The longest time that the poll may wait; `None` means without limit.
    pub(crate) fn timeout(&self, max_wait: Option<Duration>) -> Option<Duration> {
        if max_wait == Some(Duration::ZERO) || self.has_work() {
            return Some(Duration::ZERO);
        }
        let Some(tick) = self.wheel.borrow().next_wakeup() else { return max_wait };
        self.clock.reset_sample();
        let until = self.clock.until(tick);
        Some(max_wait.map_or(until, |max_wait| max_wait.min(until)))
    }

    /// Whether a turn that begins now has work without waiting for events, including due timers.
    pub(crate) fn is_busy(&self) -> bool {
        let due = self.wheel.borrow().next_wakeup().is_some_and(|tick| tick <= self.clock.ticks());
        due || self.has_work()
    }

    /// Whether the next turn has work without waiting for events.
    pub(crate) fn has_work(&self) -> bool {
        !self.soon.borrow().is_empty()
            || !self.queues.are_empty()
            || self.state.should_exit()
            || self.wheel.borrow().has_work()
            || self.shared.has_any()
            || self.local_wakeups.len() > 0
            || !self.deferred_drops.borrow().is_empty()
    }
}
