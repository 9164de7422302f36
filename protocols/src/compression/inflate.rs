//! Streaming decompression with limits against decompression bombs: [`Inflate`].

use std::{fmt, mem};

use flate2::{Decompress, FlushDecompress, Status};

use super::{Format, STEP, WINDOW_BITS};

/// Output that is not counted against the ratio limit: the first kilobytes of any data may be blank.
const RATIO_GRACE: u64 = 64 * 1024;

/// The least output that [`Inflate::inflate_into`] makes room for.
const ROOM_MIN: usize = 512;

/// Inflates a stream incrementally, up to 16 KiB of output per call.
///
/// A kilobyte may inflate to a megabyte, so a limit on the compressed input does not bound the output. The limits
/// here apply to the output: past them, not one more byte is produced. To apply backpressure, stop calling
/// [`inflate`](Self::inflate); the rest of the input is not consumed.
///
/// It holds about 50 KiB while it exists, so create it when there is something to inflate, and drop it afterwards.
///
/// # Examples
///
/// ```
/// use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, InflateError, Inflated};
///
/// fn inflate(mut input: &[u8]) -> Result<Vec<u8>, InflateError> {
///     let mut inflate = Inflate::new(Format::Gzip).output_max(1 << 20);
///     let mut output = Vec::new();
///     while let Inflated::Output(piece) = inflate.inflate(&mut input)? {
///         output.extend_from_slice(piece);
///     }
///     inflate.finish()?; // there is no more input
///     Ok(output)
/// }
///
/// # let gzip = |text: &[u8]| {
/// #     let (mut input, mut output) = (text, Vec::new());
/// #     let mut deflate = Deflate::new(Format::Gzip, 6);
/// #     while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
/// #         output.extend_from_slice(piece);
/// #     }
/// #     output
/// # };
/// let bomb = gzip(&vec![0; 2 << 20]);
/// assert!(bomb.len() < 2_500);
/// assert_eq!(inflate(&gzip(b"hello")), Ok(b"hello".to_vec()));
/// assert_eq!(inflate(&bomb), Err(InflateError::TooLong { max: 1 << 20 }));
/// assert_eq!(inflate(&bomb[..1000]), Err(InflateError::Truncated));
/// ```
pub struct Inflate {
    format: Format,
    output_max: u64,
    ratio_max: Option<u32>,
    engine: Decompress,
    /// For [`inflate`](Self::inflate), empty until it is called.
    step: Vec<u8>,
    /// Bytes consumed and produced since the budget was last renewed.
    consumed: u64,
    produced: u64,
    phase: Phase,
    /// The error to report after the output that has been returned.
    error: Option<InflateError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Inside the stream.
    Inside,
    /// Inside the stream, with more output available without more input.
    Full,
    /// After a member of a gzip file. Another may follow.
    Between,
    Ended,
}

/// The same as [`Inflated`], with the length of the output in the place of the output.
enum Advanced {
    Output(usize),
    End,
    Incomplete,
}

/// One step of [`Inflate::inflate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it holds a piece of the output"]
pub enum Inflated<'a> {
    /// Inflated data, at most 16 KiB and not empty. More may be available without more input.
    Output(&'a [u8]),
    /// The stream has ended. The remaining input comes after it.
    End,
    /// The input is used up.
    Incomplete,
}

/// Why a stream cannot be inflated. Errors are final.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The output exceeds the limit.
    #[error("more than {max} bytes when inflated")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// The output exceeds the limit relative to the input.
    #[error("more than {max} times as long when inflated")]
    RatioTooHigh {
        /// The limit.
        max: u32,
    },
    /// The input is not a stream of this format, or its checksum is wrong.
    #[error("the compressed data are corrupt: {reason}")]
    Corrupt {
        /// The reason, in the words of the decompression library.
        reason: String,
    },
    /// The input ended before the stream did.
    #[error("the compressed data are cut off")]
    Truncated,
}

sinew_transports::reactor::error_debug!(InflateError);

impl Inflate {
    /// The default limit: 16 MiB.
    pub const OUTPUT_MAX: u64 = 16 * 1024 * 1024;

