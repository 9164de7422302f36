//! Input of a stream: one round. Data that was read, or that an engine in completion mode has received, is delivered to the protocol.

use std::io;

use sinew_reactor::{Completion, Reactor};

use super::{
    Stream,
    rights::Received,
    socket_and_peer::SocketAndPeer,
    state::{Ended, Input, State},
};
#[cfg(unix)]
use crate::ConnectionLost;
use crate::Transport;

/// Adds received bytes to the counter of the reactor. Every way of reading calls it.
#[inline(always)]
pub(super) fn count(reactor: &Reactor, len: usize) {
    reactor.meter().bytes_received.add(len as u64);
}

impl Transport {
    /// At most one read, and the callback for its data.
    #[inline(always)]
    pub(super) fn take_input(&self, reactor: &Reactor) {
        let state = self.inner().state.get();
        if state.is_ordinary() {
            self.read(reactor, |data| self.deliver(reactor, data));
        } else if state.is_ordinary_completed() {
            self.take_received(reactor, |data| self.deliver(reactor, data));
        } else if state.may_have_input() {
            self.take_other_input(reactor);
        }
    }

    #[inline(never)]
    fn take_other_input(&self, reactor: &Reactor) {
        let stream = self.inner();
        let input = stream.update(State::input);
        match input {
            // The layer reads during its handshake, which the output side drives.
            Input::Wait | Input::Secure => {}
            Input::Resume => {
                self.reading_goes_on(reactor);
                self.tell(|protocol, transport| protocol.reading_resumed(transport));
                self.pass_unread();
            }
            Input::Check => self.check(reactor),
            Input::Deliver | Input::Discard if stream.state.get().is_indirect() => {
                self.take_indirect(reactor, input);
            }
            Input::Deliver | Input::Discard => {
                self.read(reactor, |data| self.received(reactor, input, data));
            }
        }
        if input == Input::Deliver && stream.state.get().has_output_failed() {
            // Input has advanced, so a pause or hold from now on gets the full linger timeout.
            self.watch_linger(reactor, true);
        }
    }

    /// One read; passes the data to `take`.
    #[inline(always)]
    fn read(&self, reactor: &Reactor, take: impl FnOnce(&[u8])) {
        let stream = self.inner();
        let mut buffer = stream.shared.buffers.read_buffer();
        match stream.read(&mut *buffer) {
            Ok(0) => self.input_ended(reactor),
            Ok(n) => {
                count(reactor, n);
                if n < buffer.len() {
                    stream.update(State::read_was_short);
                }
                take(&buffer[..n]);
            }
            Err(error) => self.not_read(reactor, error),
        }
    }

    /// The same in completion mode: the engine reads once, and again after its completion was taken, and sends an event each time.
    #[inline]
    fn take_received(&self, reactor: &Reactor, take: impl FnOnce(&[u8])) {
        let stream = self.inner();
        stream.update(State::read_blocked);
        let completed = reactor.take_completion(stream.token);
        // By reference, so that the completion is not moved again for each message.
        if let Some(Completion::Received(bytes)) = &completed {
            count(reactor, bytes.len());
            if stream.may_be_wrapped() {
                stream.tell_socket(Ok(bytes));
            }
            take(bytes);
        } else {
            self.take_end(reactor, completed);
        }
    }

    #[inline(never)]
    fn take_end(&self, reactor: &Reactor, completed: Option<Completion>) {
        let stream = self.inner();
        match completed {
            Some(Completion::End) => {
                stream.tell_socket(Ok(&[]));
                self.input_ended(reactor);
            }
            Some(Completion::Failed(error)) => {
                stream.tell_socket(Err(&error));
                self.input_failed(reactor, error);
            }
            _ => {}
        }
    }

