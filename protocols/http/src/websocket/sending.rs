//! How a WebSocket sends frames, or queues them while the transport is full. What an end does when it closes is in `closing.rs`.
//!
//! | state | data message sent | control frame sent |
//! |---|---|---|
//! | open | to the transport, or into the queue if that is full | to the transport |
//! | closing, messages in the queue | refused | to the transport |
//! | closing, close frame sent | refused | refused |

use std::{mem, time::Duration};

use bytes::Bytes;
use sinew_transports::{Producer, Production, Transport, WriteStatus};

use super::{
    CloseCode, CloseReason, MessageEncoder, Opcode, Overflow, PreparedMessage, Role, SendStatus,
    WebSocket, shared::Shared,
};

/// At most so much is queued in a transport that is not above its high watermark any more.
const LOW: usize = 16 * 1024;

enum Frame<'a> {
    Copied(&'a [u8]),
    Shared(Bytes),
}

impl WebSocket {
    pub(super) fn send_message(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        if let Err(refused) = self.check_room() {
            return refused;
        }
        if self.link.is_in_message() {
            return self.hold_message(opcode, Bytes::copy_from_slice(payload));
        }
        self.send_encoded(opcode, payload)
    }

    pub(super) fn send_prepared(&self, message: &PreparedMessage) -> SendStatus {
        if let Err(refused) = self.check_room() {
            return refused;
        }
        if self.link.is_in_message() {
            return self.hold_message(message.opcode(), message.payload());
        }
        if self.link.terms.role == Role::Client {
            return self.send_encoded(message.opcode(), &message.payload());
        }
        let frame = match self.link.terms.agreement.deflate {
            None => message.plain(),
            Some(_) => self.link.with_encoder(|encoder| message.frame(encoder.deflater())),
        };
        self.put(Frame::Shared(frame))
    }

    /// Sends a part of a message; no other message is sent before its last part.
    pub(super) fn send_part(&self, opcode: Opcode, part: &[u8], is_last: bool) -> SendStatus {
        if self.is_closing() {
            return SendStatus::Closed;
        }
        let status = self.shared().with_scratch(|out| {
            self.link.with_encoder(|encoder| {
                encoder.encode_part(out, opcode, part, is_last, &mut || self.mask());
            });
            self.put(Frame::Copied(out))
        });
        let held = if is_last { self.send_held() } else { None };
        held.unwrap_or(status)
    }

    /// Reserves the connection for a message in parts. `false` if it is reserved, or closing.
    pub(super) fn begin_parts(&self) -> bool {
        let is_free = !self.is_closing() && !self.link.is_in_message();
        if is_free {
            self.link.with_encoder(MessageEncoder::begin);
        }
        is_free
    }

    /// A message in parts will not be completed.
    pub(super) fn abandon_parts(&self) {
        if self.link.with_encoder(MessageEncoder::cancel) {
            self.send_held();
        } else {
            self.end_now(CloseReason::new(CloseCode::INTERNAL, "a message was not completed"));
        }
    }

    /// Keeps a message until the one that is sent in parts is complete.
    fn hold_message(&self, opcode: Opcode, payload: Bytes) -> SendStatus {
        self.link.update(|state| {
            let queue = state.queue.get_or_insert_default();
            queue.bytes += payload.len();
            queue.messages.push_back((opcode, payload));
        });
        SendStatus::Full
    }

    fn send_held(&self) -> Option<SendStatus> {
        let mut status = None;
        while let Some((opcode, payload)) = self.take_held_message() {
            status = Some(self.send_encoded(opcode, &payload));
        }
        status
    }

    fn take_held_message(&self) -> Option<(Opcode, Bytes)> {
        let taken = self.link.update_if_any(|state| {
            let queue = state.queue.as_mut()?;
            let message = queue.messages.pop_front();
            if let Some((_, payload)) = &message {
                queue.bytes -= payload.len();
            }
            state.queue.take_if(|queue| queue.frames.is_empty() && queue.messages.is_empty());
            message
        });
        taken.flatten()
    }

    /// A ping or pong, before all messages that are queued.
    pub(super) fn send_control(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        if self.is_closing() {
            return SendStatus::Closed;
        }
        self.write_control(opcode, &payload[..payload.len().min(125)])
    }

    fn send_encoded(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        let mut ends = Vec::new();
        let shared = self.shared();
        let is_one = shared.config.fragment_len.is_none_or(|len| payload.len() <= len);
        shared.with_scratch(|out| {
            let mut note_end = |end| {
                if !is_one {
                    ends.push(end);
                }
            };
            self.link.with_encoder(|encoder| {
                encoder.encode_frames(out, opcode, payload, &mut || self.mask(), &mut note_end);
            });
            let mut status = SendStatus::Ok;
            let mut start = 0;
            for end in ends.iter().copied().chain(is_one.then_some(out.len())) {
                status = self.put(Frame::Copied(&out[start..end]));
                start = end;
            }
            status
        })
    }

