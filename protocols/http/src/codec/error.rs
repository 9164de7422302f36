//! Why a head or a body is refused, and with which status: [`HeadError`], [`BodyError`].

use http::StatusCode;
use sinew_transports::reactor::{Failure, error_debug};

/// Why the head of a message is refused. A server answers with [`status`](Self::status) and closes, for it does not know where the
/// next request begins.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It does not follow the grammar of RFC 9112.
    #[error("malformed head: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// A line ends in LF without CR. Proxies disagree about what that means.
    #[error("a line of the head ends in LF without CR")]
    BareLineFeed,
    /// The head is too long.
    #[error("head longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// One line of it is too long.
    #[error("line of the head longer than {max} bytes")]
    LineTooLong {
        /// The limit.
        max: usize,
    },
    /// The request target is too long.
    #[error("request target longer than {max} bytes")]
    TargetTooLong {
        /// The limit.
        max: usize,
    },
    /// There are too many fields.
    #[error("more than {max} fields")]
    TooManyFields {
        /// The limit.
        max: usize,
    },
    /// It is another version than HTTP/1.0 and HTTP/1.1.
    #[error("unsupported version of HTTP")]
    Version,
    /// Both `Content-Length` and `Transfer-Encoding` are there (RFC 9112 6.1).
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    /// `Content-Length` is no number of bytes, or there are several that differ (RFC 9112 6.3).
    #[error("invalid Content-Length")]
    Length,
    /// `Transfer-Encoding` does not end in one `chunked`, or is in a message of HTTP/1.0 (RFC 9112 6.1).
    #[error("invalid Transfer-Encoding")]
    Encoding,
    /// `Transfer-Encoding` names a coding that is not known here.
    #[error("unknown transfer coding")]
    UnknownEncoding,
    /// `Host` is missing in HTTP/1.1, there twice, or not a host (RFC 9112 3.2).
    #[error("missing, repeated or invalid Host")]
    Host,
    /// `Host` says something else than the authority of the target (RFC 9112 3.2.2).
    #[error("Host differs from the authority of the target")]
    HostDiffers,
    /// The target is none of the four forms of RFC 9112 3.2, or not one that the method may have.
    #[error("invalid request target")]
    Target,
    /// `Expect` asks for something else than `100-continue` (RFC 9110 10.1.1).
    #[error("unknown expectation")]
    Expectation,
}

error_debug!(HeadError, BodyError);

impl HeadError {
    /// The status that says so to the peer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLong { .. } | Self::LineTooLong { .. } | Self::TooManyFields { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::UnknownEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Why a body is refused, or is not whole.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A chunk's size is not 1 to 16 hexadecimal digits, or past 2^63-1 (RFC 9112 7.1).
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk's line or its data does not end in CRLF, or its extension holds a control character.
    #[error("malformed chunk")]
    Chunk,
    /// The extensions of a chunk, or those of all chunks of the message together, are too long.
    #[error("chunk extensions longer than {max} bytes")]
    ExtensionTooLong {
        /// The limit that was passed.
        max: usize,
    },
    /// The trailer section does not follow the grammar.
    #[error("malformed trailers")]
    Trailers,
    /// The trailer section is too long.
    #[error("trailers longer than {max} bytes")]
    TrailersTooLong {
        /// The limit.
        max: usize,
    },
    /// The body is longer than whoever reads it allows.
    #[error("body longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// The connection ended before the body did.
    #[error("the connection ended before the body did")]
    Truncated,
    /// The body comes more slowly than the limits allow.
    #[error("the body came too slowly")]
    TooSlow,
    /// The body has been given to another reader, or was dropped because the answer came first.
    #[error("the body is not there to be read")]
    Taken,
    /// Reading was cancelled, or the reactor ended.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for BodyError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl BodyError {
    /// The status that says so to the peer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TrailersTooLong { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Taken | Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
