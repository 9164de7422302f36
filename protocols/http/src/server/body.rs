//! The body of a response: [`Body`], and what makes it piece by piece: [`BodySource`]. The other way round, with a handle to write
//! to, it is in `body_writer.rs`.

use std::{error::Error, fmt, fs::File, io, ops::Range};

use bytes::Bytes;
use sinew_transports::Transport;

use crate::codec::Fields;

/// The body of a response.
///
/// It is made from text, bytes or a [`File`]; or from a [`BodySource`], of known length or not.
#[derive(Default)]
pub struct Body(pub(super) Kind);

#[derive(Default)]
pub(super) enum Kind {
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

/// Makes a body piece by piece, as fast as the client takes it.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Body, BodySource, BodyWaker, Produced};
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
    /// Append the next piece, from a few bytes to some 64 KiB. Called by the loop while there is room. Who has nothing for now keeps
    /// a clone of the waker, and says [`Waiting`](Produced::Waiting).
    fn produce(&mut self, out: &mut Vec<u8>, waker: &BodyWaker) -> Produced;

    /// The trailers, once the body is [`Done`](Produced::Done). They are sent to clients of HTTP/1.1, if the length was not known.
    fn trailers(&mut self) -> Fields {
        Fields::new()
    }
}

/// What a source has left.
#[derive(Debug)]
#[non_exhaustive]
pub enum Produced {
    /// More; ask again when there is room.
    More,
    /// Nothing for now; ask again after [`BodyWaker::wake`].
    Waiting,
    /// Nothing, ever.
    Done,
    /// The body cannot be finished. The connection ends in a way that shows the client that something is missing.
    Failed(Box<dyn Error>),
}

/// Has a source be asked again that was waiting.
#[derive(Clone, Debug)]
pub struct BodyWaker(pub(super) Transport);

impl BodyWaker {
    /// Asks again, from the loop.
    pub fn wake(&self) {
        self.0.resume_producing();
    }
}

impl Body {
    /// None.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// What a source makes: of that length exactly, or of one that shows when it is done.
    #[must_use]
    pub fn source(source: impl BodySource, length: impl Into<Option<u64>>) -> Self {
        Self(Kind::Source { source: Box::new(source), length: length.into() })
    }

    /// All of a file, as long as it is now. Where the system can, the kernel moves it
    /// ([`Transport::send_file`](sinew_transports::Transport::send_file)).
    ///
    /// # Errors
    ///
    /// If the file does not tell its length.
    pub fn file(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::file_range(file, 0..len))
    }

    /// A part of a file. If the file turns out to be shorter, the connection ends before the body does, which shows the client that
    /// something is missing.
    #[must_use]
    pub const fn file_range(file: File, range: Range<u64>) -> Self {
        Self(Kind::File { file, range })
    }

    /// How long it is, if that is known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::File { range, .. } => Some(range.end.saturating_sub(range.start)),
            Kind::Source { length, .. } => *length,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The bytes, if it is in memory.
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
