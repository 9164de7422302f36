//! The state of a WebSocket, which its protocol and its handles share: [`Link`]. Data only; `sending.rs` and `closing.rs` change it.
//!
//! An open connection between two messages has no state but its terms. The rest is made when it is needed, and freed when nothing is
//! in it: while a message is incomplete, while the peer does not receive or does not answer, while the connection is closing, and from
//! the first compressed message on with context takeover.

use std::{cell::Cell, collections::VecDeque, mem, rc::Rc};

use bytes::Bytes;
use sinew_transports::TimerId;

use super::{CloseReason, MessageDecoder, MessageEncoder, Opcode, shared::Terms};

pub(super) struct Link {
    pub(super) terms: Rc<Terms>,
    /// Taken out for as long as it is read or changed, which calls no user code.
    state: Cell<Option<Box<State>>>,
}

/// What an open and idle connection is without.
#[derive(Default)]
pub(super) struct State {
    /// While a message is received or, with context takeover, for ever.
    pub(super) decoder: Option<MessageDecoder>,
    /// While a message is sent in parts or, with context takeover, for ever.
    pub(super) encoder: Option<MessageEncoder>,
    /// Input that was not delivered because a callback paused reading.
    pub(super) held: Bytes,
    pub(super) queue: Option<Box<Queue>>,
    pub(super) closing: Option<Box<Closing>>,
    /// Pings since the peer was heard.
    pub(super) missed: u8,
    /// The transport was above its high watermark when it was written to.
    pub(super) was_above: bool,
    /// The transport is above its high watermark.
    pub(super) is_above: bool,
    /// `full` was called, and `writable` was not yet.
    pub(super) is_full: bool,
    /// A message was sent although much was queued: `writable` is called once there is room.
    pub(super) owes_writable: bool,
    /// Fires in the next turn of the loop, for `full` and `writable`.
    pub(super) tell_timer: Option<TimerId>,
    pub(super) is_paused_by_user: bool,
    pub(super) is_paused_by_queue: bool,
}

/// Messages that wait until the transport has room.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) frames: VecDeque<Bytes>,
    pub(super) bytes: usize,
    /// Messages that wait until one that is sent in parts is complete, not encoded.
    pub(super) messages: VecDeque<(Opcode, Bytes)>,
}

pub(super) struct Closing {
    pub(super) reason: CloseReason,
    pub(super) is_sent: bool,
    pub(super) is_answered: bool,
    pub(super) timer: Option<TimerId>,
    /// What was queued when the timer was set, without the close frame.
    pub(super) queued: usize,
}

impl Link {
    pub(super) fn new(terms: Rc<Terms>) -> Rc<Self> {
        Rc::new(Self { terms, state: Cell::default() })
    }

    /// Reads the state, if there is any. `f` must not use this link.
    #[inline]
    pub(super) fn read<R>(&self, f: impl FnOnce(&State) -> R) -> Option<R> {
        let state = self.state.take()?;
        let result = f(&state);
        self.store(Some(state));
        Some(result)
    }

    /// Changes the state, if there is any. `f` must not use this link.
    #[inline]
    pub(super) fn update_if_any<R>(&self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        let mut state = self.state.take()?;
        let result = f(&mut state);
        let is_kept = !state.is_unused();
        self.store(is_kept.then_some(state));
        Some(result)
    }

    /// Changes the state. `f` must not use this link.
    pub(super) fn update<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.take().unwrap_or_default();
        let result = f(&mut state);
        let is_kept = !state.is_unused();
        self.store(is_kept.then_some(state));
        result
    }

    /// The place is empty, so there is no old value to drop.
    #[inline]
    fn store(&self, state: Option<Box<State>>) {
        mem::forget(self.state.replace(state));
    }

    /// Lends the decoder of the connection to `f`.
    pub(super) fn with_decoder<R>(&self, f: impl FnOnce(&mut MessageDecoder) -> R) -> R {
        let known = self.update_if_any(|state| state.decoder.take()).flatten();
        let mut decoder = known.unwrap_or_else(|| self.terms.decoder());
        let result = f(&mut decoder);
        if !decoder.is_unused() {
            self.update(|state| state.decoder = Some(decoder));
        }
        result
    }

    /// Lends the encoder of the connection to `f`.
    pub(super) fn with_encoder<R>(&self, f: impl FnOnce(&mut MessageEncoder) -> R) -> R {
        let known = self.update_if_any(|state| state.encoder.take()).flatten();
        let mut encoder = known.unwrap_or_else(|| self.terms.encoder());
        let result = f(&mut encoder);
        if !encoder.is_unused() {
            self.update(|state| state.encoder = Some(encoder));
        }
        result
    }

    /// Whether a message that is sent in parts is not complete.
    pub(super) fn is_in_message(&self) -> bool {
        let is_in_message = |encoder: &MessageEncoder| encoder.is_in_message();
        self.read(|state| state.encoder.as_ref().is_some_and(is_in_message)).unwrap_or(false)
    }

    /// Whether either end has said that it closes.
    pub(super) fn is_closing(&self) -> bool {
        self.read(|state| state.closing.is_some()).unwrap_or(false)
    }

    /// Bytes that wait in the queue.
    pub(super) fn queued(&self) -> usize {
        self.read(State::queued).unwrap_or(0)
    }

    /// Why it is closed, if either end has said so.
    pub(super) fn reason(&self) -> Option<CloseReason> {
        self.read(|state| state.closing.as_ref().map(|closing| closing.reason.clone())).flatten()
    }

    pub(super) fn set_reason(&self, reason: CloseReason) {
        self.update(|state| {
            if state.closing.is_none() {
                state.closing = Some(Closing::new(reason));
            }
        });
    }

    /// Whether `writable` is to be called, if there is room.
    pub(super) fn take_owed(&self) -> bool {
        self.update_if_any(|state| mem::take(&mut state.owes_writable)).unwrap_or(false)
    }

    /// Ends what refers to this link from its own queue.
    pub(super) fn lost(&self) {
        let queue = self.update_if_any(|state| state.queue.take());
        drop(queue);
    }
}

impl State {
    /// Whether a connection without it is the same.
    fn is_unused(&self) -> bool {
        let Self { decoder, encoder, held, queue, closing, missed, .. } = self;
        let is_marked = self.was_above
            || self.is_above
            || self.is_full
            || self.owes_writable
            || self.tell_timer.is_some()
            || self.is_paused_by_user
            || self.is_paused_by_queue;
        !is_marked
            && *missed == 0
            && held.is_empty()
            && decoder.is_none()
            && encoder.is_none()
            && queue.is_none()
            && closing.is_none()
    }

    pub(super) fn has_frames(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.frames.is_empty())
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }
}

impl Closing {
    pub(super) fn new(reason: CloseReason) -> Box<Self> {
        Box::new(Self { reason, is_sent: false, is_answered: false, timer: None, queued: 0 })
    }
}
