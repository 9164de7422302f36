//! The trait that users of a WebSocket implement: [`WebSocketHandler`], one object for each connection.

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

    /// A pong, solicited or not.
    fn pong(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// The output queue is above the high watermark: send no more until [`writable`](Self::writable).
    fn full(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// The output queue is at or below the low watermark.
    fn writable(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// The connection has ended: with the reason that the peer or this end gave first. [`CloseCode::ABNORMAL`] if it ended
    /// without a close frame.
    ///
    /// [`CloseCode::ABNORMAL`]: super::CloseCode::ABNORMAL
    fn closed(&mut self, reason: &CloseReason) {
        let _ = reason;
    }
}
