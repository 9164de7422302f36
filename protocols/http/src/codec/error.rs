//! Errors of heads and bodies, with the status to respond with: [`HeadError`], [`BodyError`].

use http::StatusCode;
use sinew_transports::reactor::{Excerpt, Failure, error_debug};

/// Why the head of a message is rejected. A server responds with [`status`](Self::status) and closes the connection, because the
/// position of the next request is unknown.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The head does not follow the grammar of RFC 9112.
    #[error("malformed head: {what}")]
    Malformed {
        /// The part that is malformed.
        what: &'static str,
    },
    /// A line ends with LF without CR. Proxies interpret that differently.
    #[error("a line of the head ends in LF without CR")]
    BareLineFeed,
    /// The head is too long.
    #[error("head longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A line of the head is too long.
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
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    #[error("unsupported version of HTTP")]
    Version,
    /// Both `Content-Length` and `Transfer-Encoding` are present (RFC 9112 6.1).
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    /// `Content-Length` is not a number of bytes, or there are several that differ (RFC 9112 6.3).
    #[error("invalid Content-Length")]
    Length,
    /// `Transfer-Encoding` does not end with exactly one `chunked`, or is in an HTTP/1.0 message (RFC 9112 6.1).
    #[error("invalid Transfer-Encoding")]
    Encoding,
    /// `Transfer-Encoding` contains an unsupported coding.
    #[error("unknown transfer coding")]
    UnknownEncoding,
    /// `Host` is missing in HTTP/1.1, present twice, or not a host (RFC 9112 3.2).
    #[error("missing, repeated or invalid Host")]
    Host,
    /// `Host` differs from the authority of the target (RFC 9112 3.2.2).
    #[error("Host differs from the authority of the target")]
    HostDiffers,
    /// The target has none of the four forms of RFC 9112 3.2, or a form that the method does not allow.
    #[error("invalid request target")]
    Target,
    /// `Expect` contains something other than `100-continue` (RFC 9110 10.1.1).
    #[error("unknown expectation")]
    Expectation,
}

error_debug!(HeadError, BodyError);

impl HeadError {
    /// The status to respond with.
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

/// Why a body is rejected or incomplete.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A chunk size is not 1 to 16 hexadecimal digits, or is larger than 2^63-1 (RFC 9112 7.1).
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk's line or its data does not end with CRLF, or its extension contains a control character.
    #[error("malformed chunk")]
    Chunk,
    /// The extensions of one chunk, or of all chunks of the message, are too long.
    #[error("chunk extensions longer than {max} bytes")]
    ExtensionTooLong {
        /// The limit that was exceeded.
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
    /// The body is longer than its reader allows.
    #[error("body longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// The connection ended before the body did.
    #[error("the connection ended before the body did")]
    Truncated,
    /// The content coding (RFC 9110 8.4) cannot be undone: the data are corrupt or cut off.
    #[error("the body could not be decompressed: {}", Excerpt::new(.reason))]
    Coding {
        /// The cause.
        reason: String,
    },
    /// The body arrives more slowly than the configured minimum rate.
    #[error("the body came too slowly")]
    TooSlow,
    /// The body was given to another reader, or was dropped because the response was sent first.
    #[error("the body has another reader, or was dropped")]
    Taken,
    /// Reading was cancelled, or the reactor has ended.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for BodyError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl BodyError {
    /// The status to respond with.
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
