//! [`Format`]: a reference implementation of all framings, as simple as possible: it examines all bytes since the
//! last frame after each byte. Slow, but obviously correct.

use std::{borrow::Cow, ops::Range};

use sinew::protocols::basic::{
    Decoder, EncodeError, Encoder, Fixed, FrameError, Int8, Int16, Int32, Line, Netstring,
};

use super::input::Input;

/// A framing with its settings.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Line { delimiter: Cow<'static, [u8]>, max: usize },
    LfOrCrlf { max: usize },
    StrictCrlf { max: usize },
    Netstring { max: usize },
    Int { width: usize, max: usize },
    Fixed { size: usize },
}

/// The meaning of bytes that start at a frame boundary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Unfinished,
    /// Exactly one frame, with this payload.
    Frame(Range<usize>),
    /// The last byte makes any frame impossible.
    Fault(FrameError),
}

impl Format {
    pub(crate) fn line(input: &mut Input<'_>) -> Self {
        let max = limit(input);
        match input.byte() % 8 {
            0 | 4 => Self::Line { delimiter: b"\r\n"[..].into(), max },
            1 | 5 => Self::LfOrCrlf { max },
            6 => Self::StrictCrlf { max },
            2 => Self::Line { delimiter: b"aab"[..].into(), max },
            _ => {
                let delimiter = match input.few_bytes() {
                    b"" => b"\0",
                    some => some,
                };
                Self::Line { delimiter: delimiter.to_vec().into(), max }
            }
        }
    }

    pub(crate) fn netstring(input: &mut Input<'_>) -> Self {
        Self::Netstring { max: limit(input) }
    }

    pub(crate) fn int(input: &mut Input<'_>, width: usize) -> Self {
        Self::Int { width, max: limit(input) }
    }

    pub(crate) fn fixed(input: &mut Input<'_>) -> Self {
        Self::Fixed { size: limit(input).clamp(1, 1 << 20) }
    }

    pub(crate) fn any(input: &mut Input<'_>) -> Self {
        match input.byte() % 8 {
            0..=2 => Self::line(input),
            3 => Self::netstring(input),
            4 => Self::int(input, 1),
            5 => Self::int(input, 2),
            6 => Self::int(input, 4),
            _ => Self::fixed(input),
        }
    }

    /// The decoder under test.
    pub(crate) fn decoder(&self) -> Box<dyn Decoder> {
        match self.clone() {
            Self::Line { delimiter, max } => Box::new(Line::new(delimiter).len_max(max)),
            Self::LfOrCrlf { max } => Box::new(Line::lf_or_crlf().len_max(max)),
            Self::StrictCrlf { max } => Box::new(Line::strict_crlf().len_max(max)),
            Self::Netstring { max } => Box::new(Netstring::default().len_max(max)),
            Self::Int { width: 1, max } => Box::new(Int8::default().len_max(max)),
            Self::Int { width: 2, max } => Box::new(Int16::default().len_max(max)),
            Self::Int { max, .. } => Box::new(Int32::default().len_max(max)),
            Self::Fixed { size } => Box::new(Fixed::new(size)),
        }
    }