    #[inline(never)]
    pub(super) fn not_read(&self, reactor: &Reactor, error: io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.inner().update(State::read_blocked),
            // The next round reads again.
            io::ErrorKind::Interrupted => {}
            _ => self.input_failed(reactor, error),
        }
    }

    /// An event came after the end of the input, or while input is blocked. Received data may still be wanted, so an error of the
    /// socket counts as a failure of the output.
    fn check(&self, reactor: &Reactor) {
        let stream = self.inner();
        stream.update(State::looked);
        let checked = stream.with_socket(|socket| socket.check());
        if let Err(error) = checked {
            self.output_failed(reactor, error);
        }
    }

    fn take_indirect(&self, reactor: &Reactor, input: Input) {
        let state = self.inner().state.get();
        if state.is_relayed() && input == Input::Deliver && !self.may_take(reactor) {
            return;
        }
        if state.is_layered() {
            self.take_layered(reactor, input);
        } else if state.completes() {
            self.take_received(reactor, |data| self.arrived(reactor, input, data));
        } else if state.takes_descriptors() && !state.is_relayed() {
            self.take_with_descriptors(reactor, input);
        } else {
            self.take_read(reactor, input);
        }
    }

    /// One read of a relayed stream.
    fn take_read(&self, reactor: &Reactor, input: Input) {
        self.read(reactor, |data| self.arrived(reactor, input, data));
    }

    /// One read with file descriptors. They are stored before the protocol receives the bytes, so that it can take them then.
    fn take_with_descriptors(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let mut buffer = stream.shared.buffers.read_buffer();
        let result = stream.with_socket(|socket| socket.read_with_descriptors(&mut *buffer));
        match result {
            Ok(Received { bytes: 0, .. }) => self.input_ended(reactor),
            Ok(received) => {
                let bytes = &buffer[..received.bytes];
                if bytes.len() < buffer.len() {
                    stream.update(State::read_was_short);
                }
                count(reactor, bytes.len());
                #[cfg(unix)]
                if input == Input::Deliver && !stream.keep_descriptors(received.descriptors) {
                    let limit = stream.shared.config.descriptors_max;
                    stream.update(State::must_reset);
                    return self.lose(reactor, ConnectionLost::DescriptorLimit { limit });
                }
                self.arrived(reactor, input, bytes);
            }
            Err(error) => self.not_read(reactor, error),
        }
    }

    #[inline]
    pub(super) fn received(&self, reactor: &Reactor, input: Input, data: &[u8]) {
        if input == Input::Deliver {
            self.deliver(reactor, data);
        }
    }

    #[inline(always)]
    pub(super) fn deliver(&self, reactor: &Reactor, data: &[u8]) {
        self.reset_idle_timer(reactor);
        self.tell(|protocol, transport| protocol.data_received(transport, data));
    }

    #[inline(never)]
    pub(super) fn input_ended(&self, reactor: &Reactor) {
        match self.inner().update(State::end_of_stream) {
            Ended::Tell if self.inner().is_relayed() => self.relay_eof(),
            Ended::Tell => self.tell(|protocol, transport| protocol.read_closed(transport)),
            Ended::Over => self.lose_failed(reactor),
            Ended::Noted => {}
        }
    }
}

impl Stream {
    /// Whether all received data was read, on a stream whose input and output are one connection.
    pub(super) fn is_dry(&self) -> bool {
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        !self.state.get().is_readable()
            && self.with_socket(|socket| {
                !socket.has_two_ends() && socket.peek().is_err_and(would_block)
            })
    }

    /// Whether received data has not been read.
    pub(super) fn has_unread(&self) -> bool {
        let state = self.state.get();
        let has_engine = state.completes() && state.is_readable();
        has_engine || self.with_socket(|socket| socket.peek().is_ok_and(|len| len > 0))
    }

    /// Whether the socket may be wrapped. The wrapped form of a plain TCP socket is stored in the cold state.
    fn may_be_wrapped(&self) -> bool {
        !matches!(self.socket_and_peer, SocketAndPeer::Tcp4(_)) || self.cold_if_any().is_some()
    }

    /// Passes a completion to a wrapper of the socket, such as a recorder, since no read goes through it.
    #[inline(never)]
    fn tell_socket(&self, came: Result<&[u8], &io::Error>) {
        self.with_socket(|socket| socket.completed(came));
    }
}
