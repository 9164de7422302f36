//! The state machine of a stream. Pure: no system calls, no callbacks, no clock; it is told what happened and asked what
//! to do next. Four bytes, copied in and out of a `Cell`.
//!
//! A stream goes through these stages, never back:
//!
//! | stage | input | output | left when |
//! |---|---|---|---|
//! | `Open` | delivered, unless held back | queued and sent | `lose_connection`, `abort`, a failure |
//! | `OutputFailed` | delivered, unless held back | none: what was queued is dropped | the input ends, fails or, of a socket, has nothing more; `lose_connection`, `abort`; `linger_timeout` while it is held back |
//! | `Closing` | read and thrown away | what is queued (and what a producer has) is sent | all is sent, or a failure |
//! | `Lingering` | read and thrown away | ended (FIN is sent) | the peer's FIN, a failure, or `linger_timeout` |
//! | `Lost` | none | none | the loop tells `connection_lost` |
//! | `Told` | none | none | that has returned |
//! | `Gone` | none | none | never: the transport is inert |
//!
//! What happens to it, by stage (`Lost`, `Told` and `Gone` take no notice of anything):
//!
//! | event | `Open` | `OutputFailed` | `Closing` | `Lingering` |
//! |---|---|---|---|---|
//! | `write` | queued | refused | refused, but from a producer that is asked for more | refused |
//! | `close_write` | FIN once all is sent; output refused from now on, but from a producer | – | – | – |
//! | `lose_connection` | `Closing` | `Lost(why output failed)` | – | – |
//! | `fail(error)` | `Closing`; the reason will be `Protocol(error)` | `Lost(Protocol)` | the same, if it is the first | the same |
//! | `abort` | `Lost(Aborted)` | `Lost(why output failed)` | `Lost(Aborted)` | `Lost(Aborted)` |
//! | the other end of its relay is lost, not cleanly | `Closing`, to be reset | `Lost(why output failed)` | to be reset | – |
//! | bytes received | delivered | delivered | dropped | dropped |
//! | end of stream | `read_closed`, once | `Lost(why output failed)` | remembered | `Lost(Done or Closed)` |
//! | a read would block | – | `Lost(why output failed)`, if input and output are one connection | – | – |
//! | output fails | `OutputFailed`; after the peer's FIN `Lost(why)` | – | `Lost(why)` | `Lost(Done or Closed)`: all had been sent |
//! | input fails | `Lost(why)` | `Lost(why output failed)`; if TLS says why, that | `Lost(why)` | `Lost(Done or Closed)` |
//! | a layer fails, with something to say to its peer | `Closing`; the reason will be `Tls(error)` | `Lost(Tls)` | the same | `Lost(Done or Closed)` |
//! | all is sent | if `close_write` asked: FIN, or `Lost(Done)` after the peer's FIN | – | FIN, then `Lingering`; after the peer's FIN `Lost` at once; to be reset: `Lost` once the peer's system has it all | – |
//! | panic | `Lost(Panicked)` | `Lost(Panicked)` | `Lost(Panicked)` | `Lost(Panicked)` |
//! | linger timeout | – | held back: `Lost(why output failed)` | `Lost(TimedOut)` | `Lost(Done or Closed)` |
//! | the reactor stops | `Lost(Shutdown)` | `Lost(Shutdown)` | `Lost(Shutdown)` | `Lost(Shutdown)` |
//! | a timer of the user | `timer_fired` | `timer_fired` | `timer_fired` | `timer_fired` |
//! | idle timeout | `idle_timeout` | `idle_timeout` | – | – |
//! | drain | `drain_requested` | `drain_requested` | – | – |
//!
//! `Lost` is told by the loop at the end of its turn: `connection_made` first, if that was not told yet, then
//! `connection_lost`. What `fail` said stays the reason however the close goes, but for a panic. Whatever the end, if something is
//! unsent then that was not dropped on purpose, the connection is reset: half of it must not pass for the whole.
//!
//! **Output that fails** says nothing of what has arrived: a peer that answers early and closes without reading all makes the next
//! write fail, and the answer is there to be read. So the queue is dropped, which lifts the watermark's pause (the user's stays), and
//! input is delivered until there is no more of it. Its end then is no clean one, whatever the system says: an error is told once,
//! and the write has heard it. A pipe that nobody reads says nothing of the pipe that is read from: there input goes on.
//!
//! **Whether input is drained** after a read that brought less than it had room for, the kind of stream says
//! ([`short_read_drains`](super::socket::ByteStream::short_read_drains)), and the last event ([`Ready::cuts_reads`]). Else only a
//! read that blocks proves it. [`State::read_was_short`] is the one place where that is decided.
//!
//! What an engine tells of after the end of the input, or while input is held back, may be a reset: the socket is asked. An
//! edge-triggered one tells of it anyway. A level-triggered one would tell of the end for ever, so it is not asked to: there the
//! socket is asked every now and then (`timeouts.rs`).
//!
//! Input is held back by the user's pause, by a relay without room, or by a queue over its high watermark that has not sunk to the low
//! one since. When the first and the last have gone, `reading_resumed` is owed before further input is.
//!
//! A layer (TLS) may lie over the socket. Until it is ready, the first three stages are what they are, but what comes and goes is
//! the layer's: nothing is delivered, and what is written waits. A graceful close waits for it only if something was written for it
//! to send; else it is given up: what is to go out below it is sent, then FIN. `abort`, the failure of the socket and the end of
//! the reactor are as ever.

