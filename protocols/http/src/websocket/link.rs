//! What the protocol and the handles of a WebSocket share: [`Link`]. It sends frames, or queues them while the transport is full, and closes.
//!
//! | state | data message sent | control frame sent | close frame received | close timer fires |
//! |---|---|---|---|---|
//! | open | to the transport, or into the queue if that is full | to the transport | answered, the queue is dropped | – |
//! | closing, messages in the queue | refused | to the transport | answered, the queue is dropped | dropped, unless the queue has become shorter |
//! | closing, close frame sent | refused | refused | the end | dropped, unless the peer has received something |

use std::{cell::RefCell, collections::VecDeque, fmt, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_transports::{Producer, Production, TimerId, Transport, WriteStatus};

use super::{
    CloseCode, CloseReason, MessageEncoder, Opcode, Overflow, PreparedMessage, Role, SendStatus,
    codec::Agreement, shared::Shared,
};

/// At most so much is queued in a transport that is not above its high watermark any more.
const LOW: usize = 16 * 1024;

pub(super) struct Link {
    pub(super) transport: Transport,
    pub(super) shared: Rc<Shared>,
    pub(super) role: Role,
    pub(super) protocol: Option<Box<str>>,
    state: RefCell<State>,
}

struct State {
    encoder: MessageEncoder,
    /// The transport was above its high watermark when it was written to.
    was_above: bool,
    /// A message was sent although much was queued: `writable` is called once there is room.
    owes_writable: bool,
    is_paused_by_user: bool,
    is_paused_by_queue: bool,
    queue: Option<Box<Queue>>,
    closing: Option<Box<Closing>>,
}

/// Messages that wait until the transport has room.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Messages that wait until one that is sent in parts is complete, not encoded.
    messages: VecDeque<(Opcode, Bytes)>,
}

struct Closing {
    reason: CloseReason,
    is_sent: bool,
    is_answered: bool,
    timer: Option<TimerId>,
    /// What was queued when the timer was set, without the close frame.
    queued: usize,
}

impl Link {
    pub(super) fn new(
        transport: &Transport,
        shared: Rc<Shared>,
        role: Role,
        agreement: &Agreement,
    ) -> Self {
        let config = &shared.config;
        let mut encoder = MessageEncoder::new(role).fragment_len(config.fragment_len);
        if let Some(params) = &agreement.deflate {
            encoder = encoder.deflate_in(params, &shared.pool);
        }
        let state = State {
            encoder,
            was_above: false,
            owes_writable: false,
            is_paused_by_user: false,
            is_paused_by_queue: false,
            queue: None,
            closing: None,
        };
        let protocol = agreement.protocol.as_deref().map(Box::from);
        Self { transport: transport.clone(), shared, role, protocol, state: RefCell::new(state) }
    }

    // ---- sending ----

    pub(super) fn send(self: &Rc<Self>, opcode: Opcode, payload: &[u8]) -> SendStatus {
        if let Err(refused) = self.check_room() {
            return refused;
        }
        let mut state = self.state.borrow_mut();
        if state.encoder.is_in_message() {
            let message = (opcode, Bytes::copy_from_slice(payload));
            return state.hold(message);
        }
        self.send_encoded(&mut state, opcode, payload)
    }

    pub(super) fn send_prepared(self: &Rc<Self>, message: &PreparedMessage) -> SendStatus {
        if let Err(refused) = self.check_room() {
            return refused;
        }
        let mut state = self.state.borrow_mut();
        let payload = message.payload();
        if state.encoder.is_in_message() {
            return state.hold((message.opcode(), payload));
        }
        if self.role == Role::Client {
            return self.send_encoded(&mut state, message.opcode(), &payload);
        }
        let frame = message.frame(state.encoder.deflater());
        self.put(&mut state, Frame::Shared(frame))
    }