    /// Inflates a stream of `format`.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            output_max: Self::OUTPUT_MAX,
            ratio_max: None,
            engine: engine(format),
            step: Vec::new(),
            consumed: 0,
            produced: 0,
            phase: Phase::Inside,
            error: None,
        }
    }

    /// Maximum number of output bytes. Default [16 MiB](Self::OUTPUT_MAX); past it [`InflateError::TooLong`].
    #[must_use]
    pub const fn output_max(mut self, bytes: u64) -> Self {
        self.output_max = bytes;
        self
    }

    /// Maximum ratio of output to input bytes, not counting the first 64 KiB of output. Default: no limit (the format
    /// itself allows up to 1,032); past it [`InflateError::RatioTooHigh`].
    #[must_use]
    pub fn ratio_max(mut self, ratio: impl Into<Option<u32>>) -> Self {
        self.ratio_max = ratio.into();
        self
    }

    /// Consumes input from the front of `input` and returns up to 16 KiB of output.
    ///
    /// # Errors
    ///
    /// [`InflateError`]; the output before it has been returned.
    pub fn inflate<'a>(&'a mut self, input: &mut &[u8]) -> Result<Inflated<'a>, InflateError> {
        let mut step = mem::take(&mut self.step);
        step.resize(STEP, 0);
        let advanced = self.advance(input, &mut step);
        self.step = step;
        Ok(match advanced? {
            Advanced::Output(len) => Inflated::Output(&self.step[..len]),
            Advanced::End => Inflated::End,
            Advanced::Incomplete => Inflated::Incomplete,
        })
    }

    /// As [`inflate`](Self::inflate), but appends the output to a buffer of the caller, and needs none of its own.
    ///
    /// # Errors
    ///
    /// [`InflateError`]; the output before it has been appended.
    pub fn inflate_into<'a>(
        &mut self,
        input: &mut &[u8],
        output: &'a mut Vec<u8>,
    ) -> Result<Inflated<'a>, InflateError> {
        let start = output.len();
        let room = match self.phase {
            Phase::Full => STEP,
            _ => input.len().saturating_mul(8).clamp(ROOM_MIN, STEP),
        };
        output.resize(start + room, 0);
        let advanced = self.advance(input, &mut output[start..]);
        let len = if let Ok(Advanced::Output(len)) = advanced { len } else { 0 };
        output.truncate(start + len);
        Ok(match advanced? {
            Advanced::Output(_) => Inflated::Output(&output[start..]),
            Advanced::End => Inflated::End,
            Advanced::Incomplete => Inflated::Incomplete,
        })
    }

    fn advance(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<Advanced, InflateError> {
        loop {
            if let Some(error) = &self.error {
                return Err(error.clone());
            }
            match self.phase {
                Phase::Ended => return Ok(Advanced::End),
                Phase::Inside | Phase::Between if input.is_empty() => {
                    return Ok(Advanced::Incomplete);
                }
                // This byte starts another member; anything else comes after the end of the file (RFC 1952 2.2).
                Phase::Between if input[0] == 0x1f => {
                    self.engine = engine(self.format);
                    self.phase = Phase::Inside;
                }
                Phase::Between => self.phase = Phase::Ended,
                Phase::Inside | Phase::Full => {
                    let len = self.step(input, output);
                    if len > 0 {
                        return Ok(Advanced::Output(len));
                    }
                }
            }
        }
    }

    /// Runs one step and returns the length of its output. Stores an error to be reported after that output.
    fn step(&mut self, input: &mut &[u8], output: &mut [u8]) -> usize {
        // Room for one byte more than the limit, to detect that there is more.
        let left = self.output_max.saturating_sub(self.produced).saturating_add(1);
        let room = usize::try_from(left).map_or(output.len(), |left| left.min(output.len()));
        let (consumed, produced) = (self.engine.total_in(), self.engine.total_out());
        let status = self.engine.decompress(input, &mut output[..room], FlushDecompress::None);
        let consumed =
            usize::try_from(self.engine.total_in() - consumed).expect("no more than the input");
        let produced = usize::try_from(self.engine.total_out() - produced).expect("at most a step");
        *input = &input[consumed..];
        self.consumed += consumed as u64;
        let corrupt = |reason: &str| Err(InflateError::Corrupt { reason: reason.to_owned() });
        let phase = match status {
            Err(error) if error.needs_dictionary().is_some() => corrupt("a dictionary is needed"),
            Err(error) => corrupt(error.message().unwrap_or("invalid stream")),
            Ok(Status::StreamEnd) if self.format == Format::Gzip => Ok(Phase::Between),
            Ok(Status::StreamEnd) => Ok(Phase::Ended),
            Ok(_) if produced == room => Ok(Phase::Full),
            Ok(_) if consumed + produced == 0 && !input.is_empty() => corrupt("no progress"),
            Ok(_) => Ok(Phase::Inside),
        };
        match phase {
            Ok(phase) => self.phase = phase,
            Err(error) => self.error = Some(error),
        }
        if produced as u64 == left {
            self.error = Some(InflateError::TooLong { max: self.output_max });
            return produced - 1;
        }
        self.produced += produced as u64;
        if let Some(max) = self.ratio_max.filter(|max| self.exceeds_ratio(*max)) {
            self.error = Some(InflateError::RatioTooHigh { max });
        }
        produced
    }

    const fn exceeds_ratio(&self, ratio: u32) -> bool {
        self.produced.saturating_sub(RATIO_GRACE) > self.consumed.saturating_mul(ratio as u64)
    }

    /// Call this when there is no more input.
    ///
    /// # Errors
    ///
    /// [`InflateError::Truncated`] if the stream has not ended, or output is still available; or the earlier error.
    pub fn finish(&self) -> Result<(), InflateError> {
        match (&self.error, self.phase) {
            (Some(error), _) => Err(error.clone()),
            (None, Phase::Between | Phase::Ended) => Ok(()),
            (None, Phase::Inside | Phase::Full) => Err(InflateError::Truncated),
        }
    }

    /// Changes [`output_max`](Self::output_max). Call it between two messages, with [`renew_budget`](Self::renew_budget).
    pub const fn set_output_max(&mut self, bytes: u64) {
        self.output_max = bytes;
    }

    /// Renews the whole budget: the next message in the same stream begins.
    pub const fn renew_budget(&mut self) {
        (self.consumed, self.produced) = (0, 0);
    }

    /// Starts the next stream, with a fresh budget and no state of the previous one.
    pub fn reset(&mut self) {
        self.next_stream();
        self.error = None;
        self.renew_budget();
    }

    /// Starts the next stream, with what is left of the budget.
    pub fn next_stream(&mut self) {
        match self.format {
            // The engine cannot be reset to expect a gzip header.
            Format::Gzip => self.engine = engine(self.format),
            Format::Zlib => self.engine.reset(true),
            Format::Raw => self.engine.reset(false),
        }
        self.phase = Phase::Inside;
    }
}

fn engine(format: Format) -> Decompress {
    match format {
        Format::Gzip => Decompress::new_gzip(WINDOW_BITS),
        Format::Zlib => Decompress::new_with_window_bits(true, WINDOW_BITS),
        Format::Raw => Decompress::new_with_window_bits(false, WINDOW_BITS),
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("format", &self.format)
            .field("consumed", &self.consumed)
            .field("produced", &self.produced)
            .finish_non_exhaustive()
    }
}
