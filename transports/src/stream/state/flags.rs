//! The bits of a stream's state: its stage in the lowest, and a flag in each of the others. What they mean together is decided in
//! `state.rs`.

const STAGE_BITS: u32 = 3;
/// What the stage is in; `Open` is none of it.
pub(super) const STAGE: u32 = (1 << STAGE_BITS) - 1;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u32)]
        enum Bit { $($name),* }
        $($(#[$doc])* pub(super) const $name: u32 = 1 << (STAGE_BITS + Bit::$name as u32);)*
    };
}

// The first four are as `Ready` has them, in its order, so that to take note of an event is one operation.
flags! {
    /// The last read did not find the socket empty.
    READABLE
    /// The last write did not find the socket full.
    WRITABLE
    /// A read may be cut short with more behind it: read until one blocks.
    READ_UNTIL_BLOCKED
    /// The peer will send no more, or the connection is broken: see which, if no read does.
    LOOK
    /// Any read of this kind of stream may be cut short.
    CUTS_READS
    /// The user has paused reading.
    PAUSED
    /// The queue has passed its high watermark and not sunk to the low one since.
    OVER_HIGH
    /// Being over the high watermark does not hold back input.
    NO_AUTO_PAUSE
    /// Input was held back; `reading_resumed` is owed.
    RESUME_PENDING
    /// `writing_paused` was told; `writing_resumed` is owed.
    PAUSE_TOLD
    /// The end of the input was seen.
    EOF
    /// The peer ended its side before we asked to close ours.
    EOF_FIRST
    /// `close_write` was asked for.
    ENDING
    /// FIN was sent.
    FIN_SENT
    /// `connection_made` was told.
    MADE
    /// A callback of this stream runs.
    IN_CALLBACK
    /// The protocol is called by a user, not by the loop.
    CALLED_BY_USER
    /// A producer of this stream is asked for more.
    PRODUCING
    /// The loop will call `flush`.
    FLUSH_QUEUED
    /// The loop will call `again`.
    RESCHEDULED
    /// The connection is to be reset, not closed; while it closes, once all is sent.
    RESET
    /// The engine receives for this stream.
    COMPLETES
    /// Descriptors that come with the bytes are taken in.
    TAKES_DESCRIPTORS
    /// A layer lies over the socket: input comes through it.
    LAYERED
    /// The layer is not ready.
    HANDSHAKING
    /// The engine was told that input is wanted.
    READ_TOLD
    /// The engine was told that room to write is wanted.
    WRITE_TOLD
    /// What comes in goes out at another stream.
    RELAYED
    /// Somebody holds back input: see `hold.rs`.
    INPUT_HELD
}

/// Input comes in another way than by a plain read.
pub(super) const INDIRECT: u32 = COMPLETES | TAKES_DESCRIPTORS | LAYERED | RELAYED;

/// Of these, none is set while input is delivered as it comes.
pub(super) const IN_THE_WAY: u32 =
    STAGE | PAUSED | OVER_HIGH | RESUME_PENDING | EOF | HANDSHAKING | INPUT_HELD;
