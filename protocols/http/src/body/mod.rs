//! Bodies of messages, for server and client: [`Body`], which is sent, and sources that produce it in pieces: [`BodySource`];
//! [`BodyReceiver`], which receives one in pieces. Knows neither requests nor responses.

#[cfg(feature = "compression")]
mod decoding;
#[cfg(not(feature = "compression"))]
#[path = "decoding_missing.rs"]
mod decoding;
mod feeding;
mod incoming;
mod sending;
mod writer;

use std::{error::Error, fmt, fs::File, io, ops::Range};

use bytes::Bytes;
use sinew_transports::Transport;

use crate::codec::Fields;

pub(crate) use decoding::{CODINGS, Decoding};
pub(crate) use feeding::Receiving;
pub use incoming::{BodyControl, BodyReceiver};
pub(crate) use incoming::{Incoming, Reader};
pub(crate) use sending::{INLINE_MAX, Sending};
pub use writer::BodyWriter;

/// The body of a message that is sent: of a response by a server, of a request by a client.
///
/// Made from text, bytes or a [`File`], or from a [`BodySource`] of known or unknown length.
#[derive(Default)]
pub struct Body(pub(crate) Kind);

#[derive(Default)]
pub(crate) enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    File {
        file: File,
        range: Range<u64>,
    },
    Source {
        source: Box<dyn BodySource>,
        length: Option<u64>,
    },
}

/// Produces a body in pieces, as fast as the peer reads.
///
/// # Examples
///
/// ```
/// use sinew_http::{Body, BodySource, BodyWaker, Produced};
///
/// /// Counts to a million in lines.
/// struct Count(u32);
///
/// impl BodySource for Count {
///     fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
///         self.0 += 1;
///         out.extend_from_slice(format!("{}\n", self.0).as_bytes());
///         if self.0 < 1_000_000 { Produced::More } else { Produced::Done }
///     }
/// }
///
/// let body = Body::source(Count(0), None);
/// ```
pub trait BodySource: 'static {
    /// Appends the next piece, of up to some 64 KiB. Called by the loop while there is room. A source that has nothing now keeps a
    /// clone of the waker, and returns [`Waiting`](Produced::Waiting).
    fn produce(&mut self, out: &mut Vec<u8>, waker: &BodyWaker) -> Produced;

    /// The trailers, once the body is [`Done`](Produced::Done). They are sent if the length was unknown, but not to HTTP/1.0 clients.
    fn trailers(&mut self) -> Fields {
        Fields::new()
    }
}

/// What a source has produced.
#[derive(Debug)]
#[non_exhaustive]
pub enum Produced {
    /// A piece, and there is more: call again when there is room.
    More,
    /// Nothing now: call again after [`BodyWaker::wake`].
    Waiting,
    /// The body is complete.
    Done,
    /// The body cannot be completed. The connection ends such that the peer notices the truncation.
    Failed(Box<dyn Error>),
}

/// Wakes a source that returned [`Produced::Waiting`].
#[derive(Clone, Debug)]
pub struct BodyWaker(Transport);

impl BodyWaker {
    /// Has the loop call the source again.
    pub fn wake(&self) {
        self.0.resume_producing();
    }
}

impl Body {
    /// An empty body.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body from a source, of exactly this length, or of unknown length.
    #[must_use]
    pub fn source(source: impl BodySource, length: impl Into<Option<u64>>) -> Self {
        Self(Kind::Source { source: Box::new(source), length: length.into() })
    }

    /// Sets the exact length of a body from a source or a writer.
    #[must_use]
    pub fn with_length(mut self, bytes: u64) -> Self {
        if let Kind::Source { length, .. } = &mut self.0 {
            *length = Some(bytes);
        }
        self
    }

    /// A whole file, with its present length. The kernel copies it if it can
    /// ([`Transport::send_file`](sinew_transports::Transport::send_file)).
    ///
    /// # Errors
    ///
    /// If the length of the file cannot be read.
    pub fn file(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::file_range(file, 0..len))
    }

    /// A part of a file. If the file turns out to be shorter, the connection ends before the body does, so that the peer notices
    /// the truncation.
    #[must_use]
    pub const fn file_range(file: File, range: Range<u64>) -> Self {
        Self(Kind::File { file, range })
    }

    /// The length, if it is known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::File { range, .. } => Some(range.end.saturating_sub(range.start)),
            Kind::Source { length, .. } => *length,
        }
    }

    /// The same again, if it is in memory: for a request that has to be repeated.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Kind::Empty => Some(Self::empty()),
            Kind::Bytes(bytes) => Some(Self(Kind::Bytes(bytes.clone()))),
            Kind::File { .. } | Kind::Source { .. } => None,
        }
    }

    /// Whether the body is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The bytes, if the body is in memory.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Bytes(bytes) })
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "empty",
            Kind::Bytes(_) => "bytes",
            Kind::File { .. } => "file",
            Kind::Source { .. } => "source",
        };
        f.debug_struct("Body").field("kind", &kind).field("len", &self.len()).finish()
    }
}
