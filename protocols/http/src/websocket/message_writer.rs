//! A message that is sent in parts: [`MessageWriter`].

use std::{fmt, marker::PhantomData};

use super::{Opcode, SendStatus, WebSocket};

/// Sends a message in parts, each in a frame of its own (RFC 6455 5.4): [`WebSocket::begin_text`](super::WebSocket::begin_text) and
/// [`begin_binary`](super::WebSocket::begin_binary).
///
/// Dropped without [`finish`](Self::finish), after a part was sent, it closes the connection with
/// [`CloseCode::INTERNAL`](super::CloseCode::INTERNAL), since the peer must not take what it has for the whole message.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::WebSocket;
///
/// fn count(socket: &WebSocket) {
///     let Some(mut message) = socket.begin_text() else { return };
///     for number in 1..=3 {
///         message.write(&format!("{number}\n"));
///     }
///     message.finish();
/// }
/// ```
#[must_use = "dropping it closes the connection"]
pub struct MessageWriter<T: ?Sized> {
    socket: WebSocket,
    opcode: Opcode,
    is_complete: bool,
    of: PhantomData<fn(&T)>,
}

impl<T: ?Sized> MessageWriter<T> {
    pub(super) fn new(socket: &WebSocket, opcode: Opcode) -> Self {
        Self { socket: socket.clone(), opcode, is_complete: false, of: PhantomData }
    }

    /// Completes the message.
    pub fn finish(mut self) -> SendStatus {
        self.is_complete = true;
        self.socket.send_part(self.opcode, b"", true)
    }
}

impl<T: ?Sized + AsRef<[u8]>> MessageWriter<T> {
    /// Sends the next part.
    pub fn write(&mut self, part: &T) -> SendStatus {
        self.socket.send_part(self.opcode, part.as_ref(), false)
    }
}

impl<T: ?Sized> Drop for MessageWriter<T> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.socket.abandon_parts();
        }
    }
}

impl<T: ?Sized> fmt::Debug for MessageWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("opcode", &self.opcode).finish_non_exhaustive()
    }
}
