//! Strings that may be too long for memory: [`Content`]. The bytes of one that is streamed are not here.

use std::fmt;

use bytes::Bytes;

/// A string that may have been streamed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The bytes.
    Kept(Bytes),
    /// A literal of this length, whose bytes are elsewhere: they were streamed, or will be.
    Streamed {
        /// Its length.
        len: u64,
    },
}

impl Content {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Kept(bytes) => bytes.len() as u64,
            Self::Streamed { len } => *len,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they were kept.
    #[must_use]
    pub fn kept(&self) -> Option<&Bytes> {
        match self {
            Self::Kept(bytes) => Some(bytes),
            Self::Streamed { .. } => None,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(bytes) => write!(f, "Kept({} bytes)", bytes.len()),
            Self::Streamed { len } => write!(f, "Streamed({len} bytes)"),
        }
    }
}
