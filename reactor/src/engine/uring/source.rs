//! One source of the io_uring engine: its interest and its operations in flight. Small, since every idle
//! connection has one.

use std::os::fd::RawFd;

use super::{
    super::{DeliveryMode, Event},
    CANCELS,
    buffers::{BUFFER_LEN, GROUP},
    completions::{Pending, PendingStore},
    ring::{Operation, Ring},
};
use crate::handler::{Interest, Ready, Token};

/// The number of slots that fit into `user_data`.
pub(super) const SLOTS_MAX: usize = 1 << 28;

/// The peer has shut down its sending side.
const PEER_CLOSED: i16 = libc::POLLRDHUP;

/// A registered source.
pub(super) struct Source {
    /// The generation of its token; the slot is its index. No token has the generation of [`NONE`](Self::NONE).
    generation: u32,
    fd: RawFd,
    /// A completion that has not been collected. While there is one, nothing is submitted for the input.
    pending: Pending,
    /// The index of its event among those of a wait, if it has one.
    event: u16,
    bits: u16,
}

// ---- the bits ----

/// The interest.
const READ: u16 = 1;
const WRITE: u16 = 1 << 1;
/// It is on the list of sources to be checked before the next wait.
const CHANGED: u16 = 1 << 2;
/// The input has ended or failed: nothing is submitted for it any more.
const INPUT_DONE: u16 = 1 << 3;
/// The operation in flight on the input has been cancelled.
const INPUT_CANCELLED: u16 = 1 << 4;
/// A poll of the output is in flight, edge-triggered or not; it has been cancelled.
const OUTPUT: u16 = 1 << 5;
const OUTPUT_ON_EDGE: u16 = 1 << 6;
const OUTPUT_CANCELLED: u16 = 1 << 7;
/// Whether the output must be polled edge-triggered. A poll of the output also completes when the peer has closed its
/// side, whether or not there is room, and the kernel has no flag to prevent that. Resubmitted each time, it would
/// never let the loop sleep. So from then on the output is polled for changes, until there is room.
const ON_EDGE: u16 = 1 << 8;
/// Two bits for the delivery mode, as encoded by [`mode_bits`].
const MODE_SHIFT: u32 = 9;
const MODE: u16 = 3 << MODE_SHIFT;
/// Two bits for the mode of the operation in flight on the input; zero if there is none.
const INPUT_SHIFT: u32 = 11;
const INPUT: u16 = 3 << INPUT_SHIFT;
/// Most likely no data is available: the last receive did not fill its buffer, and found a buffer.
const POLL_FIRST: u16 = 1 << 13;

/// The kind of an operation of a source.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    PollInput,
    PollOutput,
    Receive,
    Accept,
}

impl Kind {
    const fn of(mode: DeliveryMode) -> Self {
        match mode {
            DeliveryMode::Readiness => Self::PollInput,
            DeliveryMode::Receive => Self::Receive,
            DeliveryMode::Accept => Self::Accept,
        }
    }

    /// 32 bits for the generation of the token, 4 for the kind, 28 for the slot.
    fn user_data(self, token: Token) -> u64 {
        u64::from(token.generation()) << 32 | u64::from(self as u8) << 28 | token.slot() as u64
    }

    #[inline]
    pub(super) fn from_user_data(user_data: u64) -> (Self, Token) {
        let kind = match (user_data >> 28) & 0xf {
            0 => Self::PollInput,
            1 => Self::PollOutput,
            2 => Self::Receive,
            _ => Self::Accept,
        };
        (kind, token(user_data))
    }

    /// The token of the operation, if it is of this kind.
    #[inline]
    pub(super) fn token_in(self, user_data: u64) -> Option<Token> {
        let kind = (user_data >> 28) & 0xf;
        (kind == u64::from(self as u8)).then(|| token(user_data))
    }
}

#[inline]
fn token(user_data: u64) -> Token {
    Token::new(user_data as usize & (SLOTS_MAX - 1), (user_data >> 32) as u32)
}

const fn mode_bits(mode: DeliveryMode) -> u16 {
    match mode {
        DeliveryMode::Readiness => 1,
        DeliveryMode::Receive => 2,
        DeliveryMode::Accept => 3,
    }
}

impl Source {
    pub(super) const NONE: Self =
        Self { generation: u32::MAX, fd: -1, pending: Pending::NOTHING, event: 0, bits: 0 };

