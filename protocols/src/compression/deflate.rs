//! Streaming compression: [`Deflate`].

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Format, STEP, WINDOW_BITS, WINDOW_BITS_MIN};

/// The least room that [`Deflate::deflate_into`] makes: with less, a flush might be written twice.
const ROOM_MIN: usize = 64;

/// Compresses a stream incrementally, up to 16 KiB of output per call. Its memory is bounded, about 300 KiB at the
/// middle levels, regardless of the length of the stream.
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
    /// For [`deflate`](Self::deflate), empty until it is called.
    step: Vec<u8>,
    has_ended: bool,
}

/// Which output to produce for the input so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flush {
    /// Output that is ready. The rest is kept back, since it compresses better with more input.
    None,
    /// All output, so that the receiver can inflate all input so far. It ends in the bytes `00 00 ff ff` (RFC 7692
    /// 7.2.1).
    Sync,
    /// All output, and the end of the stream.
    Finish,
}

impl Flush {
    const fn of_engine(self) -> FlushCompress {
        match self {
            Self::None => FlushCompress::None,
            Self::Sync => FlushCompress::Sync,
            Self::Finish => FlushCompress::Finish,
        }
    }
}

impl Deflate {
    /// Compresses to `format`, at a level from 0 (stored, no compression) to 9 (slowest). 6 is usual.
    #[must_use]
    pub fn new(format: Format, level: u32) -> Self {
        Self::with_window_bits(format, level, WINDOW_BITS)
    }

    /// The same with a window of two to the power of this, 9 to 15: the output refers back no further. Smaller numbers count as 9,
    /// larger ones as 15, the default.
    #[must_use]
    pub fn with_window_bits(format: Format, level: u32, window_bits: u8) -> Self {
        let level = Compression::new(level.min(9));
        let window_bits = window_bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS);
        let engine = match format {
            Format::Gzip => Compress::new_gzip(level, window_bits),
            Format::Zlib => Compress::new_with_window_bits(level, true, window_bits),
            Format::Raw => Compress::new_with_window_bits(level, false, window_bits),
        };
        Self { format, engine, step: Vec::new(), has_ended: false }
    }

    /// Consumes input from the front of `input` and returns up to 16 KiB of output. `None` if there is no more output
    /// for now: the input is used up, and the output requested by `flush` has been returned. Nothing is consumed
    /// after [`Flush::Finish`] until [`reset`](Self::reset).
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn deflate<'a>(&'a mut self, input: &mut &[u8], flush: Flush) -> Option<&'a [u8]> {
        let flush = flush.of_engine();
        self.step.resize(STEP, 0);
        while !self.has_ended {
            let (consumed, produced) = (self.engine.total_in(), self.engine.total_out());
            let status = self.engine.compress(input, &mut self.step, flush);
            let consumed = self.engine.total_in() - consumed;
            let produced =
                usize::try_from(self.engine.total_out() - produced).expect("at most a step");
            *input = &input[usize::try_from(consumed).expect("no more than the input")..];
            let status = status.expect("the stream state is private and has not ended");
            self.has_ended = status == Status::StreamEnd;
            if produced > 0 {
                return Some(&self.step[..produced]);
            }
            if input.is_empty() {
                break;
            }
        }
        None
    }

    /// Consumes all of the input and appends all output for it to a buffer of the caller, and needs none of its own. Appends nothing
    /// after [`Flush::Finish`] until [`reset`](Self::reset).
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn deflate_into(&mut self, mut input: &[u8], flush: Flush, output: &mut Vec<u8>) {
        let flush = flush.of_engine();
        while !self.has_ended {
            output.reserve((input.len() / 2).clamp(ROOM_MIN, STEP));
            let consumed = self.engine.total_in();
            let status = self.engine.compress_vec(input, output, flush);
            let consumed = self.engine.total_in() - consumed;
            input = &input[usize::try_from(consumed).expect("no more than the input")..];
            let status = status.expect("the stream state is private and has not ended");
            self.has_ended = status == Status::StreamEnd;
            // Where room is left, all output was there.
            if input.is_empty() && output.len() < output.capacity() {
                break;
            }
        }
    }

    /// Starts the next stream.
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
