//! The state machine of a stream. Pure: no system calls, no callbacks, no clock; it is told what happened and asked what
//! to do next. Four bytes, copied in and out of a `Cell`.
//!
//! A stream goes through these stages, never back:
//!
//! | stage | input | output | left when |
//! |---|---|---|---|
//! | `Open` | delivered, unless held back | queued and sent | `lose_connection`, `abort`, a failure |
//! | `Closing` | read and thrown away | what is queued (and what a producer has) is sent | all is sent, or a failure |
//! | `Lingering` | read and thrown away | ended (FIN is sent) | the peer's FIN, a failure, or `linger_timeout` |
//! | `Lost` | none | none | the loop has told `connection_lost` |
//! | `Gone` | none | none | never: the transport is inert |
//!
//! What happens to it, by stage:
//!
//! | event | `Open` | `Closing` | `Lingering` | `Lost`, `Gone` |
//! |---|---|---|---|---|
//! | `write` | queued | refused, but from a producer that is asked for more | refused | refused |
//! | `close_write` | FIN once all is sent; output refused from now on, but from a producer | – | – | – |
//! | `lose_connection` | `Closing` | – | – | – |
//! | `fail(error)` | `Closing`; the reason will be `Protocol(error)` | the same, if it is the first | the same | – |
//! | `abort` | `Lost(Aborted)` | `Lost(Aborted)` | `Lost(Aborted)` | – |
//! | bytes received | delivered | dropped | dropped | – |
//! | end of stream | `read_closed`, once | remembered | `Lost(Done or Closed)` | – |
//! | all is sent | if `close_write` asked: FIN, or `Lost(Done)` after the peer's FIN | FIN, then `Lingering`; after the peer's FIN `Lost` at once | – | – |
//! | failure | `Lost(why)` | `Lost(why)` | `Lost(Done or Closed)`: all had been sent | – |
//! | panic | `Lost(Panicked)` | `Lost(Panicked)` | `Lost(Panicked)` | – |
//! | linger timeout | – | `Lost(TimedOut)` | `Lost(Done or Closed)` | – |
//! | a timer of the user | `timer_fired` | `timer_fired` | `timer_fired` | – |
//! | idle timeout | `idle_timeout` | – | – | – |
//!
//! `Lost` is told by the loop at the end of its turn: `connection_made` first, if that was not told yet, then
//! `connection_lost`. What `fail` said stays the reason however the close goes, but for a panic.
//!
//! What an edge-triggered engine tells of after the end of the input may be a reset: the socket is asked. A level-triggered one
//! would tell of the end for ever, so it is not asked to: there, as on any engine while reading is paused, a reset shows when
//! something is next written.
//!
//! Input is held back by the user's pause, by a relay without room, or by a queue over its high watermark that has not sunk to the low
//! one since. When the first and the last have gone, `reading_resumed` is owed before further input is.
//!
//! A layer (TLS) may lie over the socket. Until it is ready, `Open` and `Closing` are what they are, but what comes and goes is
//! the layer's: nothing is delivered, what is written waits, and no graceful close gets on. A layer that fails loses the
//! connection; `abort`, the failure of the socket and the end of the reactor are as ever.

use sinew_reactor::Ready;

mod flags;
use flags::*;

/// Where in its life a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    Closing,
    Lingering,
    Lost,
    Gone,
}

/// What to do with the input side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Tell `reading_resumed`.
    Resume,
    /// Read, and deliver.
    Deliver,
    /// Read, and throw away.
    Discard,
    /// There is nothing more to read: see whether the connection still stands.
    Check,
    /// What comes is the layer's, which is not ready.
    Secure,
    /// Nothing for now.
    Wait,
}

/// What to do when all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing: the stream goes on.
    Idle,
    /// Send FIN; the other direction goes on.
    EndOutput,
    /// Send FIN, then wait for the peer's.
    Linger,
    /// Both directions have ended.
    Finish,
}

/// The stage in the lowest bits, where `Open` is none, and the flags above.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    bits: u32,
}

impl State {
    pub(super) const fn new(auto_pause: bool) -> Self {
        Self { bits: WRITABLE | READ_TOLD | if auto_pause { 0 } else { MANUAL } }
    }

    /// There is no output: it has ended from the start.
    pub(super) const fn set_read_only(&mut self) {
        self.bits |= ENDING | FIN_SENT;
    }

    const fn stage(self) -> Stage {
        match self.bits & STAGE {
            0 => Stage::Open,
            1 => Stage::Closing,
            2 => Stage::Lingering,
            3 => Stage::Lost,
            _ => Stage::Gone,
        }
    }