    /// Sends a part of a message; no other message is sent before its last part.
    pub(super) fn send_part(
        self: &Rc<Self>,
        opcode: Opcode,
        part: &[u8],
        is_last: bool,
    ) -> SendStatus {
        if self.is_closing() {
            return SendStatus::Closed;
        }
        let mut state = self.state.borrow_mut();
        let mut status = self.shared.with_scratch(|out| {
            state.encoder.encode_part(out, opcode, part, is_last, &mut || self.mask());
            self.put(&mut state, Frame::Copied(out))
        });
        if is_last && let Some(held) = self.send_held(&mut state) {
            status = held;
        }
        status
    }

    /// Reserves the connection for a message in parts. `false` if it is reserved, or closing.
    pub(super) fn begin_parts(&self) -> bool {
        let is_closing = self.is_closing();
        let encoder = &mut self.state.borrow_mut().encoder;
        let is_free = !is_closing && !encoder.is_in_message();
        if is_free {
            encoder.begin();
        }
        is_free
    }

    /// A message in parts will not be completed.
    pub(super) fn abandon_parts(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.encoder.cancel() {
            self.send_held(&mut state);
        } else {
            drop(state);
            self.close_now(CloseReason::new(CloseCode::INTERNAL, "a message was not completed"));
        }
    }

    fn send_held(self: &Rc<Self>, state: &mut State) -> Option<SendStatus> {
        let mut status = None;
        while let Some((opcode, payload)) = state.take_held() {
            status = Some(self.send_encoded(state, opcode, &payload));
        }
        status
    }

    /// A ping or pong, before all messages that are queued.
    pub(super) fn send_control(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        if self.is_closing() {
            return SendStatus::Closed;
        }
        self.write_control(&mut self.state.borrow_mut(), opcode, &payload[..payload.len().min(125)])
    }

    fn send_encoded(
        self: &Rc<Self>,
        state: &mut State,
        opcode: Opcode,
        payload: &[u8],
    ) -> SendStatus {
        let mut ends = Vec::new();
        let is_one = self.shared.config.fragment_len.is_none_or(|len| payload.len() <= len);
        self.shared.with_scratch(|out| {
            state.encoder.encode_frames(out, opcode, payload, &mut || self.mask(), &mut |end| {
                if !is_one {
                    ends.push(end);
                }
            });
            let mut status = SendStatus::Ok;
            let mut start = 0;
            for end in ends.iter().copied().chain(is_one.then_some(out.len())) {
                status = self.put(state, Frame::Copied(&out[start..end]));
                start = end;
            }
            status
        })
    }

    fn write_control(&self, state: &mut State, opcode: Opcode, payload: &[u8]) -> SendStatus {
        self.shared.with_scratch(|out| {
            state.encoder.encode(out, opcode, payload, &mut || self.mask());
            self.written(state, self.transport.write(out))
        })
    }

    fn mask(&self) -> [u8; 4] {
        self.shared.random(self.transport.reactor().as_ref())
    }

    /// Gives a frame to the transport, or queues it.
    fn put(self: &Rc<Self>, state: &mut State, frame: Frame<'_>) -> SendStatus {
        let is_queueing = state.queue.as_ref().is_some_and(|queue| !queue.frames.is_empty());
        let is_above = state.was_above && self.transport.queued() > LOW;
        if !is_queueing && !is_above {
            let status = match frame {
                Frame::Copied(frame) => self.transport.write(frame),
                Frame::Shared(frame) => self.transport.write_bytes(frame),
            };
            return self.written(state, status);
        }
        let frame = match frame {
            Frame::Copied(frame) => Bytes::copy_from_slice(frame),
            Frame::Shared(frame) => frame,
        };
        let queue = state.queue.get_or_insert_default();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        if !is_queueing {
            if !self.transport.stream(FromQueue(Rc::clone(self))) {
                state.queue = None;
                return SendStatus::Closed;
            }
            if self.shared.config.queue_max == usize::MAX && state.closing.is_none() {
                state.is_paused_by_queue = true;
                self.transport.pause_reading();
            }
        }
        self.will_tell(state);
        SendStatus::Full
    }

