//! The handle of a WebSocket: [`WebSocket`], and [`PreparedMessage`] for broadcasts.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_transports::{Peer, Transport, WriteStatus};

use super::{CloseReason, Opcode, encode_frame};

/// A handle of a WebSocket that is cheap to clone and can be kept. Calls return at once and never call user code; after the end
/// they do nothing.
#[derive(Clone)]
pub struct WebSocket {
    transport: Transport,
    state: Rc<RefCell<State>>,
}

pub(super) struct State {
    /// The reason that this end has sent, or that the peer gave first.
    pub(super) reason: Option<CloseReason>,
    close_timeout: Duration,
}

/// A message that is encoded once and sent to many peers: `write_bytes` queues it without a copy, if it is 4 KiB or more.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{PreparedMessage, WebSocket};
///
/// fn tell_all(sockets: &[WebSocket], news: &str) {
///     let message = PreparedMessage::text(news);
///     for socket in sockets {
///         socket.send(&message);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage(Bytes);

impl PreparedMessage {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::new(Opcode::Binary, data)
    }

    fn new(opcode: Opcode, payload: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        encode_frame(&mut frame, opcode, true, payload, None);
        Self(frame.into())
    }
}

impl WebSocket {
    pub(super) fn new(transport: &Transport, close_timeout: Duration) -> Self {
        let state = State { reason: None, close_timeout };
        Self { transport: transport.clone(), state: Rc::new(RefCell::new(state)) }
    }

    /// Sends text.
    pub fn send_text(&self, text: &str) -> WriteStatus {
        self.send_frame(Opcode::Text, text.as_bytes())
    }

    /// Sends bytes.
    pub fn send_binary(&self, data: impl AsRef<[u8]>) -> WriteStatus {
        self.send_frame(Opcode::Binary, data.as_ref())
    }

    /// Sends a prepared message.
    pub fn send(&self, message: &PreparedMessage) -> WriteStatus {
        match self.is_closing() {
            true => WriteStatus::Closed,
            false => self.transport.write_bytes(message.0.clone()),
        }
    }

    /// Sends a ping, with the first 125 bytes of the data.
    pub fn ping(&self, data: &[u8]) -> WriteStatus {
        self.send_frame(Opcode::Ping, &data[..data.len().min(125)])
    }

    pub(super) fn send_pong(&self, data: &[u8]) -> WriteStatus {
        self.send_frame(Opcode::Pong, data)
    }

    /// Closes: sends a close frame after the queued messages, and waits for that of the peer. Only the first call has an effect.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        if self.is_closing() {
            return;
        }
        let reason = reason.into();
        self.send_frame(Opcode::Close, &reason.payload());
        let mut state = self.state.borrow_mut();
        state.reason = Some(reason);
        // The close timer is the only one from here on.
        self.transport.call_later(state.close_timeout);
    }

    /// Whether it is closing or closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.state.borrow().reason.is_some() || self.transport.is_closing()
    }

    /// How many bytes are queued and not yet taken by the system.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.transport.queued()
    }

    /// Stops the delivery of messages until [`resume_reading`](Self::resume_reading): backpressure stops the peer.
    pub fn pause_reading(&self) {
        self.transport.pause_reading();
    }

    /// Resumes the delivery of messages, from the loop.
    pub fn resume_reading(&self) {
        self.transport.resume_reading();
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.transport.peer()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn reason(&self) -> Option<CloseReason> {
        self.state.borrow().reason.clone()
    }

    pub(super) fn set_reason(&self, reason: CloseReason) {
        self.state.borrow_mut().reason.get_or_insert(reason);
    }

    fn send_frame(&self, opcode: Opcode, payload: &[u8]) -> WriteStatus {
        if self.is_closing() {
            return WriteStatus::Closed;
        }
        let mut head = Vec::with_capacity(16);
        if payload.len() < 4 * 1024 {
            encode_frame(&mut head, opcode, true, payload, None);
            return self.transport.write(&head);
        }
        let mut frame = Vec::with_capacity(payload.len() + 10);
        encode_frame(&mut frame, opcode, true, payload, None);
        self.transport.write_bytes(frame.into())
    }
}

impl PartialEq for WebSocket {
    /// Whether both are handles of the same connection.
    fn eq(&self, other: &Self) -> bool {
        self.transport == other.transport
    }
}

impl Eq for WebSocket {}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("peer", &self.peer())
            .field("closing", &self.is_closing())
            .finish()
    }
}
