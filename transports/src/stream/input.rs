//! The input of a stream, one round of it: what is read, or has come from an engine that receives by itself, goes to the protocol.

use std::io;

use sinew_reactor::{Completed, Reactor, SHORT_READ_DRAINS};

use super::state::{Input, State};
use crate::Transport;

impl Transport {
    /// At most one read, and the callback that it leads to.
    #[inline(always)]
    pub(super) fn take_input(&self, reactor: &Reactor) {
        let stream = self.inner();
        let input = match stream.state.get().is_ordinary() {
            true => Input::Deliver,
            false => stream.update(State::input),
        };
        match input {
            // What a layer has to read, it reads where it writes.
            Input::Wait | Input::Secure => return,
            Input::Resume => return self.resume(),
            Input::Deliver | Input::Discard => {}
        }
        if stream.state.get().is_indirect() {
            return self.take_indirect(reactor, input);
        }
        let mut buffer = stream.shared.buffers.read_buffer();
        let result = stream.socket.borrow().read(&mut buffer);
        match result {
            Ok(0) => self.input_ended(),
            Ok(n) => {
                if n < buffer.len() && SHORT_READ_DRAINS {
                    stream.update(State::input_drained);
                }
                self.received(reactor, input, &buffer[..n]);
            }
            Err(error) => self.not_read(reactor, error),
        }
    }

    #[inline(never)]
    fn not_read(&self, reactor: &Reactor, error: io::Error) {
        if error.kind() == io::ErrorKind::WouldBlock {
            self.inner().update(State::read_blocked);
        } else {
            self.failed(reactor, error);
        }
    }

    #[inline(never)]
    fn resume(&self) {
        self.tell(|protocol, transport| protocol.reading_resumed(transport));
    }

    #[inline(never)]
    fn take_indirect(&self, reactor: &Reactor, input: Input) {
        if self.inner().state.get().is_layered() {
            self.take_layered(reactor, input);
        } else {
            self.take_completed(reactor, input);
        }
    }

    /// The same, of what the engine has received.
    fn take_completed(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        match reactor.take_completed(stream.token) {
            Some(Completed::Received { bytes, more }) => {
                if !more {
                    stream.update(State::input_drained);
                }
                self.received(reactor, input, &bytes);
            }
            Some(Completed::End) => self.input_ended(),
            Some(Completed::Failed(error)) => self.failed(reactor, error),
            _ => stream.update(State::read_blocked),
        }
    }

    #[inline]
    pub(super) fn received(&self, reactor: &Reactor, input: Input, data: &[u8]) {
        reactor.meter().bytes_received.add(data.len() as u64);
        if input == Input::Deliver {
            self.touch(reactor);
            self.tell(|protocol, transport| protocol.data_received(transport, data));
        }
    }

    #[inline(never)]
    pub(super) fn input_ended(&self) {
        if self.inner().update(State::end_of_stream) {
            self.tell(|protocol, transport| protocol.read_closed(transport));
        }
    }
}
