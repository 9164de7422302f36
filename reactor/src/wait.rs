//! The loop's wait for events: busy-polls first if configured, then sleeps, and backs off and retries when the system
//! call fails for lack of memory. The timeout is computed in `turn.rs`.

use std::{io, time::Duration};

use crossbeam_channel::Select;

use crate::{RunError, WaitError, engine::Event, reactor::Inner, wait_failures::Failing};

/// The first backoff after a transient failure to wait. Each further one is twice as long, up to the maximum.
const BACKOFF_MIN: Duration = Duration::from_millis(1);

/// The longest backoff between two attempts.
const BACKOFF_MAX: Duration = Duration::from_millis(100);

impl Inner {
    #[inline]
    pub(crate) fn wait(
        &self,
        max_wait: Option<Duration>,
        events: &mut Vec<Event>,
    ) -> Result<(), RunError> {
        if self.fork_epoch.is_in_child() {
            return Err(RunError::InChild);
        }
        let timeout = self.timeout(max_wait);
        if timeout != Some(Duration::ZERO) && self.clock.is_virtual() {
            return self.jump(timeout);
        }
        match self.wait_on_kernel(timeout, events) {
            Ok(()) => {
                if self.wait_failures.degraded.get() {
                    self.wait_recovered(timeout);
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

    /// After a transient failure, such as no memory, timers and calls go on, and the wait is retried in the next turn
    /// after a backoff. Any other error, and one that persists, ends the run.
    #[cold]
    fn wait_failed(&self, source: io::Error, timeout: Option<Duration>) -> Result<(), RunError> {
        let call = self.poller.borrow().call();
        let now = self.clock.precise();
        let failures = &self.wait_failures;
        let failing = failures.failing.get();
        let Failing { since, backoff } =
            failing.unwrap_or(Failing { since: now, backoff: BACKOFF_MIN });
        let failing_for = now.saturating_duration_since(since);
        if !is_transient(&source) || failing_for >= self.settings.wait_retry {
            return Err(RunError::Wait(WaitError::new(call, source)));
        }
        if !failures.degraded.replace(true) {
            tracing::error!(call, error = %source, "the loop cannot wait for events; retrying");
        }
        failures.failing.set(Some(Failing { since, backoff: (backoff * 2).min(BACKOFF_MAX) }));
        self.back_off(timeout.map_or(backoff, |timeout| timeout.min(backoff)));
        Ok(())
    }

    #[cold]
    fn wait_recovered(&self, timeout: Option<Duration>) {
        let failures = &self.wait_failures;
        failures.failing.set(None);
        if timeout != Some(Duration::ZERO) && failures.degraded.replace(false) {
            let call = self.poller.borrow().call();
            tracing::warn!(call, "the loop waits for events again");
        }
    }

    /// Waits only for calls and wakeups from other threads, without the engine. Returns whether there is one.
    fn back_off(&self, time: Duration) -> bool {
        let mut queues = Select::new();
        queues.recv(&self.inbox.calls);
        queues.recv(&self.inbox.woken);
        queues.ready_timeout(time).is_ok()
    }
}

/// poll(2), select(2), kevent(2), io_uring_enter(2): ENOMEM, EAGAIN.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests;
