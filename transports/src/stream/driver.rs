//! What the loop does with a stream: rounds of input and output, timers, and its end. The state machine says what is next, the
//! socket does it. Everything here runs from the loop; nothing here is called by a user. What a round takes in is in `input.rs`,
//! what it sends in `output.rs`, and what happens because nothing does in `timeouts.rs`.

use std::{any::Any, io};

use sinew_reactor::{Interest, Killed, Reactor, Ready, TimerKey};

use super::{layer::Layer, socket::StreamSocket, state::State};
use crate::{
    ConnectionLost, TimerId, TlsError, Transport,
    dyn_protocol::AnyProtocol,
    listener_hooks::{PortMessage, PortOrder},
};

/// Rounds of reading (or of asking a producer) that a connection gets before it has to wait for its next turn.
pub(super) const ROUNDS_PER_TURN: usize = 16;

impl Transport {
    // ---- what the loop calls ----

    /// The connection is made.
    pub(super) fn begin(&self, reactor: &Reactor, ready: Ready) {
        self.note_made(reactor);
        self.tell(|protocol, transport| protocol.connection_made(transport));
        let readiness = self.inner().with_socket(|socket| socket.readiness());
        self.note(ready | readiness);
        self.drive(reactor);
    }

    /// The protocol is about to hear of it. What was before, such as a handshake, was no silence.
    pub(super) fn note_made(&self, reactor: &Reactor) {
        self.inner().update(State::made);
        self.reset_idle_timer(reactor);
    }

    #[inline(always)]
    pub(super) fn on_ready(&self, reactor: &Reactor, ready: Ready) {
        self.note(ready);
        // If the loop comes back in this turn anyway, once is enough.
        if !self.inner().state.get().is_rescheduled() {
            self.drive(reactor);
        }
    }

    pub(super) fn on_rescheduled(&self, reactor: &Reactor) {
        self.inner().update(State::reschedule_begins);
        if self.begin_if_due(reactor) {
            return;
        }
        let ready = self.inner().with_socket(|socket| socket.readiness());
        self.note(ready);
        self.drive(reactor);
    }

    pub(super) fn on_flush(&self, reactor: &Reactor) {
        self.inner().update(State::flush_begins);
        if self.inner().state.get().is_made() {
            self.flush_after_callback(reactor);
        }
    }

