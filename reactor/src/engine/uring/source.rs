//! One source of the io_uring engine: what is wanted of it and what the kernel has been asked for. Small, since every idle
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

/// Slots that `user_data` has room for.
pub(super) const SLOTS_MAX: usize = 1 << 28;

/// The peer will send no more.
const PEER_CLOSED: i16 = libc::POLLRDHUP;

/// See the head of this file.
pub(super) struct Source {
    /// That of its token; the slot is where this lies. No token has that of [`NONE`](Self::NONE).
    generation: u32,
    fd: RawFd,
    /// PendingKind has been received or accepted and not been taken. As long as there is something, the kernel is asked for no more.
    pending: Pending,
    /// Where among the events of a wait its own lies, if it is there.
    event: u16,
    bits: u16,
}

// ---- what the bits are ----

/// PendingKind is wanted.
const READ: u16 = 1;
const WRITE: u16 = 1 << 1;
/// It is on the list of those to be looked at before the next wait.
const CHANGED: u16 = 1 << 2;
/// The input has ended or failed: there is nothing more to ask for.
const OVER: u16 = 1 << 3;
/// The operation that the kernel has on the input was told to end.
const INPUT_ENDS: u16 = 1 << 4;
/// The kernel has a watch on the output, of this kind; it was told to end.
const OUTPUT: u16 = 1 << 5;
const OUTPUT_ON_EDGE: u16 = 1 << 6;
const OUTPUT_ENDS: u16 = 1 << 7;
/// How the output is to be watched. A watch on it also completes when the peer has closed its side, whether or not there is room;
/// the kernel has no way to say that this is not wanted. Asked again and again, it would never let the loop sleep. So it is
/// watched for changes from then on, until there is room.
const ON_EDGE: u16 = 1 << 8;
/// Two bits for the duty, as [`number`] has it.
const DUTY_AT: u32 = 9;
const DUTY: u16 = 3 << DUTY_AT;
/// Two bits for that of the operation that the kernel has on the input, none of them set if there is none.
const INPUT_AT: u32 = 11;
const INPUT: u16 = 3 << INPUT_AT;
/// Nothing is there to be received, most likely: the last receive did not fill its buffer, and it found one.
const WAIT_FIRST: u16 = 1 << 13;

/// Which operation of a source.
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

    /// Whose it is, if it is of this kind.
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

const fn number(mode: DeliveryMode) -> u16 {
    match mode {
        DeliveryMode::Readiness => 1,
        DeliveryMode::Receive => 2,
        DeliveryMode::Accept => 3,
    }
}

impl Source {
    pub(super) const NONE: Self =
        Self { generation: u32::MAX, fd: -1, pending: Pending::NOTHING, event: 0, bits: 0 };

    pub(super) fn new(fd: RawFd, token: Token, wanted: Interest) -> Self {
        let bits = number(DeliveryMode::Readiness) << DUTY_AT | WAIT_FIRST;
        let mut source = Self { generation: token.generation(), fd, bits, ..Self::NONE };
        source.set_wanted(wanted);
        source
    }

    pub(super) const fn fd(&self) -> RawFd {
        self.fd
    }

    /// Whether it is the one of this token, which has its slot.
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

    pub(super) fn wanted(&self) -> Interest {
        let read = if self.has(READ) { Interest::READ } else { Interest::NONE };
        read | if self.has(WRITE) { Interest::WRITE } else { Interest::NONE }
    }

    pub(super) fn set_wanted(&mut self, wanted: Interest) {
        self.set(READ, wanted.is_read());
        self.set(WRITE, wanted.is_write());
    }

    pub(super) const fn set_delivery_mode(&mut self, mode: DeliveryMode) {
        self.bits = self.bits & !(DUTY | OVER) | number(mode) << DUTY_AT;
    }

    /// `false` if it is on the list of those to be looked at already.
    #[inline]
    pub(super) const fn changes(&mut self) -> bool {
        let is_news = !self.has(CHANGED);
        self.set(CHANGED, true);
        is_news
    }

    /// Asks for what is wanted, and has what is not wanted any more end.
    #[inline]
    pub(super) fn ask(&mut self, token: Token, ring: &mut Ring) {
        self.set(CHANGED, false);
        const RECEIVES: u16 = READ | number(DeliveryMode::Receive) << DUTY_AT;
        if self.bits & !(ON_EDGE | OUTPUT_ON_EDGE | WAIT_FIRST) == RECEIVES
            && self.pending.is_nothing()
        {
            // The common case: it has taken what was received last.
            self.ask_for(DeliveryMode::Receive, token, ring);
        } else {
            self.ask_input(token, ring);
            self.ask_output(token, ring);
        }
    }

    /// Has all that it asked for end. Whether that must not wait: the kernel would go on to take from the source, or to keep what is
    /// about to be closed.
    pub(super) fn end(&mut self, token: Token, closing: bool, ring: &mut Ring) -> bool {
        self.set_wanted(Interest::NONE);
        self.ask_input(token, ring);
        self.ask_output(token, ring);
        let takes =
            matches!(self.mode_at(INPUT_AT), Some(DeliveryMode::Receive | DeliveryMode::Accept));
        self.has(INPUT_ENDS | OUTPUT_ENDS) && (closing || takes)
    }

    // ---- what is held for it ----

