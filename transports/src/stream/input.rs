//! The input of a stream, one round of it: what is read, or has come from an engine that receives by itself, goes to the protocol.

use std::io;

use sinew_reactor::{Reactor, SHORT_READ_DRAINS};

use super::{
    rights::Received,
    state::{Input, State},
};
#[cfg(unix)]
use crate::ConnectionLost;
use crate::Transport;

/// Takes note of bytes that were received: whoever reads does.
#[inline(always)]
pub(super) fn count(reactor: &Reactor, len: usize) {
    reactor.meter().bytes_received.add(len as u64);
}

impl Transport {
    /// At most one read, and the callback that it leads to.
    #[inline(always)]
    pub(super) fn take_input(&self, reactor: &Reactor) {
        let state = self.inner().state.get();
        if state.is_ordinary() {
            self.read(reactor, |data| self.deliver(reactor, data));
        } else if state.may_have_input() {
            self.take_other_input(reactor);
        }
    }

    #[inline(never)]
    fn take_other_input(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_ordinary_completed() {
            return self.take_completed(reactor, Input::Deliver);
        }
        let input = stream.update(State::input);
        match input {
            // What a layer has to read, it reads where it writes.
            Input::Wait | Input::Secure => {}
            Input::Resume => {
                self.reading_goes_on(reactor);
                self.tell(|protocol, transport| protocol.reading_resumed(transport));
            }
            Input::Check => self.check(reactor),
            Input::Deliver | Input::Discard if stream.state.get().is_indirect() => {
                self.take_indirect(reactor, input);
            }
            Input::Deliver | Input::Discard => {
                self.read(reactor, |data| self.received(reactor, input, data));
            }
        }
    }

    /// One read, and what is done with what it brings.
    #[inline(always)]
    fn read(&self, reactor: &Reactor, take: impl FnOnce(&[u8])) {
        let stream = self.inner();
        let mut buffer = stream.shared.buffers.read_buffer();
        match stream.read(&mut *buffer) {
            Ok(0) => self.input_ended(),
            Ok(n) => {
                count(reactor, n);
                if n < buffer.len() && SHORT_READ_DRAINS {
                    stream.update(State::input_drained);
                }
                take(&buffer[..n]);
            }
            Err(error) => self.not_read(reactor, error),
        }
    }

    #[inline(never)]
    pub(super) fn not_read(&self, reactor: &Reactor, error: io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.inner().update(State::read_blocked),
            // It is tried again.
            io::ErrorKind::Interrupted => {}
            _ => self.failed(reactor, error),
        }
    }

    /// Something has happened after the end of the input.
    fn check(&self, reactor: &Reactor) {
        let stream = self.inner();
        stream.update(State::checked);
        let checked = stream.with_socket(|socket| socket.check());
        if let Err(error) = checked {
            self.failed(reactor, error);
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
            self.take_completed(reactor, input);
        } else if state.takes_descriptors() && !state.is_relayed() {
            self.take_with_descriptors(reactor, input);
        } else {
            self.take_read(reactor, input);
        }
    }

    /// What was read, for a stream that is relayed.
    fn take_read(&self, reactor: &Reactor, input: Input) {
        self.read(reactor, |data| self.arrived(reactor, input, data));
    }

    /// The same, with the descriptors that come along: they wait to be taken before the protocol is told of the bytes.
    fn take_with_descriptors(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let mut buffer = stream.shared.buffers.read_buffer();
        let result = stream.with_socket(|socket| socket.read_with_descriptors(&mut *buffer));
        match result {
            Ok(Received { bytes: 0, .. }) => self.input_ended(),
            Ok(received) => {
                // Descriptors end a read early, so a short one proves nothing. The next will say.
                let bytes = &buffer[..received.bytes];
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
        self.touch(reactor);
        self.tell(|protocol, transport| protocol.data_received(transport, data));
    }

    #[inline(never)]
    pub(super) fn input_ended(&self) {
        if self.inner().update(State::end_of_stream) {
            match self.inner().is_relayed() {
                false => self.tell(|protocol, transport| protocol.read_closed(transport)),
                true => self.relay_end(),
            }
        }
    }
}
