//! Setters and getters for the bits that record facts from outside the state machine: pending event-loop calls, the layer, the
//! relay, the engine. Nothing is decided here.

use super::{State, flags::*};

impl State {
    // ---- pending calls of the event loop ----

    pub(in super::super) const fn set_in_callback(&mut self, on: bool) {
        self.set(IN_CALLBACK, on);
    }

    /// Returns the value that it had before.
    pub(in super::super) const fn set_called_by_user(&mut self, on: bool) -> bool {
        let before = self.has(CALLED_BY_USER);
        self.set(CALLED_BY_USER, on);
        before
    }

    pub(in super::super) const fn is_called_by_user(self) -> bool {
        self.has(CALLED_BY_USER)
    }

    pub(in super::super) const fn set_producing(&mut self, on: bool) {
        self.set(IN_CALLBACK | PRODUCING, on);
    }

    /// Returns `true` if a flush has to be queued: none is queued yet, and no callback runs that ends with one.
    pub(in super::super) const fn ask_flush(&mut self) -> bool {
        !self.has(IN_CALLBACK) && self.set_once(FLUSH_QUEUED)
    }

    pub(in super::super) const fn flush_begins(&mut self) {
        self.set(FLUSH_QUEUED, false);
    }

    /// Returns `true` if the stream has to be rescheduled: it is not yet.
    pub(in super::super) const fn request_reschedule(&mut self) -> bool {
        self.set_once(RESCHEDULED)
    }

    pub(in super::super) const fn reschedule_begins(&mut self) {
        self.set(RESCHEDULED, false);
    }

    // ---- the layer over the socket ----

    /// A layer was put on top of the socket. A protocol that was reading receives `reading_resumed` after the handshake.
    pub(in super::super) const fn layer_added(&mut self) {
        self.bits |= LAYERED | HANDSHAKING;
        if self.has(MADE) {
            self.bits |= RESUME_PENDING;
        }
    }

    /// The handshake is complete, or the layer was given up. A read and a write will find out whether the socket is ready.
    pub(in super::super) const fn handshake_finished(&mut self) {
        self.set(HANDSHAKING, false);
        self.bits |= READABLE | WRITABLE;
    }

    /// The layer waits for the handshake limiter, which reschedules the stream.
    pub(in super::super) const fn wait_for_permit(&mut self) {
        self.set(READABLE, false);
    }

    pub(in super::super) const fn is_layered(self) -> bool {
        self.has(LAYERED)
    }

    pub(in super::super) const fn is_handshaking(self) -> bool {
        self.has(HANDSHAKING)
    }

    pub(in super::super) const fn is_readable(self) -> bool {
        self.has(READABLE)
    }

    // ---- relay and holds ----

    /// The stream was made one end of a relay. Its own queue does not block its input.
    pub(in super::super) const fn relayed(&mut self) {
        self.bits |= RELAYED | NO_AUTO_PAUSE;
    }

    pub(in super::super) const fn is_relayed(self) -> bool {
        self.has(RELAYED)
    }

    pub(in super::super) const fn hold(&mut self) {
        self.bits |= INPUT_HELD;
    }

    /// Returns `true` if input was held, so that the stream has to be rescheduled.
    pub(in super::super) const fn release(&mut self) -> bool {
        let was_held = self.has(INPUT_HELD);
        self.set(INPUT_HELD, false);
        was_held && !self.is_over()
    }

    /// `reading_resumed` is to be called once nothing blocks input.
    pub(in super::super) const fn set_resume_pending(&mut self) {
        self.bits |= RESUME_PENDING;
    }

    /// Another protocol has taken over, whose `writing_paused` was not called.
    pub(in super::super) const fn handed_over(&mut self) {
        self.set(WRITING_PAUSED, false);
    }

    pub(in super::super) const fn has_input_ended(self) -> bool {
        self.has(EOF)
    }

    // ---- the engine ----

    /// The engine receives for this stream: input is taken from its completions, not read from the socket.
    pub(in super::super) const fn set_completion_mode(&mut self) {
        self.bits |= COMPLETION_MODE;
    }

    pub(in super::super) const fn is_completion_mode(self) -> bool {
        self.has(COMPLETION_MODE)
    }

    /// No short read proves that the socket is drained.
    pub(in super::super) const fn set_always_read_until_blocked(&mut self) {
        self.bits |= ALWAYS_READ_UNTIL_BLOCKED;
    }

    pub(in super::super) const fn set_receives_descriptors(&mut self) {
        self.bits |= RECEIVES_DESCRIPTORS;
    }

    pub(in super::super) const fn receives_descriptors(self) -> bool {
        self.has(RECEIVES_DESCRIPTORS)
    }

    /// Whether input comes in another way than by a plain read.
    pub(in super::super) const fn has_indirect_input(self) -> bool {
        self.has(INDIRECT_INPUT)
    }

    /// Returns `true` if the engine's interest has to be changed.
    pub(in super::super) const fn set_interest(&mut self, read: bool, write: bool) -> bool {
        let before = self.bits & (READ_INTEREST | WRITE_INTEREST);
        self.set(READ_INTEREST, read);
        self.set(WRITE_INTEREST, write);
        self.bits & (READ_INTEREST | WRITE_INTEREST) != before
    }

    /// The common case of [`set_interest`](Self::set_interest) in one comparison: read interest is wanted, write interest is not,
    /// and the engine has exactly that.
    #[inline]
    pub(in super::super) const fn is_interest_current(self) -> bool {
        let interest = READ_INTEREST | WRITE_INTEREST | WRITABLE;
        self.bits & (BLOCKS_DELIVERY | interest) == WRITABLE | READ_INTEREST
    }

    pub(in super::super) const fn is_rescheduled(self) -> bool {
        self.has(RESCHEDULED)
    }
}
