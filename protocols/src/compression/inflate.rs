//! Inflating within a budget: [`Inflate`].

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Format, STEP, WINDOW_BITS};

/// How much may come of a stream in excess of its ratio: the first kilobytes of anything may be blank.
const RATIO_GRACE: u64 = 64 * 1024;

/// Inflates a stream as it comes, 16 KiB at a time.
///
/// A kilobyte may inflate to a megabyte, so whoever bounds what comes in has bounded nothing. The budget here holds inside: past it,
/// not a byte more is made. Whoever wants to stop between two steps, because what came out has to go somewhere first, just does not go
/// on; the input stays where it is.
///
/// It holds some 50 KiB while it lives, so best make it when there is something to inflate, and drop it after.
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
///     inflate.finish()?; // no more will come
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
    step: Box<[u8]>,
    /// What came in and went out, since the budget was last renewed.
    taken: u64,
    given: u64,
    phase: Phase,
    /// What is wrong behind the output that was given.
    error: Option<InflateError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In the stream.
    Inside,
    /// In the stream, with more to come out before more is put in.
    Full,
    /// A member of a gzip file has ended. Another may follow.
    Between,
    Ended,
}

/// What came of the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it holds a piece of the output"]
pub enum Inflated<'a> {
    /// Inflated data, 16 KiB at most and not empty. There may be more without more input.
    Output(&'a [u8]),
    /// The stream has ended. What is left of the input lies behind it.
    End,
    /// The input is used up.
    Incomplete,
}

/// Why a stream cannot be inflated. It is final.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// More would come out than may.
    #[error("more than {max} bytes when inflated")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// More came out for what came in than may.
    #[error("more than {max} times as long when inflated")]
    RatioTooHigh {
        /// The limit.
        max: u32,
    },
    /// It is no stream of this format, or its checksum is wrong.
    #[error("the compressed data are corrupt: {reason}")]
    Corrupt {
        /// In the words of who inflates.
        reason: String,
    },
    /// The input ended before the stream did.
    #[error("the compressed data are cut off")]
    Truncated,
}

sinew_transports::reactor::error_debug!(InflateError);

impl Inflate {
    /// The limit unless another is set: 16 MiB.
    pub const OUTPUT_MAX: u64 = 16 * 1024 * 1024;

    /// Inflates a stream of this format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            output_max: Self::OUTPUT_MAX,
            ratio_max: None,
            engine: engine(format),
            step: vec![0; STEP].into_boxed_slice(),
            taken: 0,
            given: 0,
            phase: Phase::Inside,
            error: None,
        }
    }

    /// How many bytes may come out. Default [16 MiB](Self::OUTPUT_MAX); past it [`InflateError::TooLong`].
    #[must_use]
    pub const fn output_max(mut self, bytes: u64) -> Self {
        self.output_max = bytes;
        self
    }

    /// How many times as long as the input the output may be, beyond the first 64 KiB of it. Default: no limit, which is 1,032 by the
    /// format; past it [`InflateError::RatioTooHigh`].
    #[must_use]
    pub fn ratio_max(mut self, ratio: impl Into<Option<u32>>) -> Self {
        self.ratio_max = ratio.into();
        self
    }

    /// Takes as much off the front of `input` as gives up to 16 KiB of output.
    ///
    /// # Errors
    ///
    /// [`InflateError`]; what came before it has been given.
    pub fn inflate<'a>(&'a mut self, input: &mut &[u8]) -> Result<Inflated<'a>, InflateError> {
        loop {
            if let Some(error) = &self.error {
                return Err(error.clone());
            }
            match self.phase {
                Phase::Ended => return Ok(Inflated::End),
                Phase::Inside | Phase::Between if input.is_empty() => {
                    return Ok(Inflated::Incomplete);
                }
                // What begins in this way is another member; anything else lies behind the end (RFC 1952 2.2).
                Phase::Between if input[0] == 0x1f => {
                    self.engine = engine(self.format);
                    self.phase = Phase::Inside;
                }
                Phase::Between => self.phase = Phase::Ended,
                Phase::Inside | Phase::Full => {
                    let len = self.step(input);
                    if len > 0 {
                        return Ok(Inflated::Output(&self.step[..len]));
                    }
                }
            }
        }
    }

    /// One step; how much came out. What is wrong after that is noted.
    fn step(&mut self, input: &mut &[u8]) -> usize {
        // One byte more than may come out shows that there is more.
        let left = (self.output_max - self.given).saturating_add(1);
        let room = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
        let (taken, given) = (self.engine.total_in(), self.engine.total_out());
        let status = self.engine.decompress(input, &mut self.step[..room], FlushDecompress::None);
        let taken =
            usize::try_from(self.engine.total_in() - taken).expect("no more than was there");
        let given = usize::try_from(self.engine.total_out() - given).expect("no more than a step");
        *input = &input[taken..];
        self.taken += taken as u64;
        let corrupt = |reason: &str| Err(InflateError::Corrupt { reason: reason.to_owned() });
        let phase = match status {
            Err(error) if error.needs_dictionary().is_some() => corrupt("a dictionary is needed"),
            Err(error) => corrupt(error.message().unwrap_or("no such stream")),
            Ok(Status::StreamEnd) if self.format == Format::Gzip => Ok(Phase::Between),
            Ok(Status::StreamEnd) => Ok(Phase::Ended),
            Ok(_) if given == room => Ok(Phase::Full),
            Ok(_) if taken + given == 0 && !input.is_empty() => corrupt("it does not go on"),
            Ok(_) => Ok(Phase::Inside),
        };
        match phase {
            Ok(phase) => self.phase = phase,
            Err(error) => self.error = Some(error),
        }
        if given as u64 == left {
            self.error = Some(InflateError::TooLong { max: self.output_max });
            return given - 1;
        }
        self.given += given as u64;
        if let Some(max) = self.ratio_max.filter(|max| self.is_beyond(*max)) {
            self.error = Some(InflateError::RatioTooHigh { max });
        }
        given
    }

    const fn is_beyond(&self, ratio: u32) -> bool {
        self.given.saturating_sub(RATIO_GRACE) > self.taken.saturating_mul(ratio as u64)
    }

    /// No more input will come.
    ///
    /// # Errors
    ///
    /// [`InflateError::Truncated`] if the stream has not ended, and output is left in it or input is missing; or what was wrong before.
    pub fn finish(&self) -> Result<(), InflateError> {
        match (&self.error, self.phase) {
            (Some(error), _) => Err(error.clone()),
            (None, Phase::Between | Phase::Ended) => Ok(()),
            (None, Phase::Inside | Phase::Full) => Err(InflateError::Truncated),
        }
    }

    /// The whole budget is there again: a next message begins in the same stream.
    pub const fn renew_budget(&mut self) {
        (self.taken, self.given) = (0, 0);
    }

    /// A next stream begins, with the whole budget and nothing known of the one before.
    pub fn reset(&mut self) {
        match self.format {
            // There is no way back to the header of a gzip file.
            Format::Gzip => self.engine = engine(self.format),
            Format::Zlib => self.engine.reset(true),
            Format::Raw => self.engine.reset(false),
        }
        self.phase = Phase::Inside;
        self.error = None;
        self.renew_budget();
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
            .field("taken", &self.taken)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