    const fn enter(&mut self, stage: Stage) {
        self.bits = (self.bits & !STAGE) | stage as u32;
    }

    const fn has(self, flag: u32) -> bool {
        self.bits & flag != 0
    }

    const fn set(&mut self, flag: u32, on: bool) {
        if on {
            self.bits |= flag;
        } else {
            self.bits &= !flag;
        }
    }

    /// Sets a flag on a condition, without a branch.
    #[inline]
    const fn set_if(&mut self, flag: u32, on: bool) {
        self.bits |= flag * on as u32;
    }

    /// Sets a flag and says whether it was not set before.
    const fn raise(&mut self, flag: u32) -> bool {
        let raised = !self.has(flag);
        self.bits |= flag;
        raised
    }

    // ---- what the user asks ----

    /// Whether output is taken. A producer is heard out also when all others are refused.
    #[inline]
    pub(super) const fn takes_output(self) -> bool {
        self.has_output()
            || self.has(PRODUCING) && matches!(self.stage(), Stage::Open | Stage::Closing)
    }

    /// Whether nobody has asked for an end of the output.
    pub(super) const fn has_output(self) -> bool {
        self.bits & (STAGE | ENDING) == 0
    }

    /// The queue has passed its high watermark.
    pub(super) const fn rose(&mut self) {
        if self.raise(OVER_HIGH) && !self.has(MANUAL) {
            self.bits |= WITHHELD;
        }
    }

    pub(super) const fn pause(&mut self) {
        if matches!(self.stage(), Stage::Open) {
            self.bits |= PAUSED | WITHHELD;
        }
    }

    pub(super) const fn resume(&mut self) {
        self.set(PAUSED, false);
    }

    pub(super) const fn set_auto_pause(&mut self, on: bool) {
        self.set(MANUAL, !on);
        if on && self.has(OVER_HIGH) {
            self.bits |= WITHHELD;
        }
    }

    /// `false` if there is nothing left to end.
    pub(super) const fn close_write(&mut self) -> bool {
        matches!(self.stage(), Stage::Open) && self.raise(ENDING)
    }

    /// `false` if the stream is closing already.
    pub(super) const fn lose_connection(&mut self) -> bool {
        if !matches!(self.stage(), Stage::Open) {
            return false;
        }
        self.enter(Stage::Closing);
        self.set(EOF_FIRST, self.has(EOF));
        true
    }

    // ---- what happened ----

    pub(super) const fn made(&mut self) {
        self.bits |= MADE;
    }

    #[inline]
    pub(super) const fn became(&mut self, ready: Ready) {
        self.set_if(READABLE, ready.is_read());
        self.set_if(WRITABLE, ready.is_write());
        self.set_if(READ_CLOSED, ready.is_read_closed());
    }

    /// A read took all there was.
    pub(super) const fn input_drained(&mut self) {
        // With the peer's end announced, only the end itself is proof that nothing is left.
        if !self.has(READ_CLOSED) {
            self.set(READABLE, false);
        }
    }

    /// A read would have blocked.
    pub(super) const fn read_blocked(&mut self) {
        self.set(READABLE | READ_CLOSED, false);
    }

    /// A write took less than it was given, or would have blocked.
    pub(super) const fn write_blocked(&mut self) {
        self.set(WRITABLE, false);
    }

    /// The connection stands, and nothing is left to read.
    pub(super) const fn checked(&mut self) {
        self.set(READABLE | READ_CLOSED, false);
    }

    /// The end of the input. `true` if the protocol is to be told.
    pub(super) const fn end_of_stream(&mut self) -> bool {
        self.set(READABLE | READ_CLOSED, false);
        self.raise(EOF) && matches!(self.stage(), Stage::Open)
    }

    /// All that was queued is sent, and no producer has more.
    pub(super) const fn drained(self) -> Drained {
        match self.stage() {
            Stage::Open if self.has(ENDING) && self.has(EOF) => Drained::Finish,
            Stage::Open if self.has(ENDING) && !self.has(FIN_SENT) => Drained::EndOutput,
            Stage::Closing if self.has(EOF) => Drained::Finish,
            Stage::Closing => Drained::Linger,
            Stage::Lingering if self.has(EOF) => Drained::Finish,
            _ => Drained::Idle,
        }
    }

    pub(super) const fn fin_sent(&mut self) {
        self.bits |= FIN_SENT;
        if matches!(self.stage(), Stage::Closing) {
            self.enter(Stage::Lingering);
        }
    }

