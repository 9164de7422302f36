//! What the loop does with a stream: reads, callbacks, sends, and its end. The state machine says what is next, the
//! socket does it. Everything here runs from the loop; nothing here is called by a user.

use std::{any::Any, io, io::IoSlice, time::Duration};

use sinew_reactor::{Interest, Killed, Reactor, Ready, SHORT_READ_DRAINS, TimerKey};

use super::{
    AnyProtocol, Idle,
    queue::{Queue, SEGMENTS_PER_WRITE},
    socket::Socket,
    state::{Drained, Input, State},
};
use crate::{
    ConnectionLost, TimerId, Transport,
    port::{PortMessage, PortOrder},
};

/// Rounds of reading (or of asking a producer) that a connection gets before it has to wait for its next turn.
const ROUNDS_PER_TURN: usize = 16;

/// How often a producer is asked before what it made is sent.
const PIECES_PER_ROUND: usize = 512;

impl Transport {
    // ---- what the loop calls ----

    /// The connection is made.
    pub(super) fn begin(&self, reactor: &Reactor, ready: Ready) {
        self.inner().update(State::made);
        self.tell(|protocol, transport| protocol.connection_made(transport));
        let readiness = self.inner().socket.borrow().readiness();
        self.note(ready | readiness);
        self.pump(reactor);
    }

    pub(super) fn on_ready(&self, reactor: &Reactor, ready: Ready) {
        self.note(ready);
        // If the loop comes back in this turn anyway, once is enough.
        if !self.inner().state.get().is_again_queued() {
            self.pump(reactor);
        }
    }

    pub(super) fn on_again(&self, reactor: &Reactor) {
        self.inner().update(State::again_begins);
        if self.begin_if_due(reactor) {
            return;
        }
        let ready = self.inner().socket.borrow().readiness();
        self.note(ready);
        self.pump(reactor);
    }

    pub(super) fn on_flush(&self, reactor: &Reactor) {
        self.inner().update(State::flush_begins);
        if self.inner().state.get().is_made() {
            self.settle(reactor);
        }
    }

    /// A connection that no engine tells of begins when the loop first comes by, for whatever cause.
    fn begin_if_due(&self, reactor: &Reactor) -> bool {
        let state = self.inner().state.get();
        let is_due = !state.is_made() && !state.is_over();
        if is_due {
            self.begin(reactor, Ready::NONE);
        }
        is_due
    }

    pub(super) fn on_timer(&self, reactor: &Reactor, key: TimerKey) {
        self.begin_if_due(reactor);
        let extras = self.inner().extras();
        if extras.linger.get() == Some(key) {
            extras.linger.set(None);
            self.linger_timeout(reactor);
        } else if let Some(idle) = extras.idle.get().filter(|idle| idle.key == key) {
            self.idle_timer(reactor, idle);
        } else if extras.take_timer(key) && !self.inner().state.get().is_over() {
            self.tell(|protocol, transport| protocol.timer_fired(transport, TimerId(key)));
        }
        self.settle(reactor);
    }

