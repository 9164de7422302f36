//! What can be wrong with a frame: [`FrameError`] for those that come, [`EncodeError`] for those to be sent.

/// Why the input cannot be cut into frames. Always final: what follows the fault has no known boundaries.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A line is longer than its limit.
    #[error("line longer than {max} bytes")]
    LineTooLong {
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// A CR or an LF stands alone, where lines end in both ([`Line::strict_crlf`](super::Line::strict_crlf),
    /// [`DotStuffed::strict`](super::DotStuffed::strict)).
    #[error("{} without the other of CRLF", if *.found == b'\n' { "LF" } else { "CR" })]
    BareLineEnd {
        /// The one that stands alone.
        found: u8,
    },
    /// A frame was announced that is longer than its limit; none of its payload was waited for.
    #[error("frame of {len} bytes announced, at most {max} allowed")]
    FrameTooLong {
        /// The length announced. Of a netstring, as far as it was read: a lower bound.
        len: u64,
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// A netstring begins with something other than digits and a colon.
    #[error("byte {found:#04x} in the length of a netstring")]
    LengthInvalid {
        /// The byte that is neither.
        found: u8,
    },
    /// The length of a netstring begins with a needless zero.
    #[error("leading zero in the length of a netstring")]
    LeadingZero,
    /// A netstring does not end in a comma.
    #[error("byte {found:#04x} instead of the comma that ends a netstring")]
    CommaMissing {
        /// The byte in its place.
        found: u8,
    },
    /// The peer sent its last byte in the middle of a frame.
    #[error("input ended {received} bytes into an unfinished frame")]
    Truncated {
        /// How many bytes of that frame had come, prefix included.
        received: usize,
    },
    /// The peer sent on in the clear after the frame that TLS was started at; by the time it was read, it could have been anybody's
    /// (RFC 3207 4.2).
    #[error("{received} bytes in the clear behind the start of TLS")]
    BehindStartTls {
        /// How many bytes.
        received: usize,
    },
    /// A fault known to a decoder of your own.
    #[error("invalid frame: {0}")]
    Invalid(&'static str),
}

sinew_transports::reactor::error_debug!(FrameError);

/// Why a payload cannot be sent as one frame. Nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The payload is longer than the limit, or than the prefix can say.
    #[error("payload of {len} bytes, at most {max} allowed")]
    FrameTooLong {
        /// The length of the payload.
        len: usize,
        /// The longest that can be sent.
        max: usize,
    },
    /// The line holds its own delimiter, or a CR or LF that a peer may take for one: it would read more lines than were meant.
    #[error("delimiter inside the line")]
    DelimiterInside,
    /// A CR or an LF stands alone in a text whose lines end in both ([`DotStuffing::strict`](super::DotStuffing::strict)).
    #[error("{} without the other of CRLF", if *.found == b'\n' { "LF" } else { "CR" })]
    BareLineEnd {
        /// The one that stands alone.
        found: u8,
    },
    /// A frame of fixed size was to have another.
    #[error("payload of {len} bytes for frames of {size}")]
    WrongSize {
        /// The length of the payload.
        len: usize,
        /// The size of every frame.
        size: usize,
    },
}

sinew_transports::reactor::error_debug!(EncodeError);