    /// Takes what is held. With that the source has credit again.
    #[inline]
    pub(super) const fn take(&mut self) -> Pending {
        self.pending.take()
    }

    /// A receive has brought so many bytes: the common case of what follows.
    #[inline]
    pub(super) fn received(
        &mut self,
        token: Token,
        len: usize,
        pending: Pending,
        events: &mut Vec<Event>,
    ) {
        let is_short = if len < BUFFER_LEN { WAIT_FIRST } else { 0 };
        self.bits = self.bits & !(INPUT | INPUT_ENDS | WAIT_FIRST) | is_short;
        self.hold(token, pending, events);
    }

    /// An operation that has ended has brought something.
    #[inline]
    pub(super) fn hold(&mut self, token: Token, pending: Pending, events: &mut Vec<Event>) {
        debug_assert!(self.pending.is_nothing(), "nothing is asked for before that was taken");
        self.pending = pending;
        self.tell(token, Ready::READ, events);
    }

    /// The input has ended or failed.
    pub(super) const fn set_over(&mut self) {
        self.set(OVER, true);
    }

    /// A receive has found no buffer. It is asked for again before those that had one, and has to be tried before theirs, too.
    pub(super) const fn found_no_buffer(&mut self) {
        self.set(WAIT_FIRST, false);
    }

    /// Sees to it that what is held for a source that does not want it now holds no buffer, for these are everybody's.
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

    fn ask_input(&mut self, token: Token, ring: &mut Ring) {
        let wanted = self.has(READ) && !self.has(OVER) && self.pending.is_nothing();
        let mode = self.mode_at(DUTY_AT).unwrap_or_default();
        match self.mode_at(INPUT_AT) {
            None if wanted => self.ask_for(mode, token, ring),
            Some(asked) if !self.has(INPUT_ENDS) && (!wanted || asked != mode) => {
                ring.cancel(Kind::of(asked).user_data(token), CANCELS);
                self.set(INPUT_ENDS, true);
            }
            _ => {}
        }
    }

    #[inline]
    fn ask_for(&mut self, mode: DeliveryMode, token: Token, ring: &mut Ring) {
        let operation = match mode {
            DeliveryMode::Readiness => {
                Operation::Poll { mask: (libc::POLLIN | PEER_CLOSED) as u32 }
            }
            DeliveryMode::Receive => {
                Operation::Receive { group: GROUP, wait_first: self.has(WAIT_FIRST) }
            }
            DeliveryMode::Accept => Operation::Accept,
        };
        ring.ask(self.fd, operation, Kind::of(mode).user_data(token));
        self.bits |= number(mode) << INPUT_AT;
    }

    fn ask_output(&mut self, token: Token, ring: &mut Ring) {
        let user_data = Kind::PollOutput.user_data(token);
        let (wanted, on_edge) = (self.has(WRITE), self.has(ON_EDGE));
        if !self.has(OUTPUT) {
            if wanted {
                let mask = libc::POLLOUT as u32;
                let operation = match on_edge {
                    false => Operation::Poll { mask },
                    true => Operation::PollChanges { mask },
                };
                ring.ask(self.fd, operation, user_data);
                self.set(OUTPUT, true);
                self.set(OUTPUT_ON_EDGE, on_edge);
            }
        } else if !self.has(OUTPUT_ENDS) && (!wanted || on_edge != self.has(OUTPUT_ON_EDGE)) {
            ring.cancel(user_data, CANCELS);
            self.set(OUTPUT_ENDS, true);
        }
    }

    /// The kernel has said its last word on an operation. Whether it is to be asked again.
    #[inline]
    pub(super) const fn operation_ended(&mut self, kind: Kind) -> bool {
        if matches!(kind, Kind::PollOutput) {
            self.set(OUTPUT | OUTPUT_ENDS, false);
            self.has(WRITE)
        } else {
            self.set(INPUT | INPUT_ENDS, false);
            self.has(READ)
        }
    }

    pub(super) fn input_polled(&mut self, token: Token, result: i32, events: &mut Vec<Event>) {
        if result != -libc::ECANCELED && self.has(READ) {
            let closed = flags(result) & (libc::POLLHUP | PEER_CLOSED) != 0;
            let closed = if closed { Ready::READ_CLOSED } else { Ready::NONE };
            self.tell(token, Ready::READ | closed, events);
        }
    }

    pub(super) fn output_polled(&mut self, token: Token, result: i32, events: &mut Vec<Event>) {
        if result == -libc::ECANCELED {
            return;
        }
        let has_room = flags(result) & !PEER_CLOSED != 0;
        self.set(ON_EDGE, !has_room);
        if has_room && self.has(WRITE) {
            self.tell(token, Ready::WRITE, events);
        }
    }

    /// One event a wait, or where it is among too many, one for each thing.
    #[inline]
    pub(super) fn tell(&mut self, token: Token, ready: Ready, events: &mut Vec<Event>) {
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

/// PendingKind a watch has seen. Errors and hang-ups come unasked, and the next system call says what they mean: also that of a watch
/// which failed.
fn flags(result: i32) -> i16 {
    if result < 0 { libc::POLLERR } else { result as i16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 4 of the design: it is a part of what an idle connection costs.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_source_is_small() {
        assert_eq!(size_of::<Source>(), 16);
    }
}
