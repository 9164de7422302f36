//! State machine of a stream: the lifecycle of a connection. Pure: no system calls, no callbacks, no clock. Its caller reports events and
//! asks for the next action. Four bytes, copied in and out of a `Cell`.
//!
//! A stream passes through these stages in order and never goes back:
//!
//! | stage | input | output | left when |
//! |---|---|---|---|
//! | `Open` | delivered, unless blocked | queued and sent | `lose_connection`, `abort`, a failure |
//! | `OutputFailed` | delivered, unless blocked | none: the queue was dropped | the input ends or fails, or the socket has no more of it; `lose_connection`, `abort`; `linger_timeout` while input is paused or held |
//! | `Closing` | read and discarded | the queue and the producers' output are sent | all is sent, or a failure |
//! | `Lingering` | read and discarded | ended (FIN is sent) | the peer's FIN, a failure, or `linger_timeout` |
//! | `Lost` | none | none | the event loop calls `connection_lost` |
//! | `Notified` | none | none | `connection_lost` has returned |
//! | `Gone` | none | none | never: the transport is inert |
//!
//! What each event does, by stage (`Lost`, `Notified` and `Gone` ignore all events; – means that nothing happens):
//!
//! | event | `Open` | `OutputFailed` | `Closing` | `Lingering` |
//! |---|---|---|---|---|
//! | `write` | queued | refused | refused, except from a producer inside its `produce` call | refused |
//! | `close_write` | FIN once all is sent; output is refused from now on, except from a producer | – | – | – |
//! | `lose_connection` | `Closing` | `Lost(error of the output)` | – | – |
//! | `fail(error)` | `Closing`; the reason will be `Protocol(error)` | `Lost(Protocol)` | sets the reason, if none is set | sets the reason, if none is set |
//! | `abort` | `Lost(Aborted)` | `Lost(error of the output)` | `Lost(Aborted)` | `Lost(Aborted)` |
//! | the other end of its relay is lost uncleanly | `Closing`, ends with a reset | `Lost(error of the output)` | ends with a reset | – |
//! | bytes received | delivered | delivered | discarded | discarded |
//! | end of stream | `read_closed`, once | `Lost(error of the output)` | recorded | `Lost(Done or Closed)` |
//! | a read would block | – | `Lost(error of the output)`, if input and output are one connection | – | – |
//! | output fails | `OutputFailed`; after the peer's FIN `Lost(error)` | – | `Lost(error)` | `Lost(Done or Closed)`: all had been sent |
//! | input fails | `Lost(error)` | `Lost(error of the output)`; if a TLS alert gives the cause, that | `Lost(error)` | `Lost(Done or Closed)` |
//! | a layer fails and has an alert to send | `Closing`; the reason will be `Tls(error)` | `Lost(Tls)` | `Closing`; the reason will be `Tls(error)` | `Lost(Done or Closed)` |
//! | all is sent | after `close_write`: FIN, or `Lost(Done)` after the peer's FIN | – | FIN, then `Lingering`; after the peer's FIN `Lost` at once; with a reset pending: `Lost` once the peer's kernel has all of it | – |
//! | panic | `Lost(Panicked)` | `Lost(Panicked)` | `Lost(Panicked)` | `Lost(Panicked)` |
//! | linger timeout | – | while input is paused or held: `Lost(error of the output)` | `Lost(TimedOut)` | `Lost(Done or Closed)` |
//! | the reactor stops | `Lost(Shutdown)` | `Lost(Shutdown)` | `Lost(Shutdown)` | `Lost(Shutdown)` |
//! | a timer of the user | `timer_fired` | `timer_fired` | `timer_fired` | `timer_fired` |
//! | idle timeout | `idle_timeout` | `idle_timeout` | – | – |
//! | drain | `drain_requested` | `drain_requested` | – | – |
//!
//! At the end of the turn that entered `Lost`, the event loop calls `connection_made`, if it was not called yet, and then
//! `connection_lost`. The error given to `fail` stays the reason however the close proceeds, except after a panic. If data is
//! unsent that was not dropped on purpose, the connection is reset, so that the peer cannot take a truncated reply for a complete
//! one.
//!
//! **When output fails**, received data may still be waiting: a peer that answers early and closes without reading everything
//! makes the next write fail, while its answer is in the receive buffer. So the queue is dropped, which lifts the watermark's
//! pause (the user's pause stays), and input is delivered until there is no more. An end of stream after that is not a clean end:
//! the kernel reports an error only once, and the write has received it. If input and output are two pipes, a failed output says
//! nothing about the input, and reading continues.
//!
//! **Whether a short read drained the socket** depends on the kind of stream
//! ([`short_read_drains`](super::socket::ByteStream::short_read_drains)) and on the last event ([`Ready::may_shorten_reads`]). Otherwise
//! only a read that returns `WouldBlock` proves it. [`State::read_was_short`] is the one place where this is decided.
//!
//! **Resets while input is not read.** An event after the end of the input, or while input is blocked, may be a reset, so the
//! socket is checked for an error. An edge-triggered engine reports it anyway. A level-triggered engine would report the end for
//! ever, so it is not asked to; there the socket is checked by a timer (`timeouts.rs`).
//!
//! **Backpressure on input.** Input is blocked by the user's pause, by a hold (`hold.rs`), such as a relay without room, or by a
//! queue that went above its high watermark and has not fallen to the low one since. When none of these is left,
//! `reading_resumed` is called before more input is delivered, except after a hold of the relay or of a handover alone.
//!
//! **Layers.** A layer (TLS) may be on top of the socket. During its handshake the first three stages apply as above, but the
//! layer exchanges its own messages: nothing is delivered, and writes wait. A graceful close waits for the handshake only if
//! there is data to send above the layer. Otherwise the layer is given up: what goes out below it is sent, then FIN. `abort`, a
//! failure of the socket and the shutdown of the reactor work as without a layer.

