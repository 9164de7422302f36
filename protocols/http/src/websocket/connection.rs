//! The protocol of a WebSocket after its handshake, at either end: [`WebSocketConnection`].
//!
//! | state | a message arrives | a close frame arrives | the peer half-closes | this end closes | silence |
//! |---|---|---|---|---|---|
//! | open | delivered | answered, then the server closes the connection | 1006 | a close frame after the queue, and a timer | pings, then dropped |
//! | closing | dropped | the server closes the connection | closed | nothing more | dropped by the timer |
//!
//! `link.rs` has the details of sending and closing.

use std::{fmt, mem, rc::Rc};

use bytes::{Buf, Bytes, BytesMut};
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::{
    CloseCode, CloseReason, Message, MessageDecoder, Opcode, Role, WebSocket, WebSocketError,
    WebSocketHandler, codec::Agreement, link::Link, shared::Shared,
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
    shared: Rc<Shared>,
    decoder: MessageDecoder,
    /// Until the connection is made.
    agreement: Option<Box<Agreement>>,
    socket: Option<WebSocket>,
    /// Input that was not delivered because a callback paused reading.
    held: Option<Box<Bytes>>,
    missed: u8,
    /// The transport is above its high watermark.
    is_above: bool,
    /// `full` was called, and `writable` was not yet.
    is_full: bool,
}

/// The pings of one read.
struct Pings {
    answered: usize,
    /// The last one that was not answered yet.
    last: Option<Vec<u8>>,
}

impl<H: WebSocketHandler> WebSocketConnection<H> {
    /// The handle is made with the connection.
    pub(super) fn new(handler: H, role: Role, shared: Rc<Shared>, agreement: Agreement) -> Self {
        let mut this = Self::without_socket(handler, role, shared, &agreement);
        this.agreement = Some(Box::new(agreement));
        this
    }

    /// A client's end, whose connection is there already.
    pub(super) fn with_socket(
        handler: H,
        shared: Rc<Shared>,
        agreement: &Agreement,
        socket: WebSocket,
    ) -> Self {
        let mut this = Self::without_socket(handler, Role::Client, shared, agreement);
        this.socket = Some(socket);
        this
    }

    fn without_socket(handler: H, role: Role, shared: Rc<Shared>, agreement: &Agreement) -> Self {
        let config = &shared.config;
        let mut decoder = MessageDecoder::new(role, config.messages).by_piece(config.by_piece);
        if let Some(params) = &agreement.deflate {
            decoder = decoder.deflate_in(params, &shared.pool);
        }
        Self {
            handler,
            shared,
            decoder,
            agreement: None,
            socket: None,
            held: None,
            missed: 0,
            is_above: false,
            is_full: false,
        }
    }

    /// Delivers the messages in the input; how much of it was used. The rest waits until reading is resumed.
    fn receive(&mut self, socket: &WebSocket, input: &[u8]) -> usize {
        let shared = Rc::clone(&self.shared);
        let mut spare = shared.partial.take();
        self.decoder.lend(&mut spare);
        let mut rest = input;
        let mut pings = Pings { answered: 0, last: None };
        let received = self.deliver(socket, &mut rest, &mut pings);
        if let Some(payload) = pings.last {
            socket.link.send_control(Opcode::Pong, &payload);
        }
        if let Err(error) = received {
            tracing::debug!(%error, peer = %socket.peer(), "a WebSocket is closed");
            socket.link.close_now(CloseReason::new(error.code(), &error.to_string()));
            socket.transport().lose_connection();
            rest = &[];
        }
        shared.partial.set(self.decoder.take_back().or(spare));
        input.len() - rest.len()
    }

    fn deliver(
        &mut self,
        socket: &WebSocket,
        input: &mut &[u8],
        pings: &mut Pings,
    ) -> Result<(), WebSocketError> {
        while socket.transport().is_reading() {
            let message = self.decoder.decode(input)?;
            match message {
                Message::Incomplete => break,
                Message::Close(reason) => {
                    socket.link.close_received(reason);
                    break;
                }
                // After this end has closed, messages are not delivered any more.
                _ if socket.is_closing() => {}
                Message::Ping(data) => {
                    if pings.answered < PONGS_PER_READ && !self.is_full {
                        pings.answered += 1;
                        socket.link.send_control(Opcode::Pong, data);
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

    fn take_held(&mut self) -> Bytes {
        self.held.take().map(|held| *held).unwrap_or_default()
    }

    fn hold(&mut self, input: Bytes) {
        self.held = Some(input).filter(|input| !input.is_empty()).map(Box::new);
    }

    /// Tells the handler whether there is room for messages, if that has changed or was asked for.
    fn tell_queue(&mut self) {
        let Some(socket) = self.socket.clone().filter(|socket| !socket.is_closing()) else {
            return;
        };
        if self.is_above || socket.link.has_queue() {
            if !mem::replace(&mut self.is_full, true) {
                self.handler.full(&socket);
            }
        } else if mem::replace(&mut self.is_full, false) | socket.link.take_owed() {
            self.handler.writable(&socket);
        }
    }
}

impl<H: WebSocketHandler> Protocol for WebSocketConnection<H> {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_read_timeout(self.shared.config.ping_after);
        let agreement = self.agreement.take().unwrap_or_default();
        let (shared, role) = (Rc::clone(&self.shared), self.decoder.role());
        let new = || WebSocket { link: Rc::new(Link::new(transport, shared, role, &agreement)) };
        let socket = self.socket.get_or_insert_with(new).clone();
        self.handler.opened(&socket);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.missed = 0;
        let Some(socket) = self.socket.clone() else { return };
        if self.held.is_none() {
            let used = self.receive(&socket, data);
            return self.hold(Bytes::copy_from_slice(&data[used..]));
        }
        let mut held = BytesMut::from(self.take_held());
        held.extend_from_slice(data);
        self.hold(held.freeze());
        self.receive_held(&socket);
    }

    fn reading_resumed(&mut self, _: &Transport) {
        if let Some(socket) = self.socket.clone() {
            self.receive_held(&socket);
        }
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.is_above = true;
        self.tell_queue();
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.is_above = false;
        self.tell_queue();
    }

    fn timer_fired(&mut self, _: &Transport, timer: TimerId) {
        let Some(socket) = &self.socket else { return };
        if !socket.link.timer_fired(timer) {
            self.tell_queue();
        }
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let Some(socket) = self.socket.clone().filter(|socket| !socket.is_closing()) else {
            return;
        };
        if self.missed < MISSED_MAX {
            self.missed += 1;
            socket.ping(b"");
        } else {
            let reason = CloseReason::new(CloseCode::ABNORMAL, "pings were not answered");
            socket.link.set_reason(reason);
            transport.abort();
        }
    }

    fn drain_requested(&mut self, _: &Transport) {
        if let Some(socket) = &self.socket {
            socket.close(CloseCode::GOING_AWAY);
        }
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        self.take_held()
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let Some(socket) = self.socket.take() else { return };
        socket.link.lost();
        let given = socket.link.reason();
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
