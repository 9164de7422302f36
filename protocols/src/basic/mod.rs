//! Framing: splits a byte stream into lines, netstrings and other frames.
//!
//! One engine, [`Framed`], drives small decoders ([`Line`], [`Netstring`], [`Int`], [`Fixed`], or a custom
//! [`Decoder`]) and calls your handler with each frame, without a copy where possible. Tasks receive the same frames as a stream,
//! and send them: [`AsyncFrames`].

mod argument;
mod async_frames;
mod codec;
mod dot_stuffed;
mod error;
mod fixed;
mod frame_buffer;
mod frame_transport;
mod framed;
mod frames;
mod handler;
mod int;
mod line;
mod netstring;
mod phase_deadline;
mod request_client;
mod requests;
#[cfg(test)]
mod scan_counter;
mod send;
#[cfg(test)]
mod testing;
mod turn_share;
mod typed;
mod typed_handler;

#[cfg(not(test))]
mod scan_counter {
    //! Empty replacement of the scan counter outside of tests.

    pub(super) const fn scanned(_bytes: usize) {}
    pub(super) const fn copied(_bytes: usize) {}
}

pub use argument::{ArgumentError, Command, Text, Word};
pub use async_frames::{AsyncFrames, FramesError, QueuesFrames};
pub use codec::{Codec, Decoded, Decoder, Encoder};
pub use dot_stuffed::{DotStuffed, DotStuffing, Unstuffed};
pub use error::{EncodeError, FrameError};
pub use fixed::Fixed;
pub use frame_transport::{FrameTransport, LineTransport};
pub use framed::Framed;
pub use frames::Frames;
pub use handler::{FrameHandler, LineHandler};
pub use int::{Int, Int8, Int16, Int32};
pub use line::Line;
pub use netstring::Netstring;
pub use phase_deadline::{DeadlinePassed, PhaseDeadline};
pub use request_client::{
    AnswersById, AnswersInOrder, MatchAnswers, RequestClient, RequestClientConfig,
};
pub use requests::{AnswerError, RequestError, Requests, RequestsById};
pub use send::{send_frame, send_int8, send_int16, send_int32, send_line, send_netstring};
pub use turn_share::TurnShare;
pub use typed::{Parse, Parsed, TypedDecoder};
pub use typed_handler::{Typed, TypedHandler, TypedReceiver};

/// Lines of at most 16 KiB that end in CRLF by default, with an optional raw mode. The handler is a [`LineHandler`].
pub type LineReceiver<H> = Framed<Line, H>;

/// The same as [`LineReceiver`]. In Twisted it is a separate, faster class without raw mode; here [`LineReceiver`] is
/// as fast.
pub type LineOnlyReceiver<H> = LineReceiver<H>;

/// Netstrings of at most 99,999 bytes by default. The handler is a [`FrameHandler`].
pub type NetstringReceiver<H> = Framed<Netstring, H>;

/// Frames with a length prefix of one byte. The handler is a [`FrameHandler`].
pub type Int8Receiver<H> = Framed<Int8, H>;

/// Frames with a length prefix of two bytes. The handler is a [`FrameHandler`].
pub type Int16Receiver<H> = Framed<Int16, H>;

/// Frames with a length prefix of four bytes, at most 99,999 bytes long by default. The handler is a
/// [`FrameHandler`].
pub type Int32Receiver<H> = Framed<Int32, H>;

/// Fixed-size frames, created by [`Framed::with_decoder`] with a [`Fixed`]. The handler is a [`FrameHandler`].
pub type FixedReceiver<H> = Framed<Fixed, H>;
