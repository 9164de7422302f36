//! The protocol of a WebSocket after its handshake, at the server's end: [`WebSocketConnection`].
//!
//! | state | a message arrives | a close frame arrives | the peer half-closes | this end closes | silence |
//! |---|---|---|---|---|---|
//! | open | delivered | answered, then the connection is closed | 1006 | a close frame, and a timer | pings, then dropped |
//! | closing, the close frame sent | dropped | the connection is closed | closed | nothing more | dropped by the timer |

use std::{collections::VecDeque, fmt, rc::Rc};

use bytes::Bytes;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::{
    CloseCode, CloseReason, Message, MessageDecoder, Role, WebSocket, WebSocketConfig,
    WebSocketHandler,
};

/// Pings that may be unanswered.
const MISSED_MAX: u8 = 2;

/// Drives a [`WebSocketHandler`] on a connection. Made by [`WebSocketUpgrade`](super::WebSocketUpgrade).
pub struct WebSocketConnection<H> {
    handler: H,
    config: Rc<WebSocketConfig>,
    decoder: MessageDecoder,
    socket: Option<WebSocket>,
    /// Input that was not delivered because a callback paused reading.
    held: VecDeque<u8>,
    missed: u8,
}

impl<H: WebSocketHandler> WebSocketConnection<H> {
    pub(super) fn new(handler: H, config: Rc<WebSocketConfig>) -> Self {
        let decoder = MessageDecoder::new(Role::Server, config.messages);
        Self { handler, config, decoder, socket: None, held: VecDeque::new(), missed: 0 }
    }

    fn receive(&mut self, socket: &WebSocket, mut input: &[u8]) {
        let mut pong = None;
        while !input.is_empty() && socket.transport().is_reading() {
            match self.decoder.decode(&mut input) {
                // Pings that arrive together are answered once, for the last one (RFC 6455 5.5.3).
                Ok(Message::Ping(data)) => pong = Some(data.to_vec()),
                Ok(Message::Close(reason)) => {
                    self.close_received(socket, reason);
                    return;
                }
                Ok(Message::Incomplete) => break,
                // After this end has closed, messages are not delivered any more.
                Ok(_) if socket.is_closing() => {}
                Ok(Message::Text(text)) => self.handler.text(socket, text),
                Ok(Message::Binary(data)) => self.handler.binary(socket, data),
                Ok(Message::Pong(data)) => self.handler.pong(socket, data),
                Err(error) => {
                    tracing::debug!(%error, peer = %socket.peer(), "a WebSocket is closed");
                    socket.close(CloseReason::new(error.code(), &error.to_string()));
                    socket.transport().lose_connection();
                    return;
                }
            }
        }
        self.held.extend(input);
        if let Some(pong) = pong {
            socket.send_pong(&pong);
        }
    }

    /// The peer closes, or answers a close: it is answered, and the server closes the connection first (RFC 6455 7.1.1).
    fn close_received(&self, socket: &WebSocket, reason: CloseReason) {
        // A close without a code is answered by one without.
        socket.close(reason);
        socket.transport().lose_connection();
    }
}

impl<H: WebSocketHandler> Protocol for WebSocketConnection<H> {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_read_timeout(self.config.ping_after);
        let socket = WebSocket::new(transport, self.config.close_timeout);
        self.socket = Some(socket.clone());
        self.handler.opened(&socket);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.missed = 0;
        let Some(socket) = self.socket.clone() else { return };
        if self.held.is_empty() {
            return self.receive(&socket, data);
        }
        self.held.extend(data);
        self.reading_resumed(socket.transport());
    }

    fn reading_resumed(&mut self, _: &Transport) {
        let Some(socket) = self.socket.clone() else { return };
        let held: Vec<u8> = std::mem::take(&mut self.held).into();
        self.receive(&socket, &held);
    }

    fn writing_paused(&mut self, _: &Transport) {
        if let Some(socket) = &self.socket {
            self.handler.full(socket);
        }
    }

    fn writing_resumed(&mut self, _: &Transport) {
        if let Some(socket) = &self.socket {
            self.handler.writable(socket);
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        // The peer has not answered the close.
        transport.abort();
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let Some(socket) = self.socket.clone().filter(|socket| !socket.is_closing()) else {
            return;
        };
        if self.missed < MISSED_MAX {
            self.missed += 1;
            socket.ping(b"");
        } else {
            socket.set_reason(CloseReason::new(CloseCode::ABNORMAL, "pings were not answered"));
            transport.abort();
        }
    }

    fn drain_requested(&mut self, _: &Transport) {
        if let Some(socket) = &self.socket {
            socket.close(CloseCode::GOING_AWAY);
        }
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        Vec::from(std::mem::take(&mut self.held)).into()
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let given = self.socket.as_ref().and_then(WebSocket::reason);
        let reason =
            given.unwrap_or_else(|| CloseReason::new(CloseCode::ABNORMAL, &reason.to_string()));
        self.handler.closed(&reason);
    }
}

impl<H> fmt::Debug for WebSocketConnection<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConnection").field("socket", &self.socket).finish_non_exhaustive()
    }
}
