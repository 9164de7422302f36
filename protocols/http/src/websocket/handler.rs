//! The trait that users of a WebSocket implement: [`WebSocketHandler`], one object for each connection.

use sinew_transports::TimerId;

use super::{CloseReason, WebSocket};

/// One end of a WebSocket. [`opened`](Self::opened) is called first and once, [`closed`](Self::closed) last and once; all methods
/// are called by the loop.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{WebSocket, WebSocketHandler};
///
/// /// Echoes messages.
/// struct Echo;
///
/// impl WebSocketHandler for Echo {
///     fn text(&mut self, socket: &WebSocket, text: &str) {
///         socket.send_text(text);
///     }
///
///     fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
///         socket.send_binary(data);
///     }
/// }
/// ```
pub trait WebSocketHandler: 'static {
    /// The connection is open; sending is allowed from here on.
    fn opened(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// A text message.
    fn text(&mut self, socket: &WebSocket, text: &str) {
        let _ = (socket, text);
    }

    /// A binary message.
    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// A piece of a text message, of whole characters; the message ends with the last one, which may be empty. Called in the place of
    /// [`text`](Self::text) where messages are delivered [by piece](super::WebSocketConfig::by_piece).
    fn text_piece(&mut self, socket: &WebSocket, text: &str, is_last: bool) {
        let _ = (socket, text, is_last);
    }

    /// A piece of a binary message, likewise.
    fn binary_piece(&mut self, socket: &WebSocket, data: &[u8], is_last: bool) {
        let _ = (socket, data, is_last);
    }

    /// A ping. The answer is sent by itself.
    fn ping(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// A pong, solicited or not.
    fn pong(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// The peer does not receive as fast as messages are sent: send no more until [`writable`](Self::writable).
    fn full(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// There is room for messages again, after [`full`](Self::full) or [`SendStatus::Full`](super::SendStatus::Full).
    fn writable(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// A timer of [`WebSocket::call_later`] has expired. None does after [`WebSocket::close`].
    fn timer_fired(&mut self, socket: &WebSocket, timer: TimerId) {
        let _ = (socket, timer);
    }

    /// The connection has ended: with the reason that the peer or this end gave first. [`CloseCode::ABNORMAL`] if it ended
    /// without a close frame.
    ///
    /// [`CloseCode::ABNORMAL`]: super::CloseCode::ABNORMAL
    fn closed(&mut self, reason: &CloseReason) {
        let _ = reason;
    }
}
