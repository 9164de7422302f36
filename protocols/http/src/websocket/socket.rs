//! The handle of a WebSocket: [`WebSocket`].

use std::{fmt, rc::Rc, time::Duration};

use sinew_transports::{Peer, TimerId, Transport, reactor::Reactor};

use super::{CloseReason, MessageWriter, Opcode, PreparedMessage, link::Link};

/// A handle of a WebSocket that is cheap to clone and can be kept. Calls return at once and never call user code; after the end
/// they do nothing.
#[derive(Clone)]
pub struct WebSocket {
    pub(super) transport: Transport,
    pub(super) link: Rc<Link>,
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendStatus {
    /// The message will be sent.
    Ok,
    /// The message will be sent, but much is queued: [`writable`](super::WebSocketHandler::writable) is called once there is room.
    Full,
    /// The message was dropped: more than [`queue_max`](super::WebSocketConfig::queue_max) is queued.
    Dropped,
    /// The message was dropped: the connection is closing or closed.
    Closed,
}

impl WebSocket {
    /// Sends a text message.
    pub fn send_text(&self, text: &str) -> SendStatus {
        self.send_message(Opcode::Text, text.as_bytes())
    }

    /// Sends a binary message.
    pub fn send_binary(&self, data: impl AsRef<[u8]>) -> SendStatus {
        self.send_message(Opcode::Binary, data.as_ref())
    }

    /// Sends a prepared message. A client encodes it again, since each frame of a client has a mask of its own.
    pub fn send(&self, message: &PreparedMessage) -> SendStatus {
        self.send_prepared(message)
    }

    /// Begins a text message that is sent in parts, each in a frame of its own, so that the peer can have the first before the last is
    /// made. `None` if the connection is closing, or another message is being sent in parts. Messages that are sent meanwhile wait until
    /// it is complete.
    #[must_use]
    pub fn begin_text(&self) -> Option<MessageWriter<str>> {
        self.begin(Opcode::Text)
    }

    /// Begins a binary message, likewise.
    #[must_use]
    pub fn begin_binary(&self) -> Option<MessageWriter<[u8]>> {
        self.begin(Opcode::Binary)
    }

    fn begin<T: ?Sized>(&self, opcode: Opcode) -> Option<MessageWriter<T>> {
        self.begin_parts().then(|| MessageWriter::new(self, opcode))
    }

    /// Sends a ping, with the first 125 bytes of the data, before messages that are queued.
    pub fn ping(&self, data: &[u8]) -> SendStatus {
        self.send_control(Opcode::Ping, data)
    }

    /// Closes: sends a close frame after the queued messages, and waits for that of the peer. Only the first call has an effect.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        self.end(reason.into());
    }

    /// Closes, and drops the messages that are queued and not begun: for a peer that does not receive them fast enough.
    pub fn close_now(&self, reason: impl Into<CloseReason>) {
        self.end_now(reason.into());
    }

    /// Whether it is closing or closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.link.is_closing() || self.transport.is_closing()
    }

    /// The number of bytes that are queued and not yet accepted by the kernel.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.transport.queued() + self.link.queued()
    }

    /// Stops the delivery of messages until [`resume_reading`](Self::resume_reading): backpressure stops the peer.
    pub fn pause_reading(&self) {
        self.pause();
    }

    /// Resumes the delivery of messages, from the loop.
    pub fn resume_reading(&self) {
        self.resume();
    }

    /// Has [`timer_fired`](super::WebSocketHandler::timer_fired) called after this time, unless the connection ends or closes before.
    /// `None` if it has ended.
    pub fn call_later(&self, after: Duration) -> Option<TimerId> {
        self.transport.call_later(after)
    }

    /// Cancels a timer of [`call_later`](Self::call_later).
    pub fn cancel_timer(&self, timer: TimerId) {
        self.transport.cancel_timer(timer);
    }

    /// The reactor of the connection; `None` once it has been dropped.
    #[must_use]
    pub fn reactor(&self) -> Option<Reactor> {
        self.transport.reactor()
    }

    /// The subprotocol on which both ends have agreed.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.link.terms.agreement.protocol.as_deref()
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.transport.peer()
    }
}

impl PartialEq for WebSocket {
    /// Whether both are handles of the same connection.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for WebSocket {}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("peer", &self.transport.peer())
            .field("closing", &self.is_closing())
            .finish()
    }
}
