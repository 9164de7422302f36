//! What the event loop does with a stream: rounds of input and output, timers, and the end of the connection. The state machine
//! decides, the socket makes the system calls. Everything here runs from the event loop, never from a call by the user. Reading
//! is in `input.rs`, sending in `output.rs`, timers in `timeouts.rs`.

use std::{any::Any, io};

use sinew_reactor::{Interest, Killed, Reactor, Ready, TimerKey};

#[cfg(unix)]
use super::leaving::LeaveOrder;
use super::{hold::Hold, layer::Layer, socket::StreamSocket, state::State};
use crate::{
    ConnectionLost, TimerId, TlsError, Transport,
    dyn_protocol::AnyProtocol,
    listener_hooks::{PortMessage, PortOrder},
};

/// Rounds of reading (or of calling a producer) that a connection gets in one turn, so that it does not starve others.
pub(super) const ROUNDS_PER_TURN: usize = 16;

impl Transport {
    // ---- called by the event loop ----

    /// The connection is ready: calls `connection_made`.
    pub(super) fn begin(&self, reactor: &Reactor, ready: Ready) {
        self.mark_made(reactor);
        self.call_protocol(|protocol, transport| protocol.connection_made(transport));
        let readiness = self.inner().with_socket(|socket| socket.readiness());
        self.record_ready(ready | readiness);
        self.drive(reactor);
    }

    /// `connection_made` is about to be called. The idle timeout starts here: time before that, such as a handshake, is not idle.
    pub(super) fn mark_made(&self, reactor: &Reactor) {
        self.inner().update(State::made);
        self.reset_idle_timer(reactor);
    }

    #[inline(always)]
    pub(super) fn on_ready(&self, reactor: &Reactor, ready: Ready) {
        self.record_ready(ready);
        // Already rescheduled in this turn: that call will handle the event.
        if !self.inner().state.get().is_rescheduled() {
            self.drive(reactor);
        }
    }

    pub(super) fn on_rescheduled(&self, reactor: &Reactor) {
        self.inner().update(State::reschedule_begins);
        if self.inner().has_holds() {
            self.inner().release(Hold::Turn);
        }
        if self.begin_if_due(reactor) {
            return;
        }
        let ready = self.inner().with_socket(|socket| socket.readiness());
        self.record_ready(ready);
        self.drive(reactor);
    }

    pub(super) fn on_flush(&self, reactor: &Reactor) {
        self.inner().update(State::flush_begins);
        if self.inner().state.get().is_made() {
            self.flush_after_callback(reactor);
        }
    }

    /// A connection without events from an engine starts at the first call by the event loop, whichever that is.
    #[inline]
    fn begin_if_due(&self, reactor: &Reactor) -> bool {
        let state = self.inner().state.get();
        let is_due = !state.is_made() && !state.is_over() && !state.is_handshaking();
        if is_due {
            self.begin(reactor, Ready::NONE);
        }
        is_due
    }

    pub(super) fn on_timer(&self, reactor: &Reactor, key: TimerKey) {
        self.begin_if_due(reactor);
        if self.inner().state.get().is_handshaking() && self.handshake_timed_out(reactor, key) {
            return;
        }
        let stream = self.inner();
        if let Some(idle) = stream.idle().filter(|idle| idle.key == key) {
            self.idle_timer(reactor, idle);
        } else if let Some(cold) = stream.cold_if_any() {
            if cold.linger.get() == Some(key) {
                cold.linger.set(None);
                self.linger_timeout(reactor);
            } else if cold.check_timer.get() == Some(key) {
                cold.check_timer.set(None);
                stream.update(State::request_check);
            } else if stream.expire_hold(key) {
                // Input resumes below.
            } else if cold.timers.remove(key) && !stream.state.get().is_over() {
                self.call_protocol(|protocol, transport| {
                    protocol.timer_fired(transport, TimerId(key))
                });
            }
        }
        self.flush_after_callback(reactor);
    }