use sinew_reactor::Ready;

mod flags;
mod marks;
use flags::*;

/// Where a stream is in its lifecycle: the table at the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    OutputFailed,
    Closing,
    Lingering,
    Lost,
    Notified,
    Gone,
}

/// What to do with the input side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Call `reading_resumed`.
    Resume,
    /// Read and deliver.
    Deliver,
    /// Read and discard.
    Discard,
    /// Do not read, but check the socket for an error: an event has been reported.
    Check,
    /// Input belongs to the layer, whose handshake is not complete.
    Handshake,
    /// Do nothing now.
    Wait,
}

/// What to do when all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing: the stream stays as it is.
    Idle,
    /// Send FIN; input continues.
    EndOutput,
    /// Send FIN, then wait for the peer's.
    Linger,
    /// Both directions have ended.
    Finish,
    /// Reset the connection once the reset loses no sent data.
    Reset,
}

/// What the end of the input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Call `read_closed`, or end the output of the other end of the relay.
    Notify,
    /// Output had failed before, so the connection is over.
    ConnectionOver,
    /// Nothing to do now; the flag is set.
    Recorded,
}

/// The stage is in the lowest bits, with `Open` as 0; the flags are above them.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    bits: u32,
}

impl State {
    pub(super) const fn new(auto_pause: bool) -> Self {
        Self { bits: WRITABLE | READ_INTEREST | if auto_pause { 0 } else { NO_AUTO_PAUSE } }
    }

    /// The stream has no output: it counts as ended from the start.
    pub(super) const fn set_read_only(&mut self) {
        self.bits |= CLOSE_WRITE_REQUESTED | FIN_SENT;
    }

