//! The loop's wait for events: it spins first if it is to, sleeps, and goes on when the system cannot let it sleep for the
//! moment. How long it may wait is decided in `turn.rs`.

use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};

use crossbeam_channel::Select;

use crate::{RunError, WaitError, engine::Event, reactor::Inner};

/// The first rest after a wait that failed for the moment. Each further one is twice as long, up to the longest.
const REST_MIN: Duration = Duration::from_millis(1);

/// The longest rest between two tries.
const REST_MAX: Duration = Duration::from_millis(100);

/// Waits that fail, one after the other.
#[derive(Clone, Copy)]
struct Failing {
    since: Instant,
    rest: Duration,
}

/// Whether the waits of a reactor fail.
#[derive(Default)]
pub(crate) struct WaitFailures {
    /// That they fail was logged, and no wait that may block has gone well since.
    is_ill: Cell<bool>,
    /// Since the last one that went well.
    failing: Cell<Option<Failing>>,
}

impl WaitFailures {
    /// What an earlier run has met says nothing of this one.
    pub(crate) fn begin_run(&self) {
        self.failing.set(None);
    }
}

impl Inner {
    #[inline]
    pub(crate) fn wait(
        &self,
        max_wait: Option<Duration>,
        events: &mut Vec<Event>,
    ) -> Result<(), RunError> {
        if self.home.is_left() {
            return Err(RunError::InChild);
        }
        let timeout = self.timeout(max_wait);
        if timeout != Some(Duration::ZERO) && self.clock.is_virtual() {
            return self.jump(timeout);
        }
        match self.wait_on_kernel(timeout, events) {
            Ok(()) => {
                if self.wait_health.is_ill.get() {
                    self.wait_went_well(timeout);
                }
                Ok(())
            }
            Err(error) => self.wait_failed(error, timeout),
        }
    }

    #[inline]
    fn wait_on_kernel(
        &self,
        mut timeout: Option<Duration>,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let mut poller = self.poller.borrow_mut();
        if timeout == Some(Duration::ZERO) {
            return poller.wait(timeout, events);
        }
        if !self.settings.spin.is_zero() {
            let spin = timeout.unwrap_or(Duration::MAX).min(self.settings.spin);
            let start = self.clock.precise();
            let mut spun = Duration::ZERO;
            while spun < spin {
                poller.wait(Some(Duration::ZERO), events)?;
                if !events.is_empty() || self.shared.has_any() {
                    return Ok(());
                }
                spun = self.clock.precise().duration_since(start);
            }
            timeout = timeout.map(|timeout| timeout.saturating_sub(spun));
        }
        self.shared.sleep(|has_any| {
            poller.wait(if has_any { Some(Duration::ZERO) } else { timeout }, events)
        })
    }

    /// Out of memory or of something else for the moment: timers and calls go on, and the wait is tried again in the next
    /// turn, after a rest. Everything else, and what does not pass, ends the run.
    #[cold]
    fn wait_failed(&self, source: io::Error, timeout: Option<Duration>) -> Result<(), RunError> {
        let call = self.poller.borrow().call();
        let now = self.clock.precise();
        let health = &self.wait_health;
        let failing = health.failing.get();
        let Failing { since, rest } = failing.unwrap_or(Failing { since: now, rest: REST_MIN });
        let tried = now.saturating_duration_since(since);
        if !is_for_the_moment(&source) || tried >= self.settings.wait_retry {
            return Err(RunError::Wait(WaitError::new(call, source)));
        }
        if !health.is_ill.replace(true) {
            tracing::error!(call, error = %source, "the loop cannot wait for events; trying again");
        }
        health.failing.set(Some(Failing { since, rest: (rest * 2).min(REST_MAX) }));
        self.rest(timeout.map_or(rest, |timeout| timeout.min(rest)));
        Ok(())
    }

    #[cold]
    fn wait_went_well(&self, timeout: Option<Duration>) {
        let health = &self.wait_health;
        health.failing.set(None);
        if timeout != Some(Duration::ZERO) && health.is_ill.replace(false) {
            let call = self.poller.borrow().call();
            tracing::warn!(call, "the loop waits for events again");
        }
    }

    /// Waits for nothing but calls and wake-ups from other threads, which takes no help of the engine.
    fn rest(&self, time: Duration) {
        let mut queues = Select::new();
        queues.recv(&self.inbox.calls);
        queues.recv(&self.inbox.woken);
        let _ = queues.ready_timeout(time);
    }
}

/// poll(2), select(2), kevent(2), io_uring_enter(2): ENOMEM, EAGAIN.
fn is_for_the_moment(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests;