    pub(super) fn write_control(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        self.shared().with_scratch(|out| {
            self.link.with_encoder(|encoder| {
                encoder.encode(out, opcode, payload, &mut || self.mask());
            });
            self.written(self.transport.write(out))
        })
    }

    fn mask(&self) -> [u8; 4] {
        let reactor = self.transport.reactor();
        self.shared().random(reactor.as_ref()).unwrap_or_else(|error| {
            // The key of the handshake was a random number of the system, so this is no usual failure.
            tracing::error!(%error, "the system has no random number for a mask");
            (reactor.map_or(0, |reactor| reactor.random()) as u32).to_ne_bytes()
        })
    }

    fn shared(&self) -> &Shared {
        &self.link.terms.shared
    }

    /// Gives a frame to the transport, or queues it.
    fn put(&self, frame: Frame<'_>) -> SendStatus {
        let known = self.link.read(|state| (state.has_frames(), state.was_above));
        let (is_queueing, was_above) = known.unwrap_or((false, false));
        let is_above = was_above && self.transport.queued() > LOW;
        if !is_queueing && !is_above {
            let status = match frame {
                Frame::Copied(frame) => self.transport.write(frame),
                Frame::Shared(frame) => self.transport.write_bytes(frame),
            };
            return self.written(status);
        }
        let frame = match frame {
            Frame::Copied(frame) => Bytes::copy_from_slice(frame),
            Frame::Shared(frame) => frame,
        };
        self.link.update(|state| {
            let queue = state.queue.get_or_insert_default();
            queue.bytes += frame.len();
            queue.frames.push_back(frame);
        });
        if !is_queueing && !self.begin_queue() {
            return SendStatus::Closed;
        }
        self.will_tell();
        SendStatus::Full
    }

    /// The first frame is in the queue. `false` if the transport takes no more.
    fn begin_queue(&self) -> bool {
        if !self.transport.stream(FromQueue(self.clone())) {
            let queue = self.link.update(|state| state.queue.take());
            drop(queue);
            return false;
        }
        if self.shared().config.queue_max == usize::MAX && !self.link.is_closing() {
            self.link.update(|state| state.is_paused_by_queue = true);
            self.transport.pause_reading();
        }
        true
    }

    /// Has the loop call `full` or `writable` in its next turn.
    fn will_tell(&self) {
        if !self.link.update(|state| mem::replace(&mut state.owes_writable, true)) {
            self.set_tell_timer();
        }
    }

    /// Has the loop look at the queue in its next turn.
    fn set_tell_timer(&self) {
        if self.link.read(|state| state.tell_timer.is_some()) != Some(true) {
            let timer = self.transport.call_later(Duration::ZERO);
            self.link.update(|state| state.tell_timer = timer);
        }
    }

    fn written(&self, status: WriteStatus) -> SendStatus {
        match status {
            WriteStatus::Closed => SendStatus::Closed,
            WriteStatus::AboveHighWatermark => {
                self.link.update(|state| state.was_above = true);
                self.will_tell();
                SendStatus::Full
            }
            _ => {
                self.link.update_if_any(|state| state.was_above = false);
                SendStatus::Ok
            }
        }
    }

    fn check_room(&self) -> Result<(), SendStatus> {
        if self.is_closing() {
            return Err(SendStatus::Closed);
        }
        let config = &self.shared().config;
        if config.queue_max == usize::MAX || self.queued() <= config.queue_max {
            return Ok(());
        }
        Err(match config.overflow {
            Overflow::DropNewest => SendStatus::Dropped,
            Overflow::Disconnect => {
                self.end_now(CloseReason::new(CloseCode::POLICY, "messages were not received"));
                SendStatus::Closed
            }
        })
    }

    /// Gives the next frame of the queue to the transport.
    fn drain_queue(&self) -> Production {
        let next = self.link.update_if_any(|state| {
            let queue = state.queue.as_mut()?;
            let frame = queue.frames.pop_front();
            queue.bytes -= frame.as_ref().map_or(0, Bytes::len);
            let is_last = queue.frames.is_empty();
            if is_last {
                state.queue.take_if(|queue| queue.messages.is_empty());
            }
            Some((frame, is_last))
        });
        let Some((frame, is_last)) = next.flatten() else { return Production::Done };
        if let Some(frame) = frame {
            let status = self.transport.write_bytes(frame);
            self.written(status);
        }
        if !is_last {
            return Production::More;
        }
        self.queue_is_empty();
        Production::Done
    }

    fn queue_is_empty(&self) {
        let resumes = self.link.update_if_any(|state| {
            mem::take(&mut state.is_paused_by_queue) && !state.is_paused_by_user
        });
        if resumes == Some(true) {
            self.transport.resume_reading();
        }
        if !self.send_owed_close() {
            // `writable` is called by the loop.
            self.set_tell_timer();
        }
    }
}

/// Writes the queue when the transport has room.
struct FromQueue(WebSocket);

impl Producer for FromQueue {
    fn produce(&mut self, _: &Transport) -> Production {
        self.0.drain_queue()
    }
}
