//! The connection of a client until its handshake is answered: [`ClientOpening`].

use std::{cell::RefCell, fmt, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Promise};

use super::{OpenError, Parts};
use crate::websocket::{
    Role, WebSocket, WebSocketConnection, WebSocketHandler, codec::Agreement, link::Link,
    shared::Terms,
};

/// What waits for the result, and how it can stop what is in progress.
#[derive(Default)]
pub(super) struct Attempt {
    pub(super) promise: Option<Promise<WebSocket, OpenError>>,
    pub(super) transport: Option<Transport>,
}

/// The protocol of a connection that [`WebSocketClient`](super::WebSocketClient) makes. Once the handshake is answered, the connection goes
/// to a [`WebSocketConnection`].
pub struct ClientOpening<H> {
    parts: Rc<Parts>,
    handler: Option<H>,
    attempt: Rc<RefCell<Attempt>>,
    key: [u8; 16],
    input: Vec<u8>,
    seen: usize,
    timer: Option<TimerId>,
}

impl<H: WebSocketHandler> ClientOpening<H> {
    pub(super) fn new(parts: Rc<Parts>, handler: H, attempt: Rc<RefCell<Attempt>>) -> Self {
        let (key, input, seen, timer) = ([0; 16], Vec::new(), 0, None);
        Self { parts, handler: Some(handler), attempt, key, input, seen, timer }
    }

    /// The server has agreed: the rest of the input, and the connection, go to the WebSocket.
    fn opened(&mut self, transport: &Transport, agreement: Agreement) {
        let Some(handler) = self.handler.take() else { return };
        if let Some(timer) = self.timer.take() {
            transport.cancel_timer(timer);
        }
        let link = Link::new(Terms::of(&self.parts.shared, Role::Client, agreement));
        let socket = WebSocket { transport: transport.clone(), link: Rc::clone(&link) };
        if let Err(error) = transport.set_protocol(WebSocketConnection::new(handler, link)) {
            let why = error.reason.to_string();
            return self.fail(transport, OpenError::Lost { why }, &error.reason);
        }
        let promise = self.attempt.borrow_mut().promise.take();
        if let Some(promise) = promise {
            promise.resolve(socket);
        }
    }

    fn fail(&self, transport: &Transport, error: OpenError, why: &dyn fmt::Display) {
        tracing::debug!(%why, peer = %transport.peer(), "a WebSocket was not opened");
        let promise = self.attempt.borrow_mut().promise.take();
        match promise {
            Some(promise) => {
                promise.reject(error);
                transport.lose_connection();
            }
            None => transport.fail(error),
        }
    }
}

impl<H: WebSocketHandler> Protocol for ClientOpening<H> {
    fn connection_made(&mut self, transport: &Transport) {
        self.attempt.borrow_mut().transport = Some(transport.clone());
        match self.parts.shared.random(transport.reactor().as_ref()) {
            Ok(key) => self.key = key,
            Err(error) => {
                let why = error.to_string();
                return self.fail(transport, OpenError::NoRandomNumber { why }, &error);
            }
        }
        let mut request = Vec::new();
        match self.parts.handshake.request(&mut request, self.key) {
            Ok(()) => {
                transport.write(request);
                self.timer = transport.call_later(self.parts.timeout);
            }
            Err(error) => {
                let why = error.to_string();
                self.fail(transport, OpenError::Target(error), &why);
            }
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.input.extend_from_slice(data);
        if self.handler.is_none() {
            return;
        }
        match self.parts.handshake.response(&self.input, self.seen, self.key) {
            Ok(None) => self.seen = self.input.len(),
            Ok(Some((agreement, len))) => {
                self.input.drain(..len);
                self.opened(transport, agreement);
            }
            Err(error) => {
                self.handler = None;
                let why = error.to_string();
                self.fail(transport, OpenError::Handshake(error), &why);
            }
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        let after = self.parts.timeout;
        self.handler = None;
        self.fail(transport, OpenError::TimedOut { after }, &"it took too long");
        transport.abort();
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        mem::take(&mut self.input).into()
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let attempt = mem::take(&mut *self.attempt.borrow_mut());
        if let Some(promise) = attempt.promise {
            promise.reject(OpenError::Lost { why: reason.to_string() });
        }
    }
}

impl<H> fmt::Debug for ClientOpening<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOpening").field("parts", &self.parts).finish_non_exhaustive()
    }
}