use sinew_reactor::Ready;

mod flags;
mod marks;
use flags::*;

/// Where in its life a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    OutputFailed,
    Closing,
    Lingering,
    Lost,
    Told,
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
    /// Nothing is to be read, but something has happened: see whether the connection still stands.
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
    /// Reset the connection, as soon as that takes nothing away.
    Reset,
}

/// What the end of the input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The protocol, or the other end of the relay, is to be told.
    Tell,
    /// Output had failed before: the connection is over.
    Over,
    /// Nothing for now.
    Noted,
}

/// The stage in the lowest bits, where `Open` is none, and the flags above.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    bits: u32,
}

impl State {
    pub(super) const fn new(auto_pause: bool) -> Self {
        Self { bits: WRITABLE | READ_TOLD | if auto_pause { 0 } else { NO_AUTO_PAUSE } }
    }

    /// There is no output: it has ended from the start.
    pub(super) const fn set_read_only(&mut self) {
        self.bits |= ENDING | FIN_SENT;
    }

    const fn stage(self) -> Stage {
        match self.bits & STAGE {
            0 => Stage::Open,
            1 => Stage::OutputFailed,
            2 => Stage::Closing,
            3 => Stage::Lingering,
            4 => Stage::Lost,
            5 => Stage::Told,
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

    /// Whether what has been taken is still to be sent, or may be.
    pub(super) const fn sends(self) -> bool {
        matches!(self.stage(), Stage::Open | Stage::Closing)
    }

    /// The queue has passed its high watermark.
    pub(super) const fn above_high(&mut self) {
        if self.raise(OVER_HIGH) && !self.has(NO_AUTO_PAUSE) {
            self.bits |= RESUME_PENDING;
        }
    }

    pub(super) const fn pause(&mut self) {
        if self.is_open() {
            self.bits |= PAUSED | RESUME_PENDING;
        }
    }

    pub(super) const fn resume(&mut self) {
        self.set(PAUSED, false);
    }

    pub(super) const fn set_auto_pause(&mut self, on: bool) {
        self.set(NO_AUTO_PAUSE, !on);
        if on && self.has(OVER_HIGH) {
            self.bits |= RESUME_PENDING;
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

    /// Closes with a reset where the end of the stream would be sent. `false` if it is not to be sent any more.
    pub(super) const fn close_with_reset(&mut self) -> bool {
        let sends = self.sends();
        if sends {
            self.enter(Stage::Closing);
            self.bits |= RESET;
        }
        sends
    }

    // ---- what happened ----

    pub(super) const fn made(&mut self) {
        self.bits |= MADE;
    }

    #[inline]
    pub(super) const fn became(&mut self, ready: Ready) {
        self.set_if(READABLE, ready.is_read());
        self.set_if(WRITABLE, ready.is_write());
        self.set_if(READ_UNTIL_BLOCKED, ready.cuts_reads());
        self.set_if(LOOK, ready.is_read_closed());
    }

    /// A read has brought less than it had room for.
    #[inline]
    pub(super) const fn read_was_short(&mut self) {
        if !self.has(READ_UNTIL_BLOCKED | CUTS_READS) {
            self.set(READABLE, false);
        }
    }

    /// A read would have blocked.
    pub(super) const fn read_blocked(&mut self) {
        self.set(READABLE | READ_UNTIL_BLOCKED | LOOK, false);
    }

    /// Nothing can be sent any more. `false` if with that there is nothing left.
    pub(super) const fn output_failed(&mut self) -> bool {
        let goes_on = matches!(self.stage(), Stage::Open) && !self.has(EOF);
        if goes_on {
            self.enter(Stage::OutputFailed);
            self.bits |= READ_UNTIL_BLOCKED | WRITABLE | RESET;
            // What has arrived is found by trying, but where the engine has it, or will.
            self.set_if(READABLE, !self.has(COMPLETES));
        }
        goes_on
    }

    /// A write took less than it was given, or would have blocked.
    pub(super) const fn write_blocked(&mut self) {
        self.set(WRITABLE, false);
    }

    /// Whether the connection stands is to be seen, though no engine has told of anything.
    pub(super) const fn look(&mut self) {
        self.bits |= LOOK;
    }

    /// That has been seen.
    pub(super) const fn looked(&mut self) {
        self.set(LOOK, false);
        if self.has(EOF) {
            self.set(READABLE | READ_UNTIL_BLOCKED, false);
        }
    }

    /// The end of the input.
    pub(super) const fn end_of_stream(&mut self) -> Ended {
        self.set(READABLE | READ_UNTIL_BLOCKED | LOOK, false);
        let is_first = self.raise(EOF);
        match self.stage() {
            Stage::Open if is_first => Ended::Tell,
            Stage::OutputFailed => Ended::Over,
            _ => Ended::Noted,
        }
    }

    /// All that was queued is sent, and no producer has more.
    pub(super) const fn drained(self) -> Drained {
        match self.stage() {
            Stage::Open if self.has(ENDING) && self.has(EOF) => Drained::Finish,
            Stage::Open if self.has(ENDING) && !self.has(FIN_SENT) => Drained::EndOutput,
            Stage::Closing if self.has(RESET) => Drained::Reset,
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
        let is_news = matches!(self.stage(), Stage::Lost);
        if is_news {
            self.enter(Stage::Told);
        }
        is_news
    }

    pub(super) const fn gone(&mut self) {
        self.enter(Stage::Gone);
    }

    pub(super) const fn must_reset(&mut self) {
        self.bits |= RESET;
    }

    /// The queue has sunk to the low watermark. `true` if `writing_resumed` is to be told.
    pub(super) const fn below_low(&mut self) -> bool {
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
            Stage::Lost | Stage::Told | Stage::Gone => Input::Wait,
            Stage::Open | Stage::OutputFailed | Stage::Closing if self.has(HANDSHAKING) => {
                match self.has(READABLE) {
                    true => Input::Secure,
                    false => Input::Wait,
                }
            }
            Stage::Open if self.has(LOOK) && (self.has(EOF) || self.is_held_back()) => Input::Check,
            Stage::Open | Stage::OutputFailed if self.is_held_back() => Input::Wait,
            Stage::Open | Stage::OutputFailed if self.has(RESUME_PENDING) => {
                self.set(RESUME_PENDING, false);
                Input::Resume
            }
            _ if self.has(EOF) || !self.has(READABLE) => Input::Wait,
            Stage::Open | Stage::OutputFailed => Input::Deliver,
            Stage::Closing | Stage::Lingering => Input::Discard,
        }
    }

    /// `false` if nothing can be to be done about the input.
    #[inline]
    pub(super) const fn may_have_input(self) -> bool {
        self.has(READABLE | RESUME_PENDING | LOOK)
    }

    /// Whether the loop has to come back for input without an event.
    #[inline]
    pub(super) const fn has_input_left(mut self) -> bool {
        self.may_have_input() && !matches!(self.input(), Input::Wait)
    }

    /// Whether input is wanted, were there any. The end of it is readable for ever.
    pub(super) const fn wants_input(mut self) -> bool {
        self.set(LOOK, false);
        self.bits |= READABLE;
        !self.has(EOF) && !matches!(self.input(), Input::Wait)
    }

    /// Whether the user has paused reading.
    pub(super) const fn is_paused(self) -> bool {
        self.has(PAUSED)
    }

    /// Whether a reset has to be looked for where no engine tells of what is not wanted.
    pub(super) const fn hears_nothing(self) -> bool {
        matches!(self.stage(), Stage::Open)
            && self.has(EOF | PAUSED | INPUT_HELD)
            && !self.has(HANDSHAKING)
    }

    /// Whether input waits for the user, or for room at the other end of a relay.
    pub(super) const fn is_kept_waiting(self) -> bool {
        self.has(PAUSED | INPUT_HELD)
    }

    #[inline]
    pub(super) const fn is_held_back(self) -> bool {
        self.has(PAUSED | HANDSHAKING | INPUT_HELD)
            || (self.has(OVER_HIGH) && !self.has(NO_AUTO_PAUSE))
    }

    /// Whether nothing is to be done about the output once all is sent.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.bits & (STAGE | OVER_HIGH | ENDING | HANDSHAKING) == 0
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

    /// Whether neither side has asked for the end, and there may be input.
    #[inline]
    pub(super) const fn is_open(self) -> bool {
        self.bits & STAGE <= Stage::OutputFailed as u32
    }

    pub(super) const fn has_output_failed(self) -> bool {
        matches!(self.stage(), Stage::OutputFailed)
    }

    pub(super) const fn is_closing(self) -> bool {
        matches!(self.stage(), Stage::Closing)
    }

    pub(super) const fn is_lingering(self) -> bool {
        matches!(self.stage(), Stage::Lingering)
    }

    /// Lost, whether or not that has been told.
    pub(super) const fn is_over(self) -> bool {
        self.bits & STAGE >= Stage::Lost as u32
    }

    pub(super) const fn is_gone(self) -> bool {
        matches!(self.stage(), Stage::Gone)
    }

    pub(super) const fn is_made(self) -> bool {
        self.has(MADE)
    }

    pub(super) const fn is_end_told(self) -> bool {
        self.bits & STAGE > Stage::Lost as u32
    }

    pub(super) const fn is_reset(self) -> bool {
        self.has(RESET)
    }

    /// Whether the peer ended its side before we asked to close the connection (if we did), so that the end is its doing.
    pub(super) const fn peer_ended_first(self) -> bool {
        self.has(EOF_FIRST) || matches!(self.stage(), Stage::Open)
    }
}

#[cfg(test)]
mod tests;
