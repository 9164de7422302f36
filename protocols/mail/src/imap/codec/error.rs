//! Errors of the codec: [`ParseError`], [`EncodeError`], [`ValueError`].

use sinew_transports::reactor::error_debug;

/// Why a message is not a command, or not a response.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
#[non_exhaustive]
pub struct ParseError {
    /// What should have been there.
    pub expected: &'static str,
    /// Where, from the beginning of the message.
    pub at: usize,
}

error_debug!(ParseError);

/// Why a value cannot be sent as it is.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Search keys are nested deeper than [`SEARCH_DEPTH_MAX`](super::SEARCH_DEPTH_MAX).
    #[error("search keys nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A list that must have an element has none.
    #[error("{what}: an empty list")]
    Empty {
        /// Which list.
        what: &'static str,
    },
    /// The message is too long for a literal.
    #[error("a literal of {len} bytes, and this server accepts at most {max}")]
    LiteralTooLong {
        /// Its length.
        len: u64,
        /// The limit.
        max: u64,
    },
}

error_debug!(EncodeError);

/// Why a value is not one of its type.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// There must be at least one byte.
    #[error("{what}: it is empty")]
    Empty {
        /// The type.
        what: &'static str,
    },
    /// A byte that the type does not have.
    #[error("{what}: byte {byte:#04x} at {at} is not allowed")]
    Forbidden {
        /// The type.
        what: &'static str,
        /// The byte.
        byte: u8,
        /// Where it is.
        at: usize,
    },
    /// A number that is out of range.
    #[error("{what}: a number out of range")]
    Range {
        /// The type.
        what: &'static str,
    },
    /// The text has another form.
    #[error("{what}: not of this form")]
    Form {
        /// The type.
        what: &'static str,
    },
}

error_debug!(ValueError);
