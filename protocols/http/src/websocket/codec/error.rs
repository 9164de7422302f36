//! Why a WebSocket is closed because of what its peer sent: [`WebSocketError`].

use sinew_protocols::compression::InflateError;
use sinew_transports::reactor::error_debug;

use super::CloseCode;

/// An error of the peer; the connection is closed with [`code`](Self::code).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The protocol was violated.
    #[error("protocol violation: {what}")]
    Protocol {
        /// The violation.
        what: &'static str,
    },
    /// Text, or the reason of a close, is not UTF-8.
    #[error("text that is not UTF-8")]
    Text,
    /// A compressed message cannot be inflated.
    #[error("a message cannot be inflated: {0}")]
    Inflate(InflateError),
    /// A message is too long.
    #[error("message longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A frame is too long.
    #[error("frame longer than {max} bytes")]
    FrameTooLong {
        /// The limit.
        max: usize,
    },
    /// A message has too many frames.
    #[error("message in more than {max} frames")]
    TooManyFragments {
        /// The limit.
        max: u32,
    },
}

error_debug!(WebSocketError);

impl WebSocketError {
    /// The code to close with.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::Protocol { .. } => CloseCode::PROTOCOL,
            Self::Text | Self::Inflate(_) => CloseCode::INVALID_TEXT,
            Self::TooLong { .. } | Self::FrameTooLong { .. } | Self::TooManyFragments { .. } => {
                CloseCode::TOO_LONG
            }
        }
    }
}