    /// A connection that no engine tells of begins when the loop first comes by, for whatever cause.
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
        if self.inner().state.get().is_handshaking() && self.is_too_late(reactor, key) {
            return;
        }
        let stream = self.inner();
        if let Some(idle) = stream.idle().filter(|idle| idle.key == key) {
            self.idle_timer(reactor, idle);
        } else if let Some(cold) = stream.cold_if_any() {
            if cold.linger.get() == Some(key) {
                cold.linger.set(None);
                self.linger_timeout(reactor);
            } else if cold.look.get() == Some(key) {
                cold.look.set(None);
                stream.update(State::look);
            } else if stream.is_hold_over(key) {
                // Input goes on, below.
            } else if cold.timers.remove(key) && !stream.state.get().is_over() {
                self.tell(|protocol, transport| protocol.timer_fired(transport, TimerId(key)));
            }
        }
        self.flush_after_callback(reactor);
    }

    pub(super) fn on_broadcast(&self, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            return self.finish(reactor);
        }
        let Some(PortMessage { from, order }) = message.downcast_ref() else { return };
        let stream = self.inner();
        // A relay is one thing, whichever of its ends the port has accepted.
        let is_for_us = stream.is_of_port(*from)
            || stream.relayed_to().is_some_and(|other| other.is_of_port(*from));
        if !is_for_us {
            return;
        }
        match order {
            PortOrder::Drain if !stream.state.get().is_made() => self.drain_when_ready(),
            PortOrder::Drain if stream.state.get().is_open() => {
                self.tell(|protocol, transport| protocol.drain_requested(transport));
                self.flush_after_callback(reactor);
            }
            PortOrder::Drain => {}
            PortOrder::Abort => {
                stream.update(State::must_reset);
                self.lose(reactor, ConnectionLost::Shutdown);
            }
        }
    }

    /// The end is told, and everything is let go.
    pub(super) fn on_finalize(&self, reactor: &Reactor) {
        let stream = self.inner();
        if !stream.state.get().is_made() {
            // It was cut before it began; its protocol has a whole life all the same.
            stream.update(State::made);
            self.tell(|protocol, transport| protocol.connection_made(transport));
        }
        let cold = stream.cold();
        if cold.holds.get().is_some() {
            self.succeed_in_the_end(reactor);
        }
        if stream.update(State::tell_end) {
            let reason = cold.reason.take().unwrap_or(ConnectionLost::Shutdown);
            self.note_end(reason.is_clean());
            match self.who_waits() {
                Some(when_ready) => when_ready(reactor, Err(reason)),
                None => {
                    self.tell(|protocol, transport| protocol.connection_lost(transport, &reason));
                }
            }
        }
        self.finish(reactor);
    }

    /// A callback of the protocol panicked, or a call to it did.
    pub(crate) fn panicked(&self, reactor: &Reactor, message: &str) {
        let state = self.inner().update(|state| {
            state.set_producing(false);
            *state
        });
        if state.is_end_told() {
            // It was `connection_lost` that panicked.
            self.finish(reactor);
        } else if state.is_over() {
            reactor.finalize_later(self.inner().token);
        } else {
            self.inner().update(State::must_reset);
            self.lose(reactor, ConnectionLost::Panicked(message.to_owned()));
        }
    }

    // ---- the rounds ----

    #[inline]
    pub(super) fn note(&self, ready: Ready) {
        self.inner().update(|state| state.became(ready));
    }

    /// Reads, delivers and sends until there is nothing left to do, or others have waited long enough.
    // Inlined, since it is what every event leads to, and mostly one round.
    #[inline(always)]
    fn drive(&self, reactor: &Reactor) {
        self.round(reactor);
        if self.inner().state.get().has_input_left() {
            self.drive_more(reactor);
        }
        if !reactor.is_edge_triggered() && !self.inner().state.get().is_told() {
            self.tell_interest(reactor);
        }
    }

    /// The rounds after the first.
    #[inline(never)]
    fn drive_more(&self, reactor: &Reactor) {
        for _ in 1..ROUNDS_PER_TURN {
            self.round(reactor);
            if !self.inner().state.get().has_input_left() {
                return;
            }
        }
        self.reschedule(reactor);
    }

    #[inline(always)]
    fn round(&self, reactor: &Reactor) {
        self.take_input(reactor);
        self.push_output(reactor);
    }

    /// Sends what a callback has written, and sees to it that the loop comes back if there is more to do.
    fn flush_after_callback(&self, reactor: &Reactor) {
        self.push_output(reactor);
        if self.inner().state.get().has_input_left() {
            self.reschedule(reactor);
        }
        if !reactor.is_edge_triggered() && !self.inner().state.get().is_told() {
            self.tell_interest(reactor);
        }
    }

    /// Has the loop come by. In the midst of input: others have waited long enough; the rest is for the next turn.
    pub(crate) fn reschedule(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.update(State::request_reschedule) {
            reactor.reschedule(stream.token);
        }
    }

    /// A level-triggered engine must not tell of what is not wanted: it would tell for ever.
    fn tell_interest(&self, reactor: &Reactor) {
        let stream = self.inner();
        let state = stream.state.get();
        if state.is_over() {
            return;
        }
        let read = state.wants_input();
        if !read {
            self.look_for_reset(reactor);
        }
        let is_left = |socket: &dyn StreamSocket| {
            (stream.queued() > 0 || socket.has_unsent() || stream.wants_room()) && !socket.is_held()
        };
        let write = !state.is_writable() && stream.with_socket(is_left);
        if stream.update(|state| state.tell_interest(read, write)) {
            let input = if read { Interest::READ } else { Interest::NONE };
            let output = if write { Interest::WRITE } else { Interest::NONE };
            reactor.set_interest(stream.token, input | output);
        }
    }

    /// Calls the protocol. What it writes meanwhile is sent by the caller of this.
    #[inline]
    pub(super) fn tell(&self, f: impl FnOnce(&mut dyn AnyProtocol, &Self)) {
        let stream = self.inner();
        stream.update(|state| state.set_in_callback(true));
        let told = stream.lend_protocol(|protocol| f(protocol.get_mut(), self));
        if told.is_none() {
            let is_called_by_user = stream.state.get().is_called_by_user();
            assert!(
                !is_called_by_user,
                "only the loop calls protocols; was it run from inside Connection::with?"
            );
        }
        stream.update(|state| state.set_in_callback(false));
    }

    // ---- the end ----

    /// Reading has failed.
    pub(crate) fn input_failed(&self, reactor: &Reactor, error: io::Error) {
        let state = self.inner().state.get();
        if state.is_lingering() {
            return self.lose_cleanly(reactor);
        }
        let reason = ConnectionLost::from(error);
        // An alert says more than that the peer is gone.
        let says_why = matches!(&reason, ConnectionLost::Tls(why) if *why != TlsError::Closed);
        if state.has_output_failed() && says_why {
            self.inner().cold().reason.take();
        }
        self.lose(reactor, reason);
    }

    /// Writing has failed.
    pub(crate) fn output_failed(&self, reactor: &Reactor, error: io::Error) {
        if self.inner().state.get().is_lingering() {
            self.lose_cleanly(reactor);
        } else {
            self.inner().output_failed(error);
        }
    }

    /// The connection is over whose output had failed, which is the reason.
    pub(super) fn lose_failed(&self, reactor: &Reactor) {
        self.lose(reactor, ConnectionLost::Reset);
    }

    /// The reactor stops.
    pub(super) fn shut_down(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().sends() && !stream.has_unsent() {
            // All has been said, and the peer is to know. If it does not go at once, it is unsent.
            let _ = stream.with_socket(|socket| socket.finish_output());
        }
        self.lose(reactor, ConnectionLost::Shutdown);
    }

    /// Both directions have ended as they should.
    pub(super) fn lose_cleanly(&self, reactor: &Reactor) {
        let peer_first = self.inner().state.get().peer_ended_first();
        self.lose(reactor, if peer_first { ConnectionLost::Done } else { ConnectionLost::Closed });
    }

    /// The connection is over; the loop tells the protocol at the end of this turn.
    pub(crate) fn lose(&self, reactor: &Reactor, reason: ConnectionLost) {
        let stream = self.inner();
        if stream.state.get().is_over() {
            return;
        }
        // Half of a reply must not pass for the whole.
        if !reason.is_clean() && stream.has_unsent() {
            stream.update(State::must_reset);
        }
        stream.update(State::lost);
        stream.cold().blame(reason);
        stream.drop_queue();
        reactor.finalize_later(stream.token);
    }

    fn finish(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_gone() {
            return;
        }
        stream.update(State::gone);
        self.let_go(reactor);
        // What is the user's comes last, for its drop may panic.
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

    /// Gives back what is the system's and the reactor's.
    fn let_go(&self, reactor: &Reactor) {
        let stream = self.inner();
        if let Some(idle) = stream.take_idle() {
            reactor.disarm_timer(idle.key);
        }
        if let Some(cold) = stream.cold_if_any() {
            let own = cold.linger.take().into_iter().chain(cold.look.take());
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