    pub(super) fn on_told(&self, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            return self.finish(reactor);
        }
        let Some(PortMessage { from, order }) = message.downcast_ref() else { return };
        let stream = self.inner();
        if stream.shared.port.as_ref().is_none_or(|port| port.token() != *from) {
            return;
        }
        match order {
            PortOrder::Drain if stream.state.get().is_open() => {
                self.tell(|protocol, transport| protocol.drain_requested(transport));
                self.settle(reactor);
            }
            PortOrder::Drain => {}
            PortOrder::Abort => {
                stream.update(State::must_reset);
                self.lose(reactor, ConnectionLost::Shutdown);
            }
        }
    }

    /// The end is told, and everything is let go.
    pub(super) fn on_reap(&self, reactor: &Reactor) {
        let stream = self.inner();
        if !stream.state.get().is_made() {
            // It was cut before it began; its protocol has a whole life all the same.
            stream.update(State::made);
            self.tell(|protocol, transport| protocol.connection_made(transport));
        }
        if stream.update(State::tell_end) {
            let reason = stream.extras().reason.take().unwrap_or(ConnectionLost::Shutdown);
            self.tell(|protocol, transport| protocol.connection_lost(transport, &reason));
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
            reactor.reap_later(self.inner().token);
        } else {
            self.inner().update(State::must_reset);
            self.lose(reactor, ConnectionLost::Panicked(message.to_owned()));
        }
    }

    // ---- input ----

    #[inline]
    fn note(&self, ready: Ready) {
        self.inner().update(|state| state.became(ready));
    }

    /// Reads, delivers and sends until there is nothing left to do, or others have waited long enough.
    fn pump(&self, reactor: &Reactor) {
        for _ in 0..ROUNDS_PER_TURN {
            self.take_input(reactor);
            self.push_output(reactor);
            if !self.inner().state.get().has_input_left() {
                break;
            }
        }
        self.see_to_rest(reactor);
    }

    /// Sends what a callback has written, and sees to it that the loop comes back if there is more to do.
    fn settle(&self, reactor: &Reactor) {
        self.push_output(reactor);
        self.see_to_rest(reactor);
    }

    #[inline]
    fn see_to_rest(&self, reactor: &Reactor) {
        if self.inner().state.get().has_input_left() {
            self.come_back(reactor);
        }
        if !reactor.is_edge_triggered() {
            self.tell_interest(reactor);
        }
    }

    /// Others have waited long enough; the rest is for the next turn.
    fn come_back(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.update(State::ask_again) {
            reactor.run_again(stream.token);
        }
    }

    /// A level-triggered engine must not tell of what is not wanted: it would tell for ever.
    fn tell_interest(&self, reactor: &Reactor) {
        let stream = self.inner();
        let state = stream.state.get();
        if state.is_over() {
            return;
        }
        let full = !state.is_writable() && stream.queued() > 0;
        let input = if state.wants_input() { Interest::READ } else { Interest::NONE };
        let output = if full { Interest::WRITE } else { Interest::NONE };
        reactor.set_interest(stream.token, input | output);
    }

    /// At most one read, and the callback that it leads to.
    fn take_input(&self, reactor: &Reactor) {
        let stream = self.inner();
        let input = stream.update(State::input);
        match input {
            Input::Wait => return,
            Input::Resume => {
                return self.tell(|protocol, transport| protocol.reading_resumed(transport));
            }
            Input::Check => {
                stream.update(State::checked);
                let checked = stream.socket.borrow().check();
                return checked.unwrap_or_else(|error| self.failed(reactor, error));
            }
            Input::Deliver | Input::Discard => {}
        }
        let mut buffer = stream.shared.buffers.read_buffer();
        let result = stream.socket.borrow().read(&mut buffer);
        match result {
            Ok(0) => {
                if stream.update(State::end_of_stream) {
                    self.tell(|protocol, transport| protocol.read_closed(transport));
                }
            }
            Ok(n) => {
                if n < buffer.len() && SHORT_READ_DRAINS {
                    stream.update(State::input_drained);
                }
                reactor.meter().bytes_received.add(n as u64);
                if input == Input::Deliver {
                    self.touch(reactor);
                    let data = &buffer[..n];
                    self.tell(|protocol, transport| protocol.data_received(transport, data));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.update(State::read_blocked);
            }
            Err(error) => self.failed(reactor, error),
        }
    }

    /// Calls the protocol. What it writes meanwhile is sent by the caller of this.
    #[inline]
    fn tell(&self, f: impl FnOnce(&mut dyn AnyProtocol, &Self)) {
        let stream = self.inner();
        stream.update(|state| state.set_in_callback(true));
        let mut protocol = stream
            .protocol
            .try_borrow_mut()
            .expect("only the loop calls protocols; was it run from inside Connection::with?");
        if let Some(protocol) = &mut *protocol {
            f(&mut **protocol, self);
        }
        drop(protocol);
        stream.update(|state| state.set_in_callback(false));
    }

    // ---- output ----

    /// Sends what is queued, and does what has to be done about the output otherwise.
    #[inline]
    fn push_output(&self, reactor: &Reactor) {
        self.send(reactor);
        let stream = self.inner();
        if !stream.state.get().is_plain() || stream.extras.get().is_some() {
            self.tend_output(reactor);
        }
    }

    /// Keeps watermarks and producers, and ends the output when it is to end.
    fn tend_output(&self, reactor: &Reactor) {
        let stream = self.inner();
        for round in 0..ROUNDS_PER_TURN {
            if round > 0 {
                self.send(reactor);
            }
            let state = stream.state.get();
            if state.is_over() {
                return;
            }
            if state.is_over_high() {
                if stream.queued() <= stream.shared.config.low_watermark {
                    if stream.update(State::sank) {
                        self.tell(|protocol, transport| protocol.writing_resumed(transport));
                        continue;
                    }
                } else if stream.update(State::tell_pause) {
                    self.tell(|protocol, transport| protocol.writing_paused(transport));
                    continue;
                }
            }
            if stream.extras.get().is_none_or(|extras| extras.producers.is_empty()) {
                if stream.queued() == 0 {
                    self.output_drained(reactor);
                } else {
                    self.watch_linger(reactor, false);
                }
                return;
            }
            if !self.produce() {
                return self.watch_linger(reactor, false);
            }
        }
        if stream.update(State::ask_flush) {
            reactor.flush_later(stream.token);
        }
    }

    /// Writes until all is sent or the socket is full: one system call for what one callback has written.
    fn send(&self, reactor: &Reactor) {
        let stream = self.inner();
        let Some(mut queue) = stream.queue.take() else {
            return;
        };
        let mut total = 0;
        let mut failure = None;
        while stream.state.get().is_writable() && !queue.is_empty() {
            match write_some(&stream.socket.borrow(), &queue) {
                Ok((sent, offered)) => {
                    total += sent;
                    queue.consume(sent);
                    if sent < offered && SHORT_READ_DRAINS {
                        stream.update(State::write_blocked);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stream.update(State::write_blocked);
                }
                Err(error) => {
                    queue.clear();
                    failure = Some(error);
                }
            }
        }
        if queue.is_empty() {
            stream.shared.buffers.give_back(queue);
        } else {
            stream.queue.set(Some(queue));
        }
        if total > 0 {
            reactor.meter().bytes_sent.add(total as u64);
            self.touch(reactor);
            if !stream.state.get().is_open() {
                self.watch_linger(reactor, true);
            }
        }
        if let Some(error) = failure {
            self.failed(reactor, error);
        }
    }

    /// Asks the producer in front for more until there is enough to send; `false` if nothing came of it.
    fn produce(&self) -> bool {
        let stream = self.inner();
        let producers = &stream.extras().producers;
        let mut produced = false;
        for _ in 0..PIECES_PER_ROUND {
            if stream.queued() > stream.shared.config.low_watermark {
                break;
            }
            let Some(mut asked) = producers.ask_front() else {
                break;
            };
            stream.update(|state| state.set_producing(true));
            let production = asked.producer().produce(self);
            stream.update(|state| state.set_producing(false));
            asked.answered(production);
            produced = true;
            if stream.state.get().is_over() {
                break;
            }
        }
        produced
    }

    fn output_drained(&self, reactor: &Reactor) {
        let stream = self.inner();
        let drained = stream.state.get().drained();
        match drained {
            Drained::Idle => {}
            Drained::Finish => self.lose_cleanly(reactor),
            Drained::EndOutput | Drained::Linger => {
                let closed = stream.socket.borrow().close_write();
                stream.update(State::fin_sent);
                match closed {
                    Err(error) => self.failed(reactor, error),
                    Ok(()) if drained == Drained::Linger => self.watch_linger(reactor, true),
                    Ok(()) => {}
                }
            }
        }
    }

    // ---- time ----

    /// Something was received or sent.
    #[inline]
    fn touch(&self, reactor: &Reactor) {
        if let Some(extras) = self.inner().extras.get()
            && let Some(idle) = extras.idle.get()
        {
            extras.idle.set(Some(Idle { since: reactor.now(), ..idle }));
        }
    }

    fn idle_timer(&self, reactor: &Reactor, idle: Idle) {
        let left = (idle.since + idle.timeout).saturating_duration_since(reactor.now());
        let stream = self.inner();
        let next = if left.is_zero() { idle.timeout } else { left };
        let since = if left.is_zero() { reactor.now() } else { idle.since };
        let key = reactor.arm_timer(stream.token, next);
        stream.extras().idle.set(Some(Idle { since, key, ..idle }));
        if left.is_zero() && stream.state.get().is_open() {
            self.tell(|protocol, transport| protocol.idle_timeout(transport));
        }
    }

    /// Bounds a graceful close. With `progress`, the wait begins anew.
    fn watch_linger(&self, reactor: &Reactor, progress: bool) {
        let stream = self.inner();
        if stream.state.get().is_open() {
            return;
        }
        let extras = stream.extras();
        let armed = extras.linger.get();
        if armed.is_some() && !progress {
            return;
        }
        if let Some(key) = armed {
            reactor.disarm_timer(key);
        }
        let key = reactor.arm_timer(stream.token, stream.shared.config.linger_timeout);
        extras.linger.set(Some(key));
    }

    fn linger_timeout(&self, reactor: &Reactor) {
        if self.inner().state.get().is_lingering() {
            self.lose_cleanly(reactor);
        } else {
            self.inner().update(State::must_reset);
            self.lose(reactor, ConnectionLost::TimedOut);
        }
    }

    // ---- the end ----

    /// The system says that the connection is broken.
    fn failed(&self, reactor: &Reactor, error: io::Error) {
        if self.inner().state.get().is_lingering() {
            self.lose_cleanly(reactor);
        } else {
            self.lose(reactor, error.into());
        }
    }

    /// Both directions have ended as they should.
    fn lose_cleanly(&self, reactor: &Reactor) {
        let peer_first = self.inner().state.get().peer_ended_first();
        self.lose(reactor, if peer_first { ConnectionLost::Done } else { ConnectionLost::Closed });
    }

    /// The connection is over; the loop tells the protocol at the end of this turn.
    pub(crate) fn lose(&self, reactor: &Reactor, reason: ConnectionLost) {
        let stream = self.inner();
        if !stream.update(State::lost) {
            return;
        }
        stream.extras().blame(reason);
        stream.drop_queue();
        reactor.reap_later(stream.token);
    }

    fn finish(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_gone() {
            return;
        }
        stream.update(State::gone);
        self.let_go(reactor);
        // What is the user's comes last, for its drop may panic.
        if let Some(extras) = stream.extras.get() {
            let what = || format!("the drop of a producer for {}", self.peer());
            let _ = reactor.guard(what, || extras.producers.clear());
        }
        *stream.protocol.borrow_mut() = None;
    }

    /// Gives back what is the system's and the reactor's.
    fn let_go(&self, reactor: &Reactor) {
        let stream = self.inner();
        if let Some(extras) = stream.extras.get() {
            let timers = extras.timers.take();
            let own = [extras.linger.take(), extras.idle.take().map(|idle| idle.key)];
            for key in timers.into_iter().chain(own.into_iter().flatten()) {
                reactor.disarm_timer(key);
            }
        }
        reactor.deregister(stream.token, true);
        let socket = stream.socket.replace(Socket::closed());
        if stream.state.get().is_reset() {
            socket.reset();
        }
        drop(socket);
        reactor.meter().connections.sub(1);
        if let Some(port) = &stream.shared.port {
            port.closed(reactor, self.peer().ip());
        }
    }
}

/// One system call: what was sent, and what was offered.
fn write_some(socket: &Socket, queue: &Queue) -> io::Result<(usize, usize)> {
    let (sent, offered) = match queue.only() {
        Some(only) => (socket.write(only)?, only.len()),
        None => {
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            let filled = queue.fill(&mut slices);
            let slices = &slices[..filled];
            let offered = slices.iter().map(|slice| slice.len()).sum();
            (socket.write_vectored(slices)?, offered)
        }
    };
    if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok((sent, offered)) }
}

impl Transport {
    /// Sets, moves or takes away the idle timeout.
    pub(crate) fn arm_idle(&self, reactor: &Reactor, timeout: Option<Duration>) {
        let stream = self.inner();
        let extras = stream.extras();
        if let Some(idle) = extras.idle.take() {
            reactor.disarm_timer(idle.key);
        }
        if let Some(timeout) = timeout {
            let key = reactor.arm_timer(stream.token, timeout);
            extras.idle.set(Some(Idle { timeout, since: reactor.now(), key }));
        }
    }
}
