//! The protocol of a WebSocket after its handshake, at either end: [`WebSocketConnection`].
//!
//! | state | a message arrives | a close frame arrives | the peer half-closes | this end closes | silence |
//! |---|---|---|---|---|---|
//! | open | delivered | answered, then the server closes the connection | 1006 | a close frame after the queue, and a timer | pings, then dropped |
//! | closing | dropped | the server closes the connection | closed | nothing more | dropped by the timer |
//!
//! `sending.rs` and `closing.rs` have the details.

use std::{fmt, mem, rc::Rc};

use bytes::{Buf, Bytes, BytesMut};
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::{
    CloseCode, CloseReason, Message, MessageDecoder, Opcode, WebSocket, WebSocketError,
    WebSocketHandler,
    link::{Link, State},
};

/// Pings that may be unanswered.
const MISSED_MAX: u8 = 2;

/// Pings of one read that are answered one by one. Of further ones, only the last is answered (RFC 6455 5.5.3), so that a flood of pings is
/// not a flood of pongs.
const PONGS_PER_READ: usize = 16;

/// Drives a [`WebSocketHandler`] on a connection. Made by [`WebSocketUpgrade`](super::WebSocketUpgrade) and
/// [`WebSocketClient`](super::WebSocketClient).
pub struct WebSocketConnection<H> {
    handler: H,
    link: Rc<Link>,
}

/// The pings of one read.
struct Pings {
    answered: usize,
    /// The last one that was not answered yet.
    last: Option<Vec<u8>>,
}

impl<H: WebSocketHandler> WebSocketConnection<H> {
    pub(super) const fn new(handler: H, link: Rc<Link>) -> Self {
        Self { handler, link }
    }

    fn socket(&self, transport: &Transport) -> WebSocket {
        WebSocket { transport: transport.clone(), link: Rc::clone(&self.link) }
    }

    /// Delivers the messages in the input; how much of it was used. The rest waits until reading is resumed.
    fn receive(&mut self, socket: &WebSocket, input: &[u8]) -> usize {
        let shared = &socket.link.terms.shared;
        let mut rest = input;
        let mut pings = Pings { answered: 0, last: None };
        let received = socket.link.with_decoder(|decoder| {
            let mut spare = shared.partial.take();
            decoder.lend(&mut spare);
            let received = self.deliver(socket, decoder, &mut rest, &mut pings);
            shared.partial.set(decoder.take_back().or(spare));
            received
        });
        if let Some(payload) = pings.last {
            socket.send_control(Opcode::Pong, &payload);
        }
        if let Err(error) = received {
            tracing::debug!(%error, peer = %socket.peer(), "a WebSocket is closed");
            socket.end_now(CloseReason::new(error.code(), &error.to_string()));
            socket.transport.lose_connection();
            rest = &[];
        }
        input.len() - rest.len()
    }

    fn deliver(
        &mut self,
        socket: &WebSocket,
        decoder: &mut MessageDecoder,
        input: &mut &[u8],
        pings: &mut Pings,
    ) -> Result<(), WebSocketError> {
        while socket.transport.is_reading() {
            let message = decoder.decode(input)?;
            match message {
                Message::Incomplete => break,
                Message::Close(reason) => {
                    socket.close_received(reason);
                    break;
                }
                // After this end has closed, messages are not delivered any more.
                _ if socket.is_closing() => {}
                Message::Ping(data) => {
                    if pings.answered < PONGS_PER_READ && !self.is_full() {
                        pings.answered += 1;
                        socket.send_control(Opcode::Pong, data);
                    } else {
                        pings.last = Some(data.to_vec());
                    }
                    self.handler.ping(socket, data);
                }
                Message::Text(text) => self.handler.text(socket, text),
                Message::Binary(data) => self.handler.binary(socket, data),
                Message::TextPiece { text, is_last } => {
                    self.handler.text_piece(socket, text, is_last);
                }
                Message::BinaryPiece { data, is_last } => {
                    self.handler.binary_piece(socket, data, is_last);
                }
                Message::Pong(data) => self.handler.pong(socket, data),
            }
        }
        Ok(())
    }

    fn receive_held(&mut self, socket: &WebSocket) {
        let mut held = self.take_held();
        let used = self.receive(socket, &held);
        held.advance(used);
        self.hold(held);
    }

    fn take_held(&self) -> Bytes {
        self.link.update_if_any(|state| mem::take(&mut state.held)).unwrap_or_default()
    }

    fn hold(&self, input: Bytes) {
        if !input.is_empty() {
            self.link.update(|state| state.held = input);
        }
    }

    fn is_full(&self) -> bool {
        self.link.read(|state| state.is_full).unwrap_or(false)
    }

    /// Tells the handler whether there is room for messages, if that has changed or was asked for.
    fn tell_queue(&mut self, transport: &Transport) {
        let socket = self.socket(transport);
        if socket.is_closing() {
            return;
        }
        let is_above = |state: &State| state.is_above || state.has_frames();
        if self.link.read(is_above).unwrap_or(false) {
            if !self.link.update(|state| mem::replace(&mut state.is_full, true)) {
                self.handler.full(&socket);
            }
            return;
        }
        let was_full = self.link.update_if_any(|state| mem::take(&mut state.is_full));
        if self.link.take_owed() || was_full == Some(true) {
            self.handler.writable(&socket);
        }
    }
}

impl<H: WebSocketHandler> Protocol for WebSocketConnection<H> {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_read_timeout(self.link.terms.shared.config.ping_after);
        self.handler.opened(&self.socket(transport));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let socket = self.socket(transport);
        let held = self.link.update_if_any(|state| {
            state.missed = 0;
            mem::take(&mut state.held)
        });
        let Some(held) = held.filter(|held| !held.is_empty()) else {
            let used = self.receive(&socket, data);
            return self.hold(Bytes::copy_from_slice(&data[used..]));
        };
        let mut held = BytesMut::from(held);
        held.extend_from_slice(data);
        self.hold(held.freeze());
        self.receive_held(&socket);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.receive_held(&self.socket(transport));
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.link.update(|state| state.is_above = true);
        self.tell_queue(transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.link.update_if_any(|state| state.is_above = false);
        self.tell_queue(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let socket = self.socket(transport);
        if socket.close_timer_fired(timer) {
            return;
        }
        let tells = |state: &mut State| state.tell_timer.take_if(|tell| *tell == timer).is_some();
        if self.link.update_if_any(tells) == Some(true) {
            self.tell_queue(transport);
        } else if !socket.is_closing() {
            self.handler.timer_fired(&socket, timer);
        }
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let socket = self.socket(transport);
        if socket.is_closing() {
            return;
        }
        let missed = self.link.read(|state| state.missed).unwrap_or(0);
        if missed < MISSED_MAX {
            self.link.update(|state| state.missed = missed + 1);
            socket.ping(b"");
        } else {
            let reason = CloseReason::new(CloseCode::ABNORMAL, "pings were not answered");
            self.link.set_reason(reason);
            transport.abort();
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.socket(transport).close(CloseCode::GOING_AWAY);
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        self.take_held()
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.link.lost();
        let given = self.link.reason();
        let reason =
            given.unwrap_or_else(|| CloseReason::new(CloseCode::ABNORMAL, &reason.to_string()));
        self.handler.closed(&reason);
    }
}

impl<H> fmt::Debug for WebSocketConnection<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConnection")
            .field("closing", &self.link.is_closing())
            .finish_non_exhaustive()
    }
}