    /// The connection is over. `false` if it was already.
    pub(super) const fn lost(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        self.enter(Stage::Lost);
        true
    }

    /// The end is about to be told. `false` if it has been.
    pub(super) const fn tell_end(&mut self) -> bool {
        self.raise(END_TOLD)
    }

    pub(super) const fn gone(&mut self) {
        self.enter(Stage::Gone);
    }

    pub(super) const fn must_reset(&mut self) {
        self.bits |= RESET;
    }

    /// The queue has sunk to the low watermark. `true` if `writing_resumed` is to be told.
    pub(super) const fn sank(&mut self) -> bool {
        let tell = self.has(PAUSE_TOLD);
        self.set(OVER_HIGH | PAUSE_TOLD, false);
        tell
    }

    /// Whether `writing_paused` is to be told; it is, once.
    pub(super) const fn tell_pause(&mut self) -> bool {
        self.has(OVER_HIGH) && self.raise(PAUSE_TOLD)
    }

    // ---- what to do next ----

    /// The common case, in one comparison: open, with something to read, which a plain read brings, and nothing in the way.
    #[inline]
    pub(super) const fn is_ordinary(self) -> bool {
        self.bits & (READABLE | IN_THE_WAY | INDIRECT) == READABLE
    }

    /// The same where the engine receives.
    #[inline]
    pub(super) const fn is_ordinary_completed(self) -> bool {
        self.bits & (READABLE | IN_THE_WAY | INDIRECT) == READABLE | COMPLETES
    }

    pub(super) const fn input(&mut self) -> Input {
        match self.stage() {
            Stage::Open | Stage::Closing if self.has(SECURING) => match self.has(READABLE) {
                true => Input::Secure,
                false => Input::Wait,
            },
            Stage::Open if self.has(EOF) && self.has(READABLE) => Input::Check,
            Stage::Open if self.is_held_back() => Input::Wait,
            Stage::Open if self.has(WITHHELD) => {
                self.set(WITHHELD, false);
                Input::Resume
            }
            _ if self.has(EOF) || !self.has(READABLE) => Input::Wait,
            Stage::Open => Input::Deliver,
            Stage::Closing | Stage::Lingering => Input::Discard,
            Stage::Lost | Stage::Gone => Input::Wait,
        }
    }

    /// `false` if nothing can be to be done about the input.
    #[inline]
    pub(super) const fn may_have_input(self) -> bool {
        self.has(READABLE | WITHHELD)
    }

    /// Whether the loop has to come back for input without an event.
    #[inline]
    pub(super) const fn has_input_left(mut self) -> bool {
        self.may_have_input() && !matches!(self.input(), Input::Wait)
    }

    /// Whether input is wanted, were there any. The end of it is readable for ever.
    pub(super) const fn wants_input(mut self) -> bool {
        self.bits |= READABLE;
        !self.has(EOF) && !matches!(self.input(), Input::Wait)
    }

    pub(super) const fn is_held_back(self) -> bool {
        self.has(PAUSED | SECURING | HELD) || (self.has(OVER_HIGH) && !self.has(MANUAL))
    }

