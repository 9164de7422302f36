//! What happens to a stream because nothing does: the idle timeout, and the bound of a graceful close. Both are timers of the
//! stream's handler; what they lead to is the driver's.

use std::time::{Duration, Instant};

use sinew_reactor::{Reactor, TimerKey};

use super::{Stream, extras::Idle, state::State};
use crate::{ConnectionLost, Transport};

impl Transport {
    /// Sets, moves or takes away the idle timeout.
    pub(crate) fn arm_idle(&self, reactor: &Reactor, timeout: Option<Duration>) {
        let stream = self.inner();
        if let Some(idle) = stream.take_idle() {
            reactor.disarm_timer(idle.key);
        }
        if let Some(timeout) = timeout {
            let key = reactor.arm_timer(stream.token, timeout);
            stream.set_idle(Idle::new(timeout, reactor.now(), key));
        }
    }

    /// Something was received or sent.
    #[inline]
    pub(crate) fn touch(&self, reactor: &Reactor) {
        if self.inner().extras.get().is_some() {
            self.put_off_idle(reactor);
        }
    }

    fn put_off_idle(&self, reactor: &Reactor) {
        let stream = self.inner();
        if let Some(mut idle) = stream.idle() {
            idle.since = reactor.now();
            stream.set_idle(idle);
        }
    }

    /// The timer of an idle timeout is due: it is time, or something has come or gone meanwhile.
    pub(super) fn idle_timer(&self, reactor: &Reactor, mut idle: Idle) {
        let now = reactor.now();
        let mut left = (idle.since + idle.timeout()).saturating_duration_since(now);
        let is_time = left.is_zero();
        if is_time {
            (idle.since, left) = (now, idle.timeout());
        }
        let stream = self.inner();
        idle.key = reactor.arm_timer(stream.token, left);
        stream.set_idle(idle);
        if is_time && stream.state.get().is_open() {
            self.tell(|protocol, transport| protocol.idle_timeout(transport));
        }
    }

    /// Bounds a graceful close. With `progress`, the wait begins anew.
    pub(super) fn watch_linger(&self, reactor: &Reactor, progress: bool) {
        let stream = self.inner();
        if stream.state.get().is_open() || !stream.with_socket(|socket| socket.lingers()) {
            return;
        }
        let linger = &stream.rare().linger;
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
        if self.inner().state.get().is_lingering() {
            self.lose_cleanly(reactor);
        } else {
            self.inner().update(State::must_reset);
            self.lose(reactor, ConnectionLost::TimedOut);
        }
    }
}

impl Stream {
    /// When `timer_fired` or `idle_timeout` will be told next, as things are now.
    pub(crate) fn next_told(&self, reactor: &Reactor) -> Option<Instant> {
        let due = |key: &TimerKey| reactor.timer_due(*key);
        let timer =
            self.rare_if_any().and_then(|rare| rare.timers.borrow().iter().filter_map(due).min());
        let idle = self.idle().filter(|_| self.state.get().is_open());
        let idle = idle
            .and_then(|idle| Some(due(&idle.key)?.max(idle.since.checked_add(idle.timeout())?)));
        timer.into_iter().chain(idle).min()
    }
}
