//! Timers of a stream: the idle timeout, the linger timeout of a graceful close, and the check of a socket for which the engine
//! reports no events. Pure bookkeeping of timers; `driver.rs` receives them when they expire.

use std::time::{Duration, Instant};

use sinew_reactor::{Reactor, TimerKey};

use super::{Stream, cold::Idle, state::State};
use crate::{ConnectionLost, Transport, config::IdleTimeout};

/// How often a socket is checked for a reset while a level-triggered engine is not asked for its read events.
const RESET_CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Transport {
    /// Sets, changes or removes the idle timeout.
    pub(crate) fn arm_idle(&self, reactor: &Reactor, timeout: Option<IdleTimeout>) {
        let stream = self.inner();
        if let Some(idle) = stream.take_idle() {
            reactor.disarm_timer(idle.key);
        }
        if let Some(timeout) = timeout {
            let timeout = timeout.bounded();
            let key = reactor.arm_timer(stream.token, timeout.after);
            stream.set_idle(Idle::new(timeout, reactor.now(), key));
        }
    }

    /// Data was received.
    #[inline]
    pub(crate) fn reset_idle_timer(&self, reactor: &Reactor) {
        if self.inner().extras.get().is_some() {
            self.postpone_idle(reactor, |_| true);
        }
    }

    /// Data was sent.
    #[inline]
    pub(crate) fn reset_idle_timer_sent(&self, reactor: &Reactor) {
        if self.inner().extras.get().is_some() {
            self.postpone_idle(reactor, Idle::counts_sent);
        }
    }

    /// Input is no longer blocked. If only received data counts, the timeout starts anew: the peer could not be heard before.
    pub(super) fn reading_unblocked(&self, reactor: &Reactor) {
        self.postpone_idle(reactor, |idle| !idle.counts_sent());
    }

    fn postpone_idle(&self, reactor: &Reactor, counts: impl Fn(&Idle) -> bool) {
        let stream = self.inner();
        if let Some(mut idle) = stream.idle().filter(counts) {
            idle.since = reactor.now();
            stream.set_idle(idle);
        }
    }

    /// The timer of the idle timeout has expired. Calls `idle_timeout`, or sets the timer again if there was activity meanwhile.
    /// A closing connection drops its idle timeout.
    pub(super) fn idle_timer(&self, reactor: &Reactor, mut idle: Idle) {
        let state = self.inner().state.get();
        if !state.is_open() {
            self.inner().take_idle();
            return;
        }
        let now = reactor.now();
        if state.is_input_blocked() && !idle.counts_sent() {
            idle.since = now;
        }
        let mut left = idle.timeout().saturating_sub(now.saturating_duration_since(idle.since));
        let is_time = left.is_zero();
        if is_time {
            (idle.since, left) = (now, idle.timeout());
        }
        let stream = self.inner();
        idle.key = reactor.arm_timer(stream.token, left);
        stream.set_idle(idle);
        if is_time {
            self.call_protocol(|protocol, transport| protocol.idle_timeout(transport));
        }
    }

    /// Starts the linger timeout of a graceful close, or of input that is paused or held after output has failed. `progress`
    /// restarts it.
    pub(super) fn watch_linger(&self, reactor: &Reactor, progress: bool) {
        let stream = self.inner();
        let state = stream.state.get();
        let is_bounded = match state.has_output_failed() {
            true => state.is_paused_or_held(),
            false => !state.is_open() && stream.with_socket(|socket| socket.lingers()),
        };
        if !is_bounded {
            return;
        }
        let linger = &stream.cold().linger;
        let armed = linger.get();
        if armed.is_some() && !progress {
            return;
        }
        if let Some(key) = armed {
            reactor.disarm_timer(key);
        }
        let key = reactor.arm_timer(stream.token, stream.shared.config.linger_timeout);
        linger.set(Some(key));
    }

    pub(super) fn linger_timeout(&self, reactor: &Reactor) {
        let state = self.inner().state.get();
        if state.is_lingering() {
            self.lose_cleanly(reactor);
        } else if !state.has_output_failed() {
            self.inner().update(State::set_reset);
            self.lose(reactor, ConnectionLost::TimedOut);
        } else if state.is_paused_or_held() {
            self.lose_failed(reactor);
        }
    }

    /// Sets a timer to check the socket, unless one is set that expires about then.
    pub(super) fn schedule_check(&self, reactor: &Reactor, delay: Duration) {
        let check_timer = &self.inner().cold().check_timer;
        let due = check_timer.get().and_then(|key| reactor.timer_due(key));
        if due.is_some_and(|due| due.saturating_duration_since(reactor.now()) <= 2 * delay) {
            return;
        }
        if let Some(key) = check_timer.take() {
            reactor.disarm_timer(key);
        }
        check_timer.set(Some(reactor.arm_timer(self.inner().token, delay)));
    }

    /// Checks for a reset by a timer, where a level-triggered engine is not asked for the events that would show it.
    pub(super) fn schedule_reset_check(&self, reactor: &Reactor) {
        if self.inner().state.get().needs_reset_checks() {
            self.schedule_check(reactor, RESET_CHECK_INTERVAL);
        }
    }
}

impl Stream {
    /// When `timer_fired` or `idle_timeout` will be called next, if nothing happens before.
    pub(crate) fn next_callback_due(&self, reactor: &Reactor) -> Option<Instant> {
        let due = |key: &TimerKey| reactor.timer_due(*key);
        let timer = self.cold_if_any().and_then(|cold| cold.timers.min(due));
        let idle = self.idle().filter(|_| self.state.get().is_open());
        let idle = idle
            .and_then(|idle| Some(due(&idle.key)?.max(idle.since.checked_add(idle.timeout())?)));
        timer.into_iter().chain(idle).min()
    }
}