    /// Whether nothing is to be done about the output once all is sent.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.bits & (STAGE | OVER_HIGH | ENDING | SECURING) == 0
    }

    /// Whether a write may go to the system before the loop comes by: with nothing about the output to be minded.
    pub(super) const fn may_write_directly(self) -> bool {
        self.is_plain() && self.has(MADE) && self.has(WRITABLE)
    }

    pub(super) const fn is_writable(self) -> bool {
        self.has(WRITABLE)
    }

    pub(super) const fn is_over_high(self) -> bool {
        self.has(OVER_HIGH)
    }

    pub(super) const fn is_open(self) -> bool {
        matches!(self.stage(), Stage::Open)
    }

    pub(super) const fn is_lingering(self) -> bool {
        matches!(self.stage(), Stage::Lingering)
    }

    /// Lost or gone.
    pub(super) const fn is_over(self) -> bool {
        matches!(self.stage(), Stage::Lost | Stage::Gone)
    }

    pub(super) const fn is_gone(self) -> bool {
        matches!(self.stage(), Stage::Gone)
    }

    pub(super) const fn is_made(self) -> bool {
        self.has(MADE)
    }

    pub(super) const fn is_end_told(self) -> bool {
        self.has(END_TOLD)
    }

    pub(super) const fn is_reset(self) -> bool {
        self.has(RESET)
    }

    /// Whether the peer ended its side before we asked to close the connection (if we did), so that the end is its doing.
    pub(super) const fn peer_ended_first(self) -> bool {
        self.has(EOF_FIRST) || matches!(self.stage(), Stage::Open)
    }

    // ---- what the loop has on its lists ----

    pub(super) const fn set_in_callback(&mut self, on: bool) {
        self.set(IN_CALLBACK, on);
    }

    /// Says how that was before.
    pub(super) const fn set_lent(&mut self, on: bool) -> bool {
        let before = self.has(LENT);
        self.set(LENT, on);
        before
    }

    pub(super) const fn is_lent(self) -> bool {
        self.has(LENT)
    }

    pub(super) const fn set_producing(&mut self, on: bool) {
        self.set(IN_CALLBACK | PRODUCING, on);
    }

    /// `true` if the loop is not going to look at the output anyway.
    pub(super) const fn ask_flush(&mut self) -> bool {
        !self.has(IN_CALLBACK) && self.raise(FLUSH_QUEUED)
    }

    pub(super) const fn flush_begins(&mut self) {
        self.set(FLUSH_QUEUED, false);
    }

    /// `true` if the loop is not going to look at the input anyway.
    pub(super) const fn ask_again(&mut self) -> bool {
        self.raise(AGAIN_QUEUED)
    }

    pub(super) const fn again_begins(&mut self) {
        self.set(AGAIN_QUEUED, false);
    }

    // ---- the layer over the socket ----

    /// A layer was laid over the socket. Who reads is told when that goes on.
    pub(super) const fn layered(&mut self) {
        self.bits |= LAYERED | SECURING;
        if self.has(MADE) {
            self.bits |= WITHHELD;
        }
    }

    /// The layer is ready. Whether there is more to read, and room to write, is found out by trying.
    pub(super) const fn secured(&mut self) {
        self.set(SECURING, false);
        self.bits |= READABLE | WRITABLE;
    }

    /// The layer has to wait for its turn, and has the loop come by.
    pub(super) const fn wait_for_turn(&mut self) {
        self.set(READABLE, false);
    }

    pub(super) const fn is_layered(self) -> bool {
        self.has(LAYERED)
    }

    pub(super) const fn is_securing(self) -> bool {
        self.has(SECURING)
    }

    pub(super) const fn is_readable(self) -> bool {
        self.has(READABLE)
    }

    // ---- the stream that it is tied to ----

    /// Tied to another, and held until that has room. What its own queue holds does not hold it up.
    pub(super) const fn relayed(&mut self) {
        self.bits |= RELAYED | HELD | MANUAL;
    }

    pub(super) const fn is_relayed(self) -> bool {
        self.has(RELAYED)
    }

    pub(super) const fn hold(&mut self) {
        self.bits |= HELD;
    }

    /// `true` if it was held, and the loop has to come by.
    pub(super) const fn release(&mut self) -> bool {
        let was_held = self.has(HELD);
        self.set(HELD, false);
        was_held && !self.is_over()
    }

    pub(super) const fn has_ended(self) -> bool {
        self.has(EOF)
    }

    // ---- what the engine knows ----

    /// The engine receives for this stream: what has come is taken from there, not read from the socket.
    pub(super) const fn set_completes(&mut self) {
        self.bits |= COMPLETES;
    }

    pub(super) const fn completes(self) -> bool {
        self.has(COMPLETES)
    }

    pub(super) const fn set_takes_descriptors(&mut self) {
        self.bits |= TAKES_DESCRIPTORS;
    }

    pub(super) const fn takes_descriptors(self) -> bool {
        self.has(TAKES_DESCRIPTORS)
    }

    /// Whether input comes in another way than by a plain read.
    pub(super) const fn is_indirect(self) -> bool {
        self.has(INDIRECT)
    }

    /// Whether the engine has to be told what is wanted now.
    pub(super) const fn tell_interest(&mut self, read: bool, write: bool) -> bool {
        let told = self.bits & (READ_TOLD | WRITE_TOLD);
        self.set(READ_TOLD, read);
        self.set(WRITE_TOLD, write);
        self.bits & (READ_TOLD | WRITE_TOLD) != told
    }

    /// The common case of [`tell_interest`](Self::tell_interest), in one comparison: input is wanted and no room, and that is what
    /// the engine was told.
    #[inline]
    pub(super) const fn is_told(self) -> bool {
        let told = READ_TOLD | WRITE_TOLD | WRITABLE;
        self.bits & (IN_THE_WAY | told) == WRITABLE | READ_TOLD
    }

    pub(super) const fn is_again_queued(self) -> bool {
        self.has(AGAIN_QUEUED)
    }
}

#[cfg(test)]
mod tests;
