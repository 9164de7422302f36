//! Framing errors: [`FrameError`] for received frames, [`EncodeError`] for frames to be sent.

/// Why the input cannot be split into frames. Always final: the frame boundaries after the fault are unknown.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A line is longer than its limit.
    #[error("line longer than {max} bytes")]
    LineTooLong {
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// A bare CR or LF where lines must end in CRLF ([`Line::strict_crlf`](super::Line::strict_crlf),
    /// [`DotStuffed::strict`](super::DotStuffed::strict)).
    #[error("bare {} where CRLF is required", if *.found == b'\n' { "LF" } else { "CR" })]
    BareLineEnd {
        /// The bare byte: CR or LF.
        found: u8,
    },
    /// The length prefix announces a frame longer than the limit. None of its payload was read.
    #[error("frame of {len} bytes announced, at most {max} allowed")]
    FrameTooLong {
        /// The announced length. For a netstring, a lower bound: the digits read so far.
        len: u64,
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// A netstring begins with something other than digits and a colon.
    #[error("byte {found:#04x} in the length of a netstring")]
    LengthInvalid {
        /// The invalid byte.
        found: u8,
    },
    /// The length of a netstring has a leading zero.
    #[error("leading zero in the length of a netstring")]
    LeadingZero,
    /// A netstring is not terminated by a comma.
    #[error("byte {found:#04x} instead of the comma that ends a netstring")]
    CommaMissing {
        /// The byte in place of the comma.
        found: u8,
    },
    /// The input ended in the middle of a frame.
    #[error("input ended {received} bytes into an unfinished frame")]
    Truncated {
        /// How many bytes of that frame were received, prefix included.
        received: usize,
    },
    /// The peer sent plaintext after the frame at which TLS was started. An attacker could have injected it, so it is
    /// not used (RFC 3207 4.2).
    #[error("{received} bytes of plaintext received after TLS was started")]
    BehindStartTls {
        /// How many bytes of plaintext.
        received: usize,
    },
    /// An error of a custom decoder.
    #[error("invalid frame: {0}")]
    Invalid(&'static str),
}

sinew_transports::reactor::error_debug!(FrameError);

/// Why a payload cannot be sent as one frame. Nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The payload is longer than the limit, or than the length prefix can express.
    #[error("payload of {len} bytes, at most {max} allowed")]
    FrameTooLong {
        /// The length of the payload.
        len: usize,
        /// The longest that can be sent.
        max: usize,
    },
    /// The line contains its own delimiter, or a CR or LF that a peer may treat as one, so it could be read as
    /// several lines.
    #[error("delimiter inside the line")]
    DelimiterInside,
    /// A bare CR or LF in a text whose lines must end in CRLF ([`DotStuffing::strict`](super::DotStuffing::strict)).
    #[error("bare {} where CRLF is required", if *.found == b'\n' { "LF" } else { "CR" })]
    BareLineEnd {
        /// The bare byte: CR or LF.
        found: u8,
    },
    /// The payload does not have the fixed size of a frame.
    #[error("payload of {len} bytes for frames of {size}")]
    WrongSize {
        /// The length of the payload.
        len: usize,
        /// The size of every frame.
        size: usize,
    },
}

sinew_transports::reactor::error_debug!(EncodeError);
