//! Input of a stream: one round. Data that was read, or that an engine in completion mode has received, is delivered to the
//! protocol.

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
pub(super) fn count_received(reactor: &Reactor, len: usize) {
    reactor.meter().bytes_received.add(len as u64);
}

impl Transport {
    /// At most one read, and the callback for its data.
    #[inline(always)]
    pub(super) fn take_input(&self, reactor: &Reactor) {
        let state = self.inner().state.get();
        if state.has_plain_input() {
            self.read(reactor, |data| self.deliver(reactor, data));
        } else if state.has_plain_completion() {
            self.take_completion(reactor, |data| self.deliver(reactor, data));
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
            Input::Wait | Input::Handshake => {}
            Input::Resume => {
                self.reading_unblocked(reactor);
                self.call_protocol(|protocol, transport| protocol.reading_resumed(transport));
                self.deliver_unread();
            }
            Input::Check => self.check(reactor),
            Input::Deliver | Input::Discard if stream.state.get().has_indirect_input() => {
                self.take_indirect_input(reactor, input);
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
                count_received(reactor, n);
                if n < buffer.len() {
                    stream.update(State::read_was_short);
                }
                take(&buffer[..n]);
            }
            Err(error) => self.read_failed(reactor, error),
        }
    }

    /// The same in completion mode: the engine reads once, and again after its completion was taken, and sends an event each
    /// time.
    #[inline]
    fn take_completion(&self, reactor: &Reactor, take: impl FnOnce(&[u8])) {
        let stream = self.inner();
        stream.update(State::read_blocked);
        let completed = reactor.take_completion(stream.token);
        // By reference, so that the completion is not moved again for each message.
        if let Some(Completion::Received(bytes)) = &completed {
            count_received(reactor, bytes.len());
            if stream.may_be_wrapped() {
                stream.notify_socket(Ok(bytes));
            }
            take(bytes);
        } else {
            self.take_completed_end(reactor, completed);
        }
    }

    #[inline(never)]
    fn take_completed_end(&self, reactor: &Reactor, completed: Option<Completion>) {
        let stream = self.inner();
        match completed {
            Some(Completion::End) => {
                stream.notify_socket(Ok(&[]));
                self.input_ended(reactor);
            }
            Some(Completion::Failed(error)) => {
                stream.notify_socket(Err(&error));
                self.input_failed(reactor, error);
            }
            _ => {}
        }
    }

    #[inline(never)]
    pub(super) fn read_failed(&self, reactor: &Reactor, error: io::Error) {
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
        stream.update(State::checked);
        let checked = stream.with_socket(|socket| socket.check());
        if let Err(error) = checked {
            self.output_failed(reactor, error);
        }
    }

    fn take_indirect_input(&self, reactor: &Reactor, input: Input) {
        let state = self.inner().state.get();
        if state.is_relayed() && input == Input::Deliver && !self.may_read(reactor) {
            return;
        }
        if state.is_layered() {
            self.take_layered(reactor, input);
        } else if state.is_completion_mode() {
            self.take_completion(reactor, |data| self.forward_or_deliver(reactor, input, data));
        } else if state.receives_descriptors() && !state.is_relayed() {
            self.take_with_descriptors(reactor, input);
        } else {
            self.take_read(reactor, input);
        }
    }

    /// One read of a relayed stream.
    fn take_read(&self, reactor: &Reactor, input: Input) {
        self.read(reactor, |data| self.forward_or_deliver(reactor, input, data));
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
                count_received(reactor, bytes.len());
                #[cfg(unix)]
                if input == Input::Deliver && !stream.keep_descriptors(received.descriptors) {
                    let limit = stream.shared.config.descriptors_max;
                    stream.update(State::set_reset);
                    return self.lose(reactor, ConnectionLost::DescriptorLimit { limit });
                }
                self.forward_or_deliver(reactor, input, bytes);
            }
            Err(error) => self.read_failed(reactor, error),
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
        self.call_protocol(|protocol, transport| protocol.data_received(transport, data));
    }

    #[inline(never)]
    pub(super) fn input_ended(&self, reactor: &Reactor) {
        match self.inner().update(State::end_of_stream) {
            Ended::Notify if self.inner().is_relayed() => self.relay_input_ended(),
            Ended::Notify => {
                self.call_protocol(|protocol, transport| protocol.read_closed(transport))
            }
            Ended::ConnectionOver => self.lose_failed(reactor),
            Ended::Recorded => {}
        }
    }
}

impl Stream {
    /// Whether all received data was read, on a stream whose input and output are one connection.
    pub(super) fn is_input_exhausted(&self) -> bool {
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        !self.state.get().is_readable()
            && self.with_socket(|socket| {
                !socket.has_separate_directions() && socket.peek().is_err_and(would_block)
            })
    }

    /// Whether received data has not been read.
    pub(super) fn has_unread(&self) -> bool {
        let state = self.state.get();
        let has_engine = state.is_completion_mode() && state.is_readable();
        has_engine || self.with_socket(|socket| socket.peek().is_ok_and(|len| len > 0))
    }

    /// Whether the socket may be wrapped. The wrapped form of a plain TCP socket is stored in the cold state.
    fn may_be_wrapped(&self) -> bool {
        !matches!(self.socket_and_peer, SocketAndPeer::Tcp4(_)) || self.has_cold()
    }

    /// Passes a completion to a wrapper of the socket, such as a recorder, since no read goes through it.
    #[inline(never)]
    fn notify_socket(&self, result: Result<&[u8], &io::Error>) {
        self.with_socket(|socket| socket.completed(result));
    }
}