    /// Has the loop call `full` or `writable` in its next turn.
    fn will_tell(&self, state: &mut State) {
        if !std::mem::replace(&mut state.owes_writable, true) {
            self.transport.call_later(Duration::ZERO);
        }
    }

    fn written(&self, state: &mut State, status: WriteStatus) -> SendStatus {
        match status {
            WriteStatus::Closed => SendStatus::Closed,
            WriteStatus::AboveHighWatermark => {
                state.was_above = true;
                self.will_tell(state);
                SendStatus::Full
            }
            _ => {
                state.was_above = false;
                SendStatus::Ok
            }
        }
    }

    fn check_room(self: &Rc<Self>) -> Result<(), SendStatus> {
        if self.is_closing() {
            return Err(SendStatus::Closed);
        }
        let config = &self.shared.config;
        if config.queue_max == usize::MAX || self.queued() <= config.queue_max {
            return Ok(());
        }
        Err(match config.overflow {
            Overflow::DropNewest => SendStatus::Dropped,
            Overflow::Disconnect => {
                self.close_now(CloseReason::new(CloseCode::POLICY, "messages were not received"));
                SendStatus::Closed
            }
        })
    }

    pub(super) fn queued(&self) -> usize {
        self.transport.queued() + self.state.borrow().queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Whether messages wait in the queue.
    pub(super) fn has_queue(&self) -> bool {
        self.state.borrow().queue.as_ref().is_some_and(|queue| !queue.frames.is_empty())
    }

    /// Gives the next frame of the queue to the transport.
    fn drain_queue(&self) -> Production {
        let mut state = self.state.borrow_mut();
        let Some(queue) = &mut state.queue else { return Production::Done };
        if let Some(frame) = queue.frames.pop_front() {
            queue.bytes -= frame.len();
            let is_last = queue.frames.is_empty();
            let status = self.transport.write_bytes(frame);
            self.written(&mut state, status);
            if !is_last {
                return Production::More;
            }
        }
        state.queue.take_if(|queue| queue.messages.is_empty());
        self.queue_is_empty(&mut state);
        Production::Done
    }

    fn queue_is_empty(&self, state: &mut State) {
        if state.is_paused_by_queue {
            state.is_paused_by_queue = false;
            if !state.is_paused_by_user {
                self.transport.resume_reading();
            }
        }
        if state.closing.as_ref().is_some_and(|closing| !closing.is_sent) {
            self.send_close(state);
        } else {
            // `writable` is called by the loop.
            self.transport.call_later(Duration::ZERO);
        }
    }

    /// Whether `writable` is to be called, if there is room.
    pub(super) fn take_owed(&self) -> bool {
        std::mem::take(&mut self.state.borrow_mut().owes_writable)
    }

    // ---- reading ----

    pub(super) fn pause_reading(&self) {
        self.state.borrow_mut().is_paused_by_user = true;
        self.transport.pause_reading();
    }

    pub(super) fn resume_reading(&self) {
        let mut state = self.state.borrow_mut();
        state.is_paused_by_user = false;
        if !state.is_paused_by_queue {
            self.transport.resume_reading();
        }
    }

    // ---- closing ----

    pub(super) fn is_closing(&self) -> bool {
        self.state.borrow().closing.is_some() || self.transport.is_closing()
    }

    /// Why it is closed, if either end has said so.
    pub(super) fn reason(&self) -> Option<CloseReason> {
        self.state.borrow().closing.as_ref().map(|closing| closing.reason.clone())
    }

    pub(super) fn set_reason(&self, reason: CloseReason) {
        let mut state = self.state.borrow_mut();
        if state.closing.is_none() {
            state.closing = Some(Closing::new(reason));
        }
    }

    /// Closes after the messages that are queued.
    pub(super) fn close(&self, reason: CloseReason) {
        if self.is_closing() {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.closing = Some(Closing::new(reason));
        if state.queue.as_ref().is_none_or(|queue| queue.frames.is_empty()) {
            self.send_close(&mut state);
        } else {
            self.set_timer(&mut state);
        }
        // Else the peer's answer would not be read.
        (state.is_paused_by_user, state.is_paused_by_queue) = (false, false);
        self.transport.resume_reading();
    }

    /// Closes, and drops the messages that are queued and not begun.
    pub(super) fn close_now(&self, reason: CloseReason) {
        self.state.borrow_mut().queue = None;
        self.close(reason);
        // A close that waited for the queue.
        let mut state = self.state.borrow_mut();
        if state.closing.as_ref().is_some_and(|closing| !closing.is_sent) {
            self.send_close(&mut state);
        }
    }

    /// The peer has sent a close frame. Whether it is the server that closes the connection now (RFC 6455 7.1.1).
    pub(super) fn close_received(&self, reason: CloseReason) {
        self.close_now(reason);
        let mut state = self.state.borrow_mut();
        if let Some(closing) = &mut state.closing {
            closing.is_answered = true;
        }
        match self.role {
            Role::Server => self.transport.lose_connection(),
            // The server closes the connection; the timer runs until it does.
            Role::Client => {}
        }
    }

    fn send_close(&self, state: &mut State) {
        let Some(closing) = &mut state.closing else { return };
        closing.is_sent = true;
        let payload = closing.reason.payload();
        self.set_timer(state);
        self.write_control(state, Opcode::Close, &payload);
    }

    fn set_timer(&self, state: &mut State) {
        let queued = self.transport.queued() + state.queue.as_ref().map_or(0, |queue| queue.bytes);
        let Some(closing) = &mut state.closing else { return };
        if let Some(timer) = closing.timer.take() {
            self.transport.cancel_timer(timer);
        }
        closing.queued = queued;
        closing.timer = self.transport.call_later(self.shared.config.close_timeout);
    }

    /// Whether it was the timer of the close. If nothing has been received by the peer since it was set, the connection is dropped.
    pub(super) fn timer_fired(&self, timer: TimerId) -> bool {
        let queued = self.queued();
        let mut state = self.state.borrow_mut();
        let Some(closing) = &mut state.closing else { return false };
        if closing.timer != Some(timer) {
            return false;
        }
        closing.timer = None;
        if closing.is_answered {
            self.transport.lose_connection();
        } else if queued < closing.queued {
            self.set_timer(&mut state);
        } else {
            self.transport.abort();
        }
        true
    }

    /// Ends what refers to this link from its own queue.
    pub(super) fn lost(&self) {
        let queue = self.state.borrow_mut().queue.take();
        drop(queue);
    }
}

enum Frame<'a> {
    Copied(&'a [u8]),
    Shared(Bytes),
}

impl State {
    fn hold(&mut self, message: (Opcode, Bytes)) -> SendStatus {
        let queue = self.queue.get_or_insert_default();
        queue.bytes += message.1.len();
        queue.messages.push_back(message);
        SendStatus::Full
    }

    fn take_held(&mut self) -> Option<(Opcode, Bytes)> {
        let queue = self.queue.as_mut()?;
        let message = queue.messages.pop_front();
        if let Some((_, payload)) = &message {
            queue.bytes -= payload.len();
        }
        self.queue.take_if(|queue| queue.frames.is_empty() && queue.messages.is_empty());
        message
    }
}

impl Closing {
    fn new(reason: CloseReason) -> Box<Self> {
        Box::new(Self { reason, is_sent: false, is_answered: false, timer: None, queued: 0 })
    }
}

/// Writes the queue when the transport has room.
struct FromQueue(Rc<Link>);

impl Producer for FromQueue {
    fn produce(&mut self, _: &Transport) -> Production {
        self.0.drain_queue()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("peer", &self.transport.peer())
            .field("closing", &self.is_closing())
            .finish()
    }
}