    const fn stage(self) -> Stage {
        match self.bits & STAGE {
            0 => Stage::Open,
            1 => Stage::OutputFailed,
            2 => Stage::Closing,
            3 => Stage::Lingering,
            4 => Stage::Lost,
            5 => Stage::Notified,
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

    /// Sets a flag if `on`, without a branch.
    #[inline]
    const fn set_if(&mut self, flag: u32, on: bool) {
        self.bits |= flag * on as u32;
    }

    /// Sets a flag and returns whether it was clear before.
    const fn set_once(&mut self, flag: u32) -> bool {
        let raised = !self.has(flag);
        self.bits |= flag;
        raised
    }

    // ---- what the user requests ----

    /// Whether a write is accepted. A producer inside its `produce` call may write while other writes are refused.
    #[inline]
    pub(super) const fn takes_output(self) -> bool {
        self.is_output_open()
            || self.has(PRODUCING) && matches!(self.stage(), Stage::Open | Stage::Closing)
    }

    /// Whether neither the end of the output nor of the connection was requested.
    pub(super) const fn is_output_open(self) -> bool {
        self.bits & (STAGE | CLOSE_WRITE_REQUESTED) == 0
    }

    /// Whether queued data is still sent, or may be.
    pub(super) const fn can_send(self) -> bool {
        matches!(self.stage(), Stage::Open | Stage::Closing)
    }

    /// The queue went above its high watermark.
    pub(super) const fn above_high(&mut self) {
        if self.set_once(ABOVE_HIGH) && !self.has(NO_AUTO_PAUSE) {
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
        if on && self.has(ABOVE_HIGH) {
            self.bits |= RESUME_PENDING;
        }
    }

    /// Returns `false` if the output is ended already.
    pub(super) const fn close_write(&mut self) -> bool {
        matches!(self.stage(), Stage::Open) && self.set_once(CLOSE_WRITE_REQUESTED)
    }

    /// Returns `false` if the stream is closing already.
    pub(super) const fn lose_connection(&mut self) -> bool {
        if !matches!(self.stage(), Stage::Open) {
            return false;
        }
        self.enter(Stage::Closing);
        self.set(EOF_BEFORE_CLOSE, self.has(EOF));
        true
    }

    /// Closes with a reset in place of FIN. Returns `false` if nothing is sent any more.
    pub(super) const fn close_with_reset(&mut self) -> bool {
        let can_send = self.can_send();
        if can_send {
            self.enter(Stage::Closing);
            self.bits |= RESET;
        }
        can_send
    }

    // ---- events ----

    pub(super) const fn made(&mut self) {
        self.bits |= MADE;
    }

    #[inline]
    pub(super) const fn set_ready(&mut self, ready: Ready) {
        self.set_if(READABLE, ready.is_read());
        self.set_if(WRITABLE, ready.is_write());
        self.set_if(READ_UNTIL_BLOCKED, ready.may_shorten_reads());
        self.set_if(CHECK_PENDING, ready.is_read_closed());
    }

    /// A read returned less than the buffer had room for.
    #[inline]
    pub(super) const fn read_was_short(&mut self) {
        if !self.has(READ_UNTIL_BLOCKED | ALWAYS_READ_UNTIL_BLOCKED) {
            self.set(READABLE, false);
        }
    }

    /// A read returned `WouldBlock`.
    pub(super) const fn read_blocked(&mut self) {
        self.set(READABLE | READ_UNTIL_BLOCKED | CHECK_PENDING, false);
    }

    /// Nothing can be sent any more. Returns `false` if nothing can be received either.
    pub(super) const fn output_failed(&mut self) -> bool {
        let stays_open = matches!(self.stage(), Stage::Open) && !self.has(EOF);
        if stays_open {
            self.enter(Stage::OutputFailed);
            self.bits |= READ_UNTIL_BLOCKED | WRITABLE | RESET;
            // A read finds out what has arrived. In completion mode the engine has it or will report it.
            self.set_if(READABLE, !self.has(COMPLETION_MODE));
        }
        stays_open
    }

    /// A write accepted less than it was given, or returned `WouldBlock`.
    pub(super) const fn write_blocked(&mut self) {
        self.set(WRITABLE, false);
    }

    /// The socket is to be checked for an error without an event from the engine.
    pub(super) const fn request_check(&mut self) {
        self.bits |= CHECK_PENDING;
    }

    /// The socket was checked.
    pub(super) const fn checked(&mut self) {
        self.set(CHECK_PENDING, false);
        if self.has(EOF) {
            self.set(READABLE | READ_UNTIL_BLOCKED, false);
        }
    }

    /// A read reached the end of the input.
    pub(super) const fn end_of_stream(&mut self) -> Ended {
        self.set(READABLE | READ_UNTIL_BLOCKED | CHECK_PENDING, false);
        let is_first = self.set_once(EOF);
        match self.stage() {
            Stage::Open if is_first => Ended::Notify,
            Stage::OutputFailed => Ended::ConnectionOver,
            _ => Ended::Recorded,
        }
    }

    /// Everything queued is sent, and no producer has more: what to do about the output.
    pub(super) const fn drained(self) -> Drained {
        match self.stage() {
            Stage::Open if self.has(CLOSE_WRITE_REQUESTED) && self.has(EOF) => Drained::Finish,
            Stage::Open if self.has(CLOSE_WRITE_REQUESTED) && !self.has(FIN_SENT) => {
                Drained::EndOutput
            }
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

    /// The connection is over. Returns `false` if it was already.
    pub(super) const fn lost(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        self.enter(Stage::Lost);
        true
    }

    /// `connection_lost` is about to be called. Returns `false` if it was called already.
    pub(super) const fn notify_end(&mut self) -> bool {
        let is_first = matches!(self.stage(), Stage::Lost);
        if is_first {
            self.enter(Stage::Notified);
        }
        is_first
    }

    pub(super) const fn gone(&mut self) {
        self.enter(Stage::Gone);
    }

    pub(super) const fn set_reset(&mut self) {
        self.bits |= RESET;
    }

    /// The queue fell to the low watermark. Returns `true` if `writing_resumed` is to be called.
    pub(super) const fn below_low(&mut self) -> bool {
        let was_notified = self.has(WRITING_PAUSED);
        self.set(ABOVE_HIGH | WRITING_PAUSED, false);
        was_notified
    }

    /// Returns `true`, once for each pause, if `writing_paused` is to be called.
    pub(super) const fn notify_writing_paused(&mut self) -> bool {
        self.has(ABOVE_HIGH) && self.set_once(WRITING_PAUSED)
    }

    // ---- what to do next ----

    /// The common case in one comparison: open, readable by a plain read, and nothing blocks delivery.
    #[inline]
    pub(super) const fn has_plain_input(self) -> bool {
        self.bits & (READABLE | BLOCKS_DELIVERY | INDIRECT_INPUT) == READABLE
    }

    /// The same in completion mode.
    #[inline]
    pub(super) const fn has_plain_completion(self) -> bool {
        self.bits & (READABLE | BLOCKS_DELIVERY | INDIRECT_INPUT) == READABLE | COMPLETION_MODE
    }

    pub(super) const fn input(&mut self) -> Input {
        match self.stage() {
            Stage::Lost | Stage::Notified | Stage::Gone => Input::Wait,
            Stage::Open | Stage::OutputFailed | Stage::Closing if self.has(HANDSHAKING) => {
                match self.has(READABLE) {
                    true => Input::Handshake,
                    false => Input::Wait,
                }
            }
            Stage::Open
                if self.has(CHECK_PENDING) && (self.has(EOF) || self.is_input_blocked()) =>
            {
                Input::Check
            }
            Stage::Open | Stage::OutputFailed if self.is_input_blocked() => Input::Wait,
            Stage::Open | Stage::OutputFailed if self.has(RESUME_PENDING) => {
                self.set(RESUME_PENDING, false);
                Input::Resume
            }
            _ if self.has(EOF) || !self.has(READABLE) => Input::Wait,
            Stage::Open | Stage::OutputFailed => Input::Deliver,
            Stage::Closing | Stage::Lingering => Input::Discard,
        }
    }

    /// Returns `false` if there is certainly nothing to do about the input.
    #[inline]
    pub(super) const fn may_have_input(self) -> bool {
        self.has(READABLE | RESUME_PENDING | CHECK_PENDING)
    }

    /// Whether the stream has to be rescheduled, because there is input left for which no event will come.
    #[inline]
    pub(super) const fn has_more_input(mut self) -> bool {
        self.may_have_input() && !matches!(self.input(), Input::Wait)
    }

    /// Whether read events are wanted. After the end of the input they are not: a level-triggered engine would report it for
    /// ever.
    pub(super) const fn wants_input(mut self) -> bool {
        self.set(CHECK_PENDING, false);
        self.bits |= READABLE;
        !self.has(EOF) && !matches!(self.input(), Input::Wait)
    }

    /// Whether the user has paused reading.
    pub(super) const fn is_paused(self) -> bool {
        self.has(PAUSED)
    }

    /// Whether a level-triggered engine, which is not asked for unwanted events, would miss a reset of this stream.
    pub(super) const fn needs_reset_checks(self) -> bool {
        matches!(self.stage(), Stage::Open)
            && self.has(EOF | PAUSED | INPUT_HELD)
            && !self.has(HANDSHAKING)
    }

    /// Whether input waits for the user to resume, or for a hold to end.
    pub(super) const fn is_paused_or_held(self) -> bool {
        self.has(PAUSED | INPUT_HELD)
    }

    /// Whether anything keeps input from being delivered: the user's pause, a handshake, a hold, or the high watermark.
    #[inline]
    pub(super) const fn is_input_blocked(self) -> bool {
        self.has(PAUSED | HANDSHAKING | INPUT_HELD) || self.is_paused_by_watermark()
    }

    /// Whether the high watermark keeps input from being delivered.
    pub(super) const fn is_paused_by_watermark(self) -> bool {
        self.has(ABOVE_HIGH) && !self.has(NO_AUTO_PAUSE)
    }

    /// Whether there is nothing to do about the output once the queue is sent.
    #[inline]
    pub(super) const fn has_plain_output(self) -> bool {
        self.bits & (STAGE | ABOVE_HIGH | CLOSE_WRITE_REQUESTED | HANDSHAKING) == 0
    }

    /// Whether a write may go to the socket at once, without waiting for the event loop: no other output work is pending.
    pub(super) const fn may_write_directly(self) -> bool {
        self.has_plain_output() && self.has(MADE) && self.has(WRITABLE)
    }

    pub(super) const fn is_writable(self) -> bool {
        self.has(WRITABLE)
    }

    pub(super) const fn is_above_high(self) -> bool {
        self.has(ABOVE_HIGH)
    }

    /// Whether nobody has requested the end of the connection, and input may still come.
    #[inline]
    pub(super) const fn is_open(self) -> bool {
        self.bits & STAGE <= Stage::OutputFailed as u32
    }

    pub(super) const fn has_sent_fin(self) -> bool {
        self.has(FIN_SENT)
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

    /// Lost, whether or not `connection_lost` was called.
    pub(super) const fn is_over(self) -> bool {
        self.bits & STAGE >= Stage::Lost as u32
    }

    pub(super) const fn is_gone(self) -> bool {
        matches!(self.stage(), Stage::Gone)
    }

    pub(super) const fn is_made(self) -> bool {
        self.has(MADE)
    }

    pub(super) const fn is_end_notified(self) -> bool {
        self.bits & STAGE > Stage::Lost as u32
    }

    pub(super) const fn is_reset(self) -> bool {
        self.has(RESET)
    }

    /// Whether the peer ended its side before this side closed the connection (if it did). Then the reason is `Done`, else
    /// `Closed`.
    pub(super) const fn peer_ended_first(self) -> bool {
        self.has(EOF_BEFORE_CLOSE) || matches!(self.stage(), Stage::Open)
    }
}

#[cfg(test)]
mod tests;