    pub(super) fn new(fd: RawFd, token: Token, interest: Interest) -> Self {
        let bits = mode_bits(DeliveryMode::Readiness) << MODE_SHIFT | POLL_FIRST;
        let mut source = Self { generation: token.generation(), fd, bits, ..Self::NONE };
        source.set_interest(interest);
        source
    }

    pub(super) const fn fd(&self) -> RawFd {
        self.fd
    }

    /// Whether this is the source of the token, given that the slot matches.
    #[inline]
    pub(super) const fn is_of(&self, token: Token) -> bool {
        self.generation == token.generation()
    }

    const fn has(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    const fn set(&mut self, bit: u16, on: bool) {
        self.bits = self.bits & !bit | if on { bit } else { 0 };
    }

    pub(super) fn interest(&self) -> Interest {
        let read = if self.has(READ) { Interest::READ } else { Interest::NONE };
        read | if self.has(WRITE) { Interest::WRITE } else { Interest::NONE }
    }

    pub(super) fn set_interest(&mut self, interest: Interest) {
        self.set(READ, interest.is_read());
        self.set(WRITE, interest.is_write());
    }

    pub(super) const fn set_delivery_mode(&mut self, mode: DeliveryMode) {
        self.bits = self.bits & !(MODE | INPUT_DONE) | mode_bits(mode) << MODE_SHIFT;
    }

    /// `false` if it is on the list of changed sources already.
    #[inline]
    pub(super) const fn mark_changed(&mut self) -> bool {
        let is_new = !self.has(CHANGED);
        self.set(CHANGED, true);
        is_new
    }

    /// Submits what is wanted, and cancels what is not wanted any more.
    #[inline]
    pub(super) fn submit(&mut self, token: Token, ring: &mut Ring) {
        self.set(CHANGED, false);
        const RECEIVES: u16 = READ | mode_bits(DeliveryMode::Receive) << MODE_SHIFT;
        if self.bits & !(ON_EDGE | OUTPUT_ON_EDGE | POLL_FIRST) == RECEIVES
            && self.pending.is_nothing()
        {
            // The common case: the last received data has been collected.
            self.submit_input(DeliveryMode::Receive, token, ring);
        } else {
            self.update_input(token, ring);
            self.update_output(token, ring);
        }
    }

    /// Cancels all its operations. Returns whether the cancellation must be submitted at once, because the kernel would
    /// otherwise take data from the source or keep it from being closed.
    pub(super) fn cancel_all(&mut self, token: Token, closing: bool, ring: &mut Ring) -> bool {
        self.set_interest(Interest::NONE);
        self.update_input(token, ring);
        self.update_output(token, ring);
        let takes_data =
            matches!(self.mode_at(INPUT_SHIFT), Some(DeliveryMode::Receive | DeliveryMode::Accept));
        self.has(INPUT_CANCELLED | OUTPUT_CANCELLED) && (closing || takes_data)
    }

    pub(super) const fn is_input_in_flight(&self) -> bool {
        self.has(INPUT)
    }

    // ---- pending completions ----

    /// Takes the pending completion. With that the source has credit again.
    #[inline]
    pub(super) const fn take(&mut self) -> Pending {
        self.pending.take()
    }

    /// A receive has completed with `len` bytes: the common case of `store`.
    #[inline]
    pub(super) fn received(
        &mut self,
        token: Token,
        len: usize,
        pending: Pending,
        events: &mut Vec<Event>,
    ) {
        let is_short = if len < BUFFER_LEN { POLL_FIRST } else { 0 };
        self.bits = self.bits & !(INPUT | INPUT_CANCELLED | POLL_FIRST) | is_short;
        self.store(token, pending, events);
    }

    /// Stores the result of an operation that is no longer in flight.
    #[inline]
    pub(super) fn store(&mut self, token: Token, pending: Pending, events: &mut Vec<Event>) {
        debug_assert!(
            self.pending.is_nothing(),
            "nothing is submitted while a completion is pending"
        );
        self.pending = pending;
        self.report(token, Ready::READ, events);
    }

    /// The input has ended or failed.
    pub(super) const fn set_input_done(&mut self) {
        self.set(INPUT_DONE, true);
    }

    /// A receive has found no buffer. It is resubmitted before those of other sources, and must be attempted before
    /// theirs, too.
    pub(super) const fn found_no_buffer(&mut self) {
        self.set(POLL_FIRST, false);
    }

    /// Moves received data of a source that does not want to read now out of the shared buffers.
    #[inline]
    pub(super) fn free_buffer(&mut self, store: &mut PendingStore) {
        if !self.has(READ) {
            store.copy_out(&mut self.pending);
        }
    }

    fn mode_at(&self, at: u32) -> Option<DeliveryMode> {
        match self.bits >> at & 3 {
            0 => None,
            1 => Some(DeliveryMode::Readiness),
            2 => Some(DeliveryMode::Receive),
            _ => Some(DeliveryMode::Accept),
        }
    }

    fn update_input(&mut self, token: Token, ring: &mut Ring) {
        let wanted = self.has(READ) && !self.has(INPUT_DONE) && self.pending.is_nothing();
        let mode = self.mode_at(MODE_SHIFT).unwrap_or_default();
        match self.mode_at(INPUT_SHIFT) {
            None if wanted => self.submit_input(mode, token, ring),
            Some(in_flight) if !self.has(INPUT_CANCELLED) && (!wanted || in_flight != mode) => {
                ring.cancel(Kind::of(in_flight).user_data(token), CANCELS);
                self.set(INPUT_CANCELLED, true);
            }
            _ => {}
        }
    }

    #[inline]
    fn submit_input(&mut self, mode: DeliveryMode, token: Token, ring: &mut Ring) {
        let operation = match mode {
            DeliveryMode::Readiness => {
                Operation::Poll { mask: (libc::POLLIN | PEER_CLOSED) as u32 }
            }
            DeliveryMode::Receive => {
                Operation::Receive { group: GROUP, poll_first: self.has(POLL_FIRST) }
            }
            DeliveryMode::Accept => Operation::Accept,
        };
        ring.queue(self.fd, operation, Kind::of(mode).user_data(token));
        self.bits |= mode_bits(mode) << INPUT_SHIFT;
    }

    fn update_output(&mut self, token: Token, ring: &mut Ring) {
        let user_data = Kind::PollOutput.user_data(token);
        let (wanted, on_edge) = (self.has(WRITE), self.has(ON_EDGE));
        if !self.has(OUTPUT) {
            if wanted {
                let mask = libc::POLLOUT as u32;
                let operation = match on_edge {
                    false => Operation::Poll { mask },
                    true => Operation::PollChanges { mask },
                };
                ring.queue(self.fd, operation, user_data);
                self.set(OUTPUT, true);
                self.set(OUTPUT_ON_EDGE, on_edge);
            }
        } else if !self.has(OUTPUT_CANCELLED) && (!wanted || on_edge != self.has(OUTPUT_ON_EDGE)) {
            ring.cancel(user_data, CANCELS);
            self.set(OUTPUT_CANCELLED, true);
        }
    }

    /// The final completion of an operation has arrived. Returns whether it is still wanted.
    #[inline]
    pub(super) const fn operation_ended(&mut self, kind: Kind) -> bool {
        if matches!(kind, Kind::PollOutput) {
            self.set(OUTPUT | OUTPUT_CANCELLED, false);
            self.has(WRITE)
        } else {
            self.set(INPUT | INPUT_CANCELLED, false);
            self.has(READ)
        }
    }

    pub(super) fn input_polled(&mut self, token: Token, result: i32, events: &mut Vec<Event>) {
        if result != -libc::ECANCELED && self.has(READ) {
            let closed = flags(result) & (libc::POLLHUP | PEER_CLOSED) != 0;
            let closed = if closed { Ready::READ_CLOSED } else { Ready::NONE };
            self.report(token, Ready::READ | closed, events);
        }
    }

    pub(super) fn output_polled(&mut self, token: Token, result: i32, events: &mut Vec<Event>) {
        if result == -libc::ECANCELED {
            return;
        }
        let has_room = flags(result) & !PEER_CLOSED != 0;
        self.set(ON_EDGE, !has_room);
        if has_room && self.has(WRITE) {
            self.report(token, Ready::WRITE, events);
        }
    }

    /// Reports readiness, merged into one event per wait; separately if the event's index exceeds 16 bits.
    #[inline]
    pub(super) fn report(&mut self, token: Token, ready: Ready, events: &mut Vec<Event>) {
        if let Some(event) = events.get_mut(usize::from(self.event))
            && event.token == token
        {
            event.ready = event.ready | ready;
        } else {
            self.event = events.len() as u16;
            events.push(Event { token, ready });
        }
    }
}

/// The poll flags of a completion. Errors and hang-ups are reported regardless of the interest, and the next system
/// call shows their meaning; also that of a failed poll.
fn flags(result: i32) -> i16 {
    if result < 0 { libc::POLLERR } else { result as i16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 4 of the design: it is part of the cost of an idle connection.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_source_is_small() {
        assert_eq!(size_of::<Source>(), 16);
    }
}
