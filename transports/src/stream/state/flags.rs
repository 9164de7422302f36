//! Bits of a stream's state: the stage in the lowest bits, one flag in each of the others. What they mean together is decided in
//! `state.rs`. Each flag names the methods of `State` that set and clear it.

const STAGE_BITS: u32 = 3;
/// Mask of the stage; `Open` is 0.
pub(super) const STAGE: u32 = (1 << STAGE_BITS) - 1;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u32)]
        enum Bit { $($name),* }
        $($(#[$doc])* pub(super) const $name: u32 = 1 << (STAGE_BITS + Bit::$name as u32);)*
    };
}

// The first four have the order of the bits of `Ready`, so that the compiler can record an event with a shift and an or.
flags! {
    /// A read may return something. Set by `set_ready`, `output_failed`, `handshake_finished`; cleared by `read_blocked`,
    /// `read_was_short`, `wait_for_permit`, `end_of_stream`, and by `checked` after the end of the input.
    READABLE
    /// A write may be accepted. Set from the start, by `set_ready`, `output_failed`, `handshake_finished`; cleared by
    /// `write_blocked`.
    WRITABLE
    /// A short read does not prove that the socket is drained: read until `WouldBlock`. Set by `set_ready` (urgent data, or the
    /// peer closed) and `output_failed`; cleared by `read_blocked`, `end_of_stream`, and by `checked` after the end of the input.
    READ_UNTIL_BLOCKED
    /// The peer closed or the connection broke: check the socket for an error, if no read shows it. Set by `set_ready` and
    /// `request_check`; cleared by `read_blocked`, `checked`, `end_of_stream`.
    CHECK_PENDING
    /// On this kind of stream no short read proves anything. Set when the stream is made; never cleared.
    ALWAYS_READ_UNTIL_BLOCKED
    /// The user has paused reading. Set by `pause`; cleared by `resume`.
    PAUSED
    /// The queue is above its high watermark, or was and has not fallen to the low one since. Set by `above_high`; cleared by
    /// `below_low`.
    ABOVE_HIGH
    /// Being above the high watermark does not block input. Set and cleared by `new` and `set_auto_pause`; also set by `relayed`.
    NO_AUTO_PAUSE
    /// Input was blocked: `reading_resumed` is owed. Set by `pause`, `above_high`, `set_auto_pause`, `layer_added`,
    /// `set_resume_pending`; cleared by `input` when it returns `Resume`.
    RESUME_PENDING
    /// `writing_paused` was called: `writing_resumed` is owed. Set by `notify_writing_paused`; cleared by `below_low` and
    /// `handed_over`.
    WRITING_PAUSED
    /// A read reached the end of the input. Set by `end_of_stream`; never cleared.
    EOF
    /// The peer ended its side before this side closed. Set by `lose_connection`; never cleared.
    EOF_BEFORE_CLOSE
    /// `close_write` was called. Set by `close_write` and `set_read_only`; never cleared.
    CLOSE_WRITE_REQUESTED
    /// FIN was sent. Set by `fin_sent` and `set_read_only`; never cleared.
    FIN_SENT
    /// `connection_made` was called, or is about to be. Set by `made`; never cleared.
    MADE
    /// A callback or a producer of this stream runs, after which its output is flushed. Set and cleared by `set_in_callback` and
    /// `set_producing`.
    IN_CALLBACK
    /// The user has called the protocol (`Connection::with`), not the event loop. Set and cleared by `set_called_by_user`.
    CALLED_BY_USER
    /// A producer of this stream runs. Set and cleared by `set_producing`.
    PRODUCING
    /// The event loop will call `flush`. Set by `ask_flush`; cleared by `flush_begins`.
    FLUSH_QUEUED
    /// The event loop will call `rescheduled`. Set by `request_reschedule`; cleared by `reschedule_begins`.
    RESCHEDULED
    /// The connection ends with a reset; in `Closing`, once all is sent. Set by `set_reset`, `close_with_reset`, `output_failed`;
    /// never cleared.
    RESET
    /// The engine receives for this stream (completions in place of readiness). Set when the stream is made; never cleared.
    COMPLETION_MODE
    /// File descriptors that arrive with the bytes are accepted. Set when the stream is made; never cleared.
    RECEIVES_DESCRIPTORS
    /// A layer is on top of the socket, and input comes through it. Set by `layer_added`; never cleared.
    LAYERED
    /// The layer's handshake is not complete. Set by `layer_added`; cleared by `handshake_finished`.
    HANDSHAKING
    /// The engine reports readability. Set at first; then set and cleared by `set_interest`.
    READ_INTEREST
    /// The engine reports writability. Set and cleared by `set_interest`.
    WRITE_INTEREST
    /// Input goes out at another stream. Set by `relayed`; never cleared.
    RELAYED
    /// At least one `Hold` blocks input (`hold.rs`). Set by `hold`; cleared by `release`.
    INPUT_HELD
}

/// Input comes in another way than by a plain read.
pub(super) const INDIRECT_INPUT: u32 = COMPLETION_MODE | RECEIVES_DESCRIPTORS | LAYERED | RELAYED;

/// While none of these is set, input is delivered as it arrives.
pub(super) const BLOCKS_DELIVERY: u32 =
    STAGE | PAUSED | ABOVE_HIGH | RESUME_PENDING | EOF | HANDSHAKING | INPUT_HELD;
