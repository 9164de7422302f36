//! Deflating piece by piece: [`Deflate`].

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Format, STEP, WINDOW_BITS};

/// Compresses a stream as it comes, 16 KiB of output at a time. What it holds is bounded, some 300 KiB at the middle levels, however
/// long the stream is.
///
/// # Examples
///
/// ```
/// use sinew_protocols::compression::{Deflate, Flush, Format};
/// use sinew_transports::Transport;
///
/// let (transport, wire) = Transport::memory();
/// let mut deflate = Deflate::new(Format::Gzip, 6);
/// let mut input = &b"hello, hello, hello"[..];
/// while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
///     transport.write(piece);
/// }
/// assert_eq!(wire.sent()[..2], [0x1f, 0x8b]);
/// ```
pub struct Deflate {
    format: Format,
    engine: Compress,
    step: Box<[u8]>,
    has_ended: bool,
}

/// What is to come out for what was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flush {
    /// What is ready; more input follows, and compresses better with what is kept until then.
    None,
    /// All of it, so that the other end can inflate what was put in so far. It ends in the bytes `00 00 ff ff` (RFC 7692 7.2.1).
    Sync,
    /// All of it, and the end of the stream.
    Finish,
}

impl Deflate {
    /// Compresses to this format, at a level between 0, which only wraps, and 9, which is slow. 6 is usual.
    #[must_use]
    pub fn new(format: Format, level: u32) -> Self {
        let level = Compression::new(level.min(9));
        let engine = match format {
            Format::Gzip => Compress::new_gzip(level, WINDOW_BITS),
            Format::Zlib => Compress::new_with_window_bits(level, true, WINDOW_BITS),
            Format::Raw => Compress::new_with_window_bits(level, false, WINDOW_BITS),
        };
        Self { format, engine, step: vec![0; STEP].into_boxed_slice(), has_ended: false }
    }

    /// Takes as much off the front of `input` as gives up to 16 KiB of output. `None` if there is no more for now: the input is used up,
    /// and what `flush` asks for has been given. Nothing is taken after [`Flush::Finish`] until [`reset`](Self::reset).
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn deflate<'a>(&'a mut self, input: &mut &[u8], flush: Flush) -> Option<&'a [u8]> {
        let flush = match flush {
            Flush::None => FlushCompress::None,
            Flush::Sync => FlushCompress::Sync,
            Flush::Finish => FlushCompress::Finish,
        };
        while !self.has_ended {
            let (taken, given) = (self.engine.total_in(), self.engine.total_out());
            let status = self.engine.compress(input, &mut self.step, flush);
            let taken = self.engine.total_in() - taken;
            let given = usize::try_from(self.engine.total_out() - given).expect("a step at most");
            *input = &input[usize::try_from(taken).expect("no more than was there")..];
            let status = status.expect("its state is nobody else's, and it has not ended");
            self.has_ended = status == Status::StreamEnd;
            if given > 0 {
                return Some(&self.step[..given]);
            }
            if input.is_empty() {
                break;
            }
        }
        None
    }

    /// A next stream begins.
    pub fn reset(&mut self) {
        self.engine.reset();
        self.has_ended = false;
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate").field("format", &self.format).finish_non_exhaustive()
    }
}
