//! What happens to a stream because nothing does: the idle timeout, and the bound of a graceful close. Both are timers of the
//! stream's handler; what they lead to is the driver's.

use std::time::Instant;

use sinew_reactor::{Reactor, TimerKey};

use super::{
    Stream,
    extras::{Idle, IdleTimeout},
    state::State,
};
use crate::{ConnectionLost, Transport};

impl Transport {
    /// Sets, moves or takes away the idle timeout.
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

    /// Something was received.
    #[inline]
    pub(crate) fn touch(&self, reactor: &Reactor) {
        if self.inner().extras.get().is_some() {
            self.put_off_idle(reactor, |_| true);
        }
    }

    /// Something was sent.
    #[inline]
    pub(crate) fn touch_sent(&self, reactor: &Reactor) {
        if self.inner().extras.get().is_some() {
            self.put_off_idle(reactor, Idle::counts_sent);
        }
    }

    /// Input was held back, and is not any more: the peer has had no chance to be heard.
    pub(super) fn reading_goes_on(&self, reactor: &Reactor) {
        self.put_off_idle(reactor, |idle| !idle.counts_sent());
    }

    fn put_off_idle(&self, reactor: &Reactor, counts: impl Fn(&Idle) -> bool) {
        let stream = self.inner();
        if let Some(mut idle) = stream.idle().filter(counts) {
            idle.since = reactor.now();
            stream.set_idle(idle);
        }
    }

    /// The timer of an idle timeout is due: it is time, or something has come or gone meanwhile. One that is closing has nobody
    /// to tell.
    pub(super) fn idle_timer(&self, reactor: &Reactor, mut idle: Idle) {
        let state = self.inner().state.get();
        if !state.is_open() {
            self.inner().take_idle();
            return;
        }
        let now = reactor.now();
        if state.is_held_back() && !idle.counts_sent() {
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
        let timer = self.rare_if_any().and_then(|rare| rare.timers.min(due));
        let idle = self.idle().filter(|_| self.state.get().is_open());
        let idle = idle
            .and_then(|idle| Some(due(&idle.key)?.max(idle.since.checked_add(idle.timeout())?)));
        timer.into_iter().chain(idle).min()
    }
}