    pub(super) fn on_broadcast(&self, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            return self.finish(reactor);
        }
        #[cfg(unix)]
        if let Some(order) = message.downcast_ref::<LeaveOrder>() {
            return self.asked_to_leave(reactor, order);
        }
        let Some(PortMessage { from, order }) = message.downcast_ref() else { return };
        let stream = self.inner();
        // Both ends of a relay are drained together, whichever of them the port accepted.
        let is_for_us = stream.is_of_port(*from)
            || stream.relayed_to().is_some_and(|other| other.is_of_port(*from));
        if !is_for_us {
            return;
        }
        match order {
            PortOrder::Drain if !stream.state.get().is_made() => self.remember_drain(),
            PortOrder::Drain if stream.state.get().is_open() => {
                self.call_protocol(|protocol, transport| protocol.drain_requested(transport));
                self.flush_after_callback(reactor);
            }
            PortOrder::Drain => {}
            PortOrder::Abort => {
                stream.update(State::set_reset);
                self.lose(reactor, ConnectionLost::Shutdown);
            }
        }
    }

    /// Calls `connection_lost` and releases all resources.
    pub(super) fn on_finalize(&self, reactor: &Reactor) {
        let stream = self.inner();
        if !stream.state.get().is_made() {
            // Lost before it started: every protocol that was built gets `connection_made` before `connection_lost`.
            stream.update(State::made);
            self.call_protocol(|protocol, transport| protocol.connection_made(transport));
        }
        let cold = stream.cold();
        if cold.holds.is_some() {
            self.hand_over_lost(reactor);
        }
        if stream.update(State::notify_end) {
            let reason = cold.reason.take().unwrap_or(ConnectionLost::Shutdown);
            self.record_end(reason.is_clean());
            match self.take_when_ready() {
                Some(when_ready) => when_ready(reactor, Err(reason)),
                None => {
                    self.call_protocol(|protocol, transport| {
                        protocol.connection_lost(transport, &reason)
                    });
                }
            }
        }
        self.finish(reactor);
    }

    /// A callback of the protocol panicked, or a call of it by the user did.
    pub(crate) fn panicked(&self, reactor: &Reactor, message: &str) {
        let state = self.inner().update(|state| {
            state.set_producing(false);
            *state
        });
        if state.is_end_notified() {
            // `connection_lost` itself panicked.
            self.finish(reactor);
        } else if state.is_over() {
            reactor.finalize_later(self.inner().token);
        } else {
            self.inner().update(State::set_reset);
            self.lose(reactor, ConnectionLost::Panicked(message.to_owned()));
        }
    }

    // ---- rounds of input and output ----

    #[inline]
    pub(super) fn record_ready(&self, ready: Ready) {
        self.inner().update(|state| state.set_ready(ready));
    }

    /// Reads, delivers and sends until there is nothing left to do or the share of this turn is used up.
    // Inlined: every event leads here, and most need only one round.
    #[inline(always)]
    fn drive(&self, reactor: &Reactor) {
        self.round(reactor);
        if self.inner().state.get().has_more_input() {
            self.drive_more(reactor);
        }
        if !reactor.is_edge_triggered() && !self.inner().state.get().is_interest_current() {
            self.update_interest(reactor);
        }
    }

    /// The rounds after the first.
    #[inline(never)]
    fn drive_more(&self, reactor: &Reactor) {
        for _ in 1..ROUNDS_PER_TURN {
            self.round(reactor);
            if !self.inner().state.get().has_more_input() {
                return;
            }
        }
        self.reschedule(reactor);
    }

    #[inline(always)]
    fn round(&self, reactor: &Reactor) {
        self.take_input(reactor);
        self.flush_output(reactor);
    }

    /// Sends what a callback has written, and reschedules the stream if there is more to do.
    fn flush_after_callback(&self, reactor: &Reactor) {
        self.flush_output(reactor);
        if self.inner().state.get().has_more_input() {
            self.reschedule(reactor);
        }
        if !reactor.is_edge_triggered() && !self.inner().state.get().is_interest_current() {
            self.update_interest(reactor);
        }
    }

    /// Has the event loop call this stream again in the next turn, so that a connection with much input does not starve others.
    pub(crate) fn reschedule(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.update(State::request_reschedule) {
            reactor.reschedule(stream.token);
        }
    }

    /// Tells a level-triggered engine which events are wanted: it would report unwanted ones for ever.
    fn update_interest(&self, reactor: &Reactor) {
        let stream = self.inner();
        let state = stream.state.get();
        if state.is_over() {
            return;
        }
        let read = state.wants_input();
        if !read {
            self.schedule_reset_check(reactor);
        }
        let is_left = |socket: &dyn StreamSocket| {
            (stream.queued() > 0 || socket.has_unsent() || stream.waits_for_writable())
                && !socket.is_held()
        };
        let write = !state.is_writable() && stream.with_socket(is_left);
        if stream.update(|state| state.set_interest(read, write)) {
            let input = if read { Interest::READ } else { Interest::NONE };
            let output = if write { Interest::WRITE } else { Interest::NONE };
            reactor.set_interest(stream.token, input | output);
        }
    }

    /// Calls the protocol. The caller of this flushes what the protocol writes meanwhile.
    #[inline]
    pub(super) fn call_protocol(&self, f: impl FnOnce(&mut dyn AnyProtocol, &Self)) {
        let stream = self.inner();
        stream.update(|state| state.set_in_callback(true));
        let called = stream.with_protocol(|protocol| f(protocol.get_mut(), self));
        if called.is_none() {
            let is_called_by_user = stream.state.get().is_called_by_user();
            assert!(
                !is_called_by_user,
                "the event loop cannot call a protocol inside Connection::with; do not run the reactor there"
            );
        }
        stream.update(|state| state.set_in_callback(false));
    }

    // ---- the end of the connection ----

    /// A read failed.
    pub(crate) fn input_failed(&self, reactor: &Reactor, error: io::Error) {
        let state = self.inner().state.get();
        if state.is_lingering() {
            return self.lose_cleanly(reactor);
        }
        let reason = ConnectionLost::from(error);
        // A TLS alert says more about the cause than the error of the write.
        let says_why = matches!(&reason, ConnectionLost::Tls(why) if *why != TlsError::Closed);
        if state.has_output_failed() && says_why {
            self.inner().cold().reason.take();
        }
        self.lose(reactor, reason);
    }

    /// A write failed.
    pub(crate) fn output_failed(&self, reactor: &Reactor, error: io::Error) {
        if self.inner().state.get().is_lingering() {
            self.lose_cleanly(reactor);
        } else {
            self.inner().output_failed(error);
        }
    }

    /// Ends a connection whose output had failed; the error of the output stays the reason.
    pub(super) fn lose_failed(&self, reactor: &Reactor) {
        self.lose(reactor, ConnectionLost::Reset);
    }

    /// The reactor shuts down.
    pub(super) fn shut_down(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().can_send() && !stream.has_unsent() {
            // All data is sent, so end the output properly. If that would block, the close is a reset.
            let _ = stream.with_socket(|socket| socket.finish_output());
        }
        self.lose(reactor, ConnectionLost::Shutdown);
    }

    /// Both directions have ended cleanly.
    pub(super) fn lose_cleanly(&self, reactor: &Reactor) {
        let peer_first = self.inner().state.get().peer_ended_first();
        self.lose(reactor, if peer_first { ConnectionLost::Done } else { ConnectionLost::Closed });
    }

    /// Marks the connection as over. The event loop calls `connection_lost` at the end of this turn.
    pub(crate) fn lose(&self, reactor: &Reactor, reason: ConnectionLost) {
        let stream = self.inner();
        if stream.state.get().is_over() {
            return;
        }
        // The peer must not take a truncated reply for a complete one.
        if !reason.is_clean() && stream.has_unsent() {
            stream.update(State::set_reset);
        }
        stream.update(State::lost);
        stream.cold().set_reason(reason);
        stream.drop_queue();
        reactor.finalize_later(stream.token);
    }

    fn finish(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_gone() {
            return;
        }
        stream.update(State::gone);
        self.release_resources(reactor);
        stream.wake_output_waiter();
        // User data is dropped last, because its drop may panic.
        if let Some(cold) = stream.cold_if_any() {
            #[cfg(unix)]
            cold.descriptors.take();
            if !cold.producers.is_empty() {
                let what = || format!("the drop of a producer for {}", self.peer());
                let _ = reactor.guard(what, || drop(cold.producers.take()));
            }
            self.end_relay();
            if let Some(holds) = cold.holds.get() {
                holds.end(reactor);
            }
            cold.when_lost.take().into_iter().for_each(|promise| promise.resolve(()));
        }
        drop(stream.protocol.take());
    }

    /// Releases timers, registration and socket.
    fn release_resources(&self, reactor: &Reactor) {
        let stream = self.inner();
        if let Some(idle) = stream.take_idle() {
            reactor.disarm_timer(idle.key);
        }
        if let Some(cold) = stream.cold_if_any() {
            let own = cold.linger.take().into_iter().chain(cold.check_timer.take());
            for key in cold.timers.take().into_iter().chain(own) {
                reactor.disarm_timer(key);
            }
        }
        reactor.deregister(stream.token, true);
        if let Some(socket) = stream.take_socket() {
            if let Some(key) = socket.layer().and_then(Layer::take_deadline) {
                reactor.disarm_timer(key);
            }
            if stream.state.get().is_reset() {
                socket.reset();
            }
        }
        reactor.meter().connections.sub(1);
        if let Some(port) = &stream.shared.port {
            port.closed(reactor, self.peer().ip());
        }
    }
}
