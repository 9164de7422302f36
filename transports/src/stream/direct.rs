//! Writes that bypass the queue, straight into the socket. The caller makes the system call; this file does the bookkeeping that
//! every write needs. Only for plain kernel sockets, and only while nothing is queued before the data.

use std::io;

use sinew_reactor::Reactor;

use super::{Stream, socket::StreamSocket, state::State};
use crate::Transport;

/// Result of a write past the queue.
#[derive(Debug)]
pub(crate) enum DirectWrite {
    /// The socket accepted this many bytes; 0 if the source had none.
    Sent(usize),
    /// The socket is full, or queued data goes first. The stream is called again when that changes.
    Full,
    /// This stream must use its queue, or takes no output at all.
    Refused,
    /// The call failed. The error was not handled.
    Failed(io::Error),
}

impl Transport {
    /// Has `call` write into the socket once. `call` returns what `write(2)` returns.
    pub(super) fn write_now(
        &self,
        reactor: &Reactor,
        mut call: impl FnMut(&dyn StreamSocket) -> io::Result<usize>,
    ) -> DirectWrite {
        let stream = self.inner();
        let state = stream.state.get();
        let is_kernel_socket = stream.with_socket(|socket| socket.is_kernel_socket());
        if !is_kernel_socket || !state.can_send() || !state.is_made() || state.is_handshaking() {
            return DirectWrite::Refused;
        }
        match stream.queue_content() {
            QueueContent::Bytes => return DirectWrite::Full,
            // Descriptors are sent with the next byte, which must come from the queue.
            QueueContent::Descriptors => return DirectWrite::Refused,
            QueueContent::Empty if !state.is_writable() => return DirectWrite::Full,
            QueueContent::Empty => {}
        }
        let result = stream.with_socket(|socket| {
            loop {
                match call(socket) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            }
        });
        match result {
            Ok(len) => {
                // A short write proves nothing here: the source may have had no more data.
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

/// What a queue contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueContent {
    Empty,
    Descriptors,
    Bytes,
}

impl Stream {
    /// Whether a producer waits until the socket is writable, with bytes that are not queued.
    pub(super) fn waits_for_writable(&self) -> bool {
        self.cold_if_any().is_some_and(|cold| cold.producers.waits_for_writable())
    }

    pub(super) fn queue_content(&self) -> QueueContent {
        let queue = self.queue.take();
        let waiting = match &queue {
            Some(queue) if !queue.is_empty() => QueueContent::Bytes,
            Some(queue) if !queue.is_idle() => QueueContent::Descriptors,
            _ => QueueContent::Empty,
        };
        self.queue.set(queue);
        waiting
    }
}
