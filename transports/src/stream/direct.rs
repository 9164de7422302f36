//! Output that goes straight into the socket, past the queue: whoever has the bytes makes the call, and here is what a stream does
//! about any write. Only into a socket that is plainly the kernel's, and only while nothing waits to go before.

use std::io;

use sinew_reactor::Reactor;

use super::{Stream, socket::StreamSocket, state::State};
use crate::Transport;

/// What became of a call that was to write straight into the socket.
#[derive(Debug)]
pub(crate) enum DirectWrite {
    /// The socket took so many bytes; none, if there were none to be had.
    Sent(usize),
    /// Nothing can go now. The loop comes by when that changes.
    Full,
    /// This goes through the queue, or not at all.
    Refused,
    /// The call failed, for whatever reason; nothing was done about that.
    Failed(io::Error),
}

impl Transport {
    /// Has `call` write into the socket, once. It answers as `write(2)` does.
    pub(super) fn put(
        &self,
        reactor: &Reactor,
        mut call: impl FnMut(&dyn StreamSocket) -> io::Result<usize>,
    ) -> DirectWrite {
        let stream = self.inner();
        let state = stream.state.get();
        let is_kernels = stream.with_socket(|socket| socket.is_kernels());
        if !is_kernels || !state.sends() || !state.is_made() || state.is_handshaking() {
            return DirectWrite::Refused;
        }
        match stream.waiting() {
            Waiting::Bytes => return DirectWrite::Full,
            // They go with the next byte, for which there must be a queue.
            Waiting::Descriptors => return DirectWrite::Refused,
            Waiting::Nothing if !state.is_writable() => return DirectWrite::Full,
            Waiting::Nothing => {}
        }
        let put = stream.with_socket(|socket| {
            loop {
                match call(socket) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    put => break put,
                }
            }
        });
        match put {
            Ok(len) => {
                // A short write proves nothing here: there may have been no more to be had.
                if len > 0 {
                    self.sent(reactor, len);
                }
                DirectWrite::Sent(len)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.update(State::write_blocked);
                DirectWrite::Full
            }
            Err(error) => DirectWrite::Failed(error),
        }
    }
}

/// What is in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nothing,
    Descriptors,
    Bytes,
}

impl Stream {
    /// Whether bytes that are not queued wait for room in the socket.
    pub(super) fn wants_room(&self) -> bool {
        self.cold_if_any().is_some_and(|cold| cold.producers.want_room())
    }

    pub(super) fn waiting(&self) -> Waiting {
        let queue = self.queue.take();
        let waiting = match &queue {
            Some(queue) if !queue.is_empty() => Waiting::Bytes,
            Some(queue) if !queue.is_idle() => Waiting::Descriptors,
            _ => Waiting::Nothing,
        };
        self.queue.set(queue);
        waiting
    }
}
