//! What others know of a stream and have noted in its state: what the loop has on its lists, the layer, the relay, the engine.
//! Nothing is decided here.

use super::{State, flags::*};

impl State {
    // ---- what the loop has on its lists ----

    pub(in super::super) const fn set_in_callback(&mut self, on: bool) {
        self.set(IN_CALLBACK, on);
    }

    /// Says how that was before.
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

    /// `true` if the loop is not going to look at the output anyway.
    pub(in super::super) const fn ask_flush(&mut self) -> bool {
        !self.has(IN_CALLBACK) && self.raise(FLUSH_QUEUED)
    }

    pub(in super::super) const fn flush_begins(&mut self) {
        self.set(FLUSH_QUEUED, false);
    }

    /// `true` if the loop is not going to look at the input anyway.
    pub(in super::super) const fn request_reschedule(&mut self) -> bool {
        self.raise(RESCHEDULED)
    }

    pub(in super::super) const fn reschedule_begins(&mut self) {
        self.set(RESCHEDULED, false);
    }

    // ---- the layer over the socket ----

    /// A layer was laid over the socket. Who reads is told when that goes on.
    pub(in super::super) const fn layered(&mut self) {
        self.bits |= LAYERED | HANDSHAKING;
        if self.has(MADE) {
            self.bits |= RESUME_PENDING;
        }
    }

    /// The layer is ready, or given up. Whether there is more to read, and room to write, is found out by trying.
    pub(in super::super) const fn secured(&mut self) {
        self.set(HANDSHAKING, false);
        self.bits |= READABLE | WRITABLE;
    }

    /// The layer has to wait for its turn, and has the loop come by.
    pub(in super::super) const fn wait_for_turn(&mut self) {
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

    // ---- the stream that it is tied to, and others who hold it ----

    /// Tied to another. What its own queue holds does not hold it up.
    pub(in super::super) const fn relayed(&mut self) {
        self.bits |= RELAYED | NO_AUTO_PAUSE;
    }

    pub(in super::super) const fn is_relayed(self) -> bool {
        self.has(RELAYED)
    }

    pub(in super::super) const fn hold(&mut self) {
        self.bits |= INPUT_HELD;
    }

    /// `true` if it was held, and the loop has to come by.
    pub(in super::super) const fn release(&mut self) -> bool {
        let was_held = self.has(INPUT_HELD);
        self.set(INPUT_HELD, false);
        was_held && !self.is_over()
    }

    /// `reading_resumed` is owed once nothing holds back input any more.
    pub(in super::super) const fn owe_resume(&mut self) {
        self.bits |= RESUME_PENDING;
    }

    /// Another protocol has taken over, and does not know that writing was paused.
    pub(in super::super) const fn handed_over(&mut self) {
        self.set(PAUSE_TOLD, false);
    }

    pub(in super::super) const fn has_ended(self) -> bool {
        self.has(EOF)
    }

    // ---- what the engine knows ----

    /// The engine receives for this stream: what has come is taken from there, not read from the socket.
    pub(in super::super) const fn set_completes(&mut self) {
        self.bits |= COMPLETES;
    }

    pub(in super::super) const fn completes(self) -> bool {
        self.has(COMPLETES)
    }

    /// A short read proves nothing.
    pub(in super::super) const fn set_cuts_reads(&mut self) {
        self.bits |= CUTS_READS;
    }

    pub(in super::super) const fn set_takes_descriptors(&mut self) {
        self.bits |= TAKES_DESCRIPTORS;
    }

    pub(in super::super) const fn takes_descriptors(self) -> bool {
        self.has(TAKES_DESCRIPTORS)
    }

    /// Whether input comes in another way than by a plain read.
    pub(in super::super) const fn is_indirect(self) -> bool {
        self.has(INDIRECT)
    }

    /// Whether the engine has to be told what is wanted now.
    pub(in super::super) const fn tell_interest(&mut self, read: bool, write: bool) -> bool {
        let told = self.bits & (READ_TOLD | WRITE_TOLD);
        self.set(READ_TOLD, read);
        self.set(WRITE_TOLD, write);
        self.bits & (READ_TOLD | WRITE_TOLD) != told
    }

    /// The common case of [`tell_interest`](Self::tell_interest), in one comparison: input is wanted and no room, and that is what
    /// the engine was told.
    #[inline]
    pub(in super::super) const fn is_told(self) -> bool {
        let told = READ_TOLD | WRITE_TOLD | WRITABLE;
        self.bits & (IN_THE_WAY | told) == WRITABLE | READ_TOLD
    }

    pub(in super::super) const fn is_rescheduled(self) -> bool {
        self.has(RESCHEDULED)
    }
}