    /// The encoding of a payload.
    pub(crate) fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
        fn whole(codec: impl Encoder, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
            codec.encode(payload, |parts| parts.concat())
        }
        match self.clone() {
            Self::Line { delimiter, max } => whole(Line::new(delimiter).len_max(max), payload),
            Self::LfOrCrlf { max } => whole(Line::lf_or_crlf().len_max(max), payload),
            Self::StrictCrlf { max } => whole(Line::strict_crlf().len_max(max), payload),
            Self::Netstring { max } => whole(Netstring::default().len_max(max), payload),
            Self::Int { width: 1, max } => whole(Int8::default().len_max(max), payload),
            Self::Int { width: 2, max } => whole(Int16::default().len_max(max), payload),
            Self::Int { max, .. } => whole(Int32::default().len_max(max), payload),
            Self::Fixed { size } => whole(Fixed::new(size), payload),
        }
    }

    /// Whether a received payload cannot be sent: a peer may treat part of it as the end of a line.
    pub(crate) fn contains_line_end(&self, payload: &[u8]) -> bool {
        let is_crlf = match self {
            Self::Line { delimiter, .. } => **delimiter == *b"\r\n",
            Self::LfOrCrlf { .. } | Self::StrictCrlf { .. } => true,
            _ => false,
        };
        is_crlf && payload.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// The longest accepted payload.
    pub(crate) const fn payload_max(&self) -> usize {
        match self {
            Self::Line { max, .. } | Self::LfOrCrlf { max } | Self::StrictCrlf { max } => *max,
            Self::Netstring { max } | Self::Int { max, .. } => *max,
            Self::Fixed { size } => *size,
        }
    }

    /// The most bytes ever kept of an unfinished frame.
    pub(crate) fn kept_max(&self) -> usize {
        let around = match self {
            Self::Line { delimiter, .. } => delimiter.len() - 1,
            Self::LfOrCrlf { .. } | Self::StrictCrlf { .. } => 1,
            Self::Netstring { max } => max.to_string().len() + 1,
            Self::Int { width, .. } => *width,
            Self::Fixed { .. } => 0,
        };
        self.payload_max().saturating_add(around)
    }

    /// The meaning of `bytes`, of which all but the last byte were unfinished.
    pub(crate) fn meaning(&self, bytes: &[u8]) -> Meaning {
        match self {
            Self::Line { delimiter, max } => match bytes.strip_suffix(&**delimiter) {
                Some(line) => line_of(line.len(), *max),
                None => {
                    unfinished_line(bytes.len() - partial_delimiter_len(delimiter, bytes), *max)
                }
            },
            Self::LfOrCrlf { max } => {
                let line = bytes.strip_suffix(b"\n");
                let without_cr = |line: &[u8]| line.len() - usize::from(line.ends_with(b"\r"));
                match line {
                    Some(line) => line_of(without_cr(line), *max),
                    None => unfinished_line(without_cr(bytes), *max),
                }
            }
            Self::StrictCrlf { max } => strict_line(bytes, *max),
            Self::Netstring { max } => netstring(bytes, *max),
            Self::Int { width, max } => match bytes.split_at_checked(*width) {
                None => Meaning::Unfinished,
                Some((prefix, payload)) => {
                    let len = prefix.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
                    let frame = *width..bytes.len();
                    match len {
                        len if len > *max as u64 => {
                            Meaning::Fault(FrameError::FrameTooLong { len, max: *max })
                        }
                        len if len == payload.len() as u64 => Meaning::Frame(frame),
                        _ => Meaning::Unfinished,
                    }
                }
            },
            Self::Fixed { size } if bytes.len() == *size => Meaning::Frame(0..*size),
            Self::Fixed { .. } => Meaning::Unfinished,
        }
    }
}

/// Small limits that are often reached, and large ones.
fn limit(input: &mut Input<'_>) -> usize {
    match input.byte() {
        low @ 0..=199 => low.into(),
        high @ 200..=239 => usize::from(high) * 50,
        240..=247 => isize::MAX.unsigned_abs(),
        _ => 99_999,
    }
}

const fn line_of(len: usize, max: usize) -> Meaning {
    if len > max { Meaning::Fault(FrameError::LineTooLong { max }) } else { Meaning::Frame(0..len) }
}

const fn unfinished_line(len: usize, max: usize) -> Meaning {
    if len > max { Meaning::Fault(FrameError::LineTooLong { max }) } else { Meaning::Unfinished }
}

fn strict_line(bytes: &[u8], max: usize) -> Meaning {
    let alone = |found| Meaning::Fault(FrameError::BareLineEnd { found });
    match bytes {
        [line @ .., b'\r', b'\n'] => line_of(line.len(), max),
        [.., b'\r', _] => alone(b'\r'),
        [.., b'\n'] => alone(b'\n'),
        [line @ .., b'\r'] => unfinished_line(line.len(), max),
        line => unfinished_line(line.len(), max),
    }
}

/// How many of the last bytes may be the beginning of the delimiter.
fn partial_delimiter_len(delimiter: &[u8], bytes: &[u8]) -> usize {
    (0..delimiter.len()).rev().find(|len| bytes.ends_with(&delimiter[..*len])).unwrap_or(0)
}

fn netstring(bytes: &[u8], max: usize) -> Meaning {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let len = bytes[..digits].iter().try_fold(0_usize, |len, digit| {
        len.checked_mul(10)?.checked_add(usize::from(digit - b'0'))
    });
    let Some(&behind) = bytes.get(digits) else {
        let last = FrameError::FrameTooLong { len: len.unwrap_or(usize::MAX) as u64, max };
        return match len {
            _ if digits > 1 && bytes[0] == b'0' => Meaning::Fault(FrameError::LeadingZero),
            Some(len) if len <= max => Meaning::Unfinished,
            _ => Meaning::Fault(last),
        };
    };
    if behind != b':' || digits == 0 {
        return Meaning::Fault(FrameError::LengthInvalid { found: behind });
    }
    let payload = digits + 1..(digits + 1).saturating_add(len.unwrap_or(usize::MAX));
    match bytes.get(payload.end) {
        None => Meaning::Unfinished,
        Some(b',') => Meaning::Frame(payload),
        Some(&found) => Meaning::Fault(FrameError::CommaMissing { found }),
    }
}
