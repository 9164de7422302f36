//! How a WebSocket closes (RFC 6455 7), and how its reading is paused.
//!
//! | state | close frame received | close timer fires |
//! |---|---|---|
//! | open | answered, the queue is dropped | – |
//! | closing, messages in the queue | answered, the queue is dropped | dropped, unless the queue has become shorter |
//! | closing, close frame sent | the end | dropped, unless the peer has received something |

use sinew_transports::TimerId;

use super::{
    CloseReason, Opcode, Role, WebSocket,
    link::{Closing, State},
};

impl WebSocket {
    /// Closes after the messages that are queued.
    pub(super) fn end(&self, reason: CloseReason) {
        if self.is_closing() {
            return;
        }
        let has_frames = self.link.update(|state| {
            state.closing = Some(Closing::new(reason));
            // Else the peer's answer would not be read.
            (state.is_paused_by_user, state.is_paused_by_queue) = (false, false);
            state.has_frames()
        });
        if has_frames {
            self.set_close_timer();
        } else {
            self.send_owed_close();
        }
        self.transport.resume_reading();
    }

    /// Closes, and drops the messages that are queued and not begun.
    pub(super) fn end_now(&self, reason: CloseReason) {
        let queue = self.link.update_if_any(|state| state.queue.take());
        drop(queue);
        self.end(reason);
        // A close that waited for the queue.
        self.send_owed_close();
    }

    /// The peer has sent a close frame: answers it. The server closes the connection (RFC 6455 7.1.1).
    pub(super) fn close_received(&self, reason: CloseReason) {
        self.end_now(reason);
        self.link.update_if_any(|state| {
            if let Some(closing) = &mut state.closing {
                closing.is_answered = true;
            }
        });
        match self.link.terms.role {
            Role::Server => self.transport.lose_connection(),
            // The server closes the connection; the timer runs until it does.
            Role::Client => {}
        }
    }

    /// Sends the close frame, if it is to be sent and was not yet.
    pub(super) fn send_owed_close(&self) -> bool {
        let payload = self.link.update_if_any(|state| {
            let closing = state.closing.as_mut().filter(|closing| !closing.is_sent)?;
            closing.is_sent = true;
            Some(closing.reason.payload())
        });
        let Some(payload) = payload.flatten() else { return false };
        self.set_close_timer();
        self.write_control(Opcode::Close, &payload);
        true
    }

    fn set_close_timer(&self) {
        let queued = self.queued();
        let old = self.link.update_if_any(|state| state.closing.as_mut()?.timer.take());
        if let Some(timer) = old.flatten() {
            self.transport.cancel_timer(timer);
        }
        let timer = self.transport.call_later(self.link.terms.shared.config.close_timeout);
        self.link.update_if_any(|state| {
            if let Some(closing) = &mut state.closing {
                (closing.queued, closing.timer) = (queued, timer);
            }
        });
    }

    /// Whether it was the timer of the close. If nothing has been received by the peer since it was set, the connection is dropped.
    pub(super) fn close_timer_fired(&self, timer: TimerId) -> bool {
        let expired = |state: &mut State| {
            let closing = state.closing.as_mut().filter(|closing| closing.timer == Some(timer))?;
            closing.timer = None;
            Some((closing.is_answered, closing.queued))
        };
        let Some((is_answered, before)) = self.link.update_if_any(expired).flatten() else {
            return false;
        };
        if is_answered {
            self.transport.lose_connection();
        } else if self.queued() < before {
            self.set_close_timer();
        } else {
            self.transport.abort();
        }
        true
    }

    pub(super) fn pause(&self) {
        self.link.update(|state| state.is_paused_by_user = true);
        self.transport.pause_reading();
    }

    pub(super) fn resume(&self) {
        let is_paused = self.link.update_if_any(|state| {
            state.is_paused_by_user = false;
            state.is_paused_by_queue
        });
        if is_paused != Some(true) {
            self.transport.resume_reading();
        }
    }
}
