//! What users write for a WebSocket: [`WebSocketHandler`], one object a connection.

use super::{CloseReason, WebSocket};

/// One end of a WebSocket. [`opened`](Self::opened) comes first and once, [`closed`](Self::closed) last and once; both are called by the
/// loop, as all others.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{WebSocket, WebSocketHandler};
///
/// /// Sends back what comes.
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
    /// The connection stands; sending is allowed from here on.
    fn opened(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// A message of text.
    fn text(&mut self, socket: &WebSocket, text: &str) {
        let _ = (socket, text);
    }

    /// A message of bytes.
    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// A pong, asked for or not.
    fn pong(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// What is queued has passed the high watermark: send no more until [`writable`](Self::writable).
    fn full(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// What is queued has sunk to the low watermark.
    fn writable(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// The connection is over: with the reason that the peer gave, or that this end gave first. [`CloseCode::ABNORMAL`] if it ended
    /// without a close frame.
    ///
    /// [`CloseCode::ABNORMAL`]: super::CloseCode::ABNORMAL
    fn closed(&mut self, reason: &CloseReason) {
        let _ = reason;
    }
}
