//! Finding the end of a line: [`Delimiter`], and [`Scan`], the state kept between two pieces of a line.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use crate::basic::{Decoded, FrameError, scan_counter};

#[derive(Debug, Clone)]
pub(super) enum Delimiter {
    Exactly(Cow<'static, [u8]>),
    /// CRLF. Lenient: a bare LF ends a line, too. Strict: neither byte may stand alone.
    Crlf {
        is_strict: bool,
    },
}

/// How far the unfinished line has been searched.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    /// Bytes of the line seen so far.
    seen: usize,
    /// How many of the last bytes match the beginning of the delimiter, and so may not be payload.
    matched: usize,
}

impl Delimiter {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Exactly(delimiter) => delimiter,
            Self::Crlf { .. } => b"\r\n",
        }
    }

    /// Whether it is CRLF: a peer may then treat a bare CR or LF as the end of a line, too.
    pub(super) fn is_crlf(&self) -> bool {
        self.bytes() == b"\r\n"
    }

    /// Whether a payload cannot contain a delimiter, whatever follows it: no byte of it can start one or be mistaken
    /// for one.
    pub(super) fn is_absent_from(&self, payload: &[u8]) -> bool {
        match self {
            Self::Exactly(delimiter) if delimiter[0] != b'\r' => {
                memchr(delimiter[0], payload).is_none()
            }
            Self::Exactly(_) | Self::Crlf { .. } => memchr2(b'\r', b'\n', payload).is_none(),
        }
    }

    /// Searches `input`, the continuation of what `scan` has seen, for the end of the line.
    pub(super) fn find(
        &self,
        scan: &mut Scan,
        len_max: usize,
        input: &[u8],
    ) -> Result<Decoded, FrameError> {
        match self {
            Self::Exactly(delimiter) => scan.exactly(delimiter, len_max, input),
            Self::Crlf { is_strict: false } => scan.lf_or_crlf(len_max, input),
            Self::Crlf { is_strict: true } => scan.strict_crlf(len_max, input),
        }
    }
}

impl Scan {
    /// Jumps to the first byte of a possible delimiter, then matches byte by byte: one pass, no byte is examined
    /// twice.
    fn exactly(
        &mut self,
        delimiter: &[u8],
        len_max: usize,
        input: &[u8],
    ) -> Result<Decoded, FrameError> {
        // Fast path: most lines lie whole in one read and contain no partial delimiter.
        let mut at = 0;
        if self.seen == 0 {
            let window = self.window(len_max, input);
            let found = search(delimiter[0], window);
            if let Some(before) = found
                && input[before..].starts_with(delimiter)
            {
                scan_counter::scanned(delimiter.len() - 1);
                return Ok(Decoded::Frame {
                    consumed: before + delimiter.len(),
                    payload: 0..before,
                });
            }
            self.matched = usize::from(found.is_some());
            at = found.map_or(window.len(), |before| before + 1);
            self.seen = at;
            self.check_len(len_max)?;
        }
        while at < input.len() {
            if self.matched == 0 {
                // The delimiter starts within the first `len_max + 1` bytes of the line, or the line is too long.
                let window = self.window(len_max, &input[at..]);
                let found = search(delimiter[0], window);
                self.matched = usize::from(found.is_some());
                let skipped = found.map_or(window.len(), |before| before + 1);
                at += skipped;
                self.seen += skipped;
            } else {
                self.matched = next_match(delimiter, self.matched, input[at]);
                scan_counter::scanned(1);
                at += 1;
                self.seen += 1;
            }
            if self.matched == delimiter.len() {
                return Ok(self.frame(at));
            }
            self.check_len(len_max)?;
        }
        Ok(Decoded::Incomplete)
    }

    fn lf_or_crlf(&mut self, len_max: usize, input: &[u8]) -> Result<Decoded, FrameError> {
        // One byte more than the payload: the CR.
        let window = self.window(len_max.saturating_add(1), input);
        let found = search(b'\n', window);
        let before = &window[..found.unwrap_or(window.len())];
        if let Some(&last) = before.last() {
            self.seen += before.len();
            self.matched = usize::from(last == b'\r');
        }
        self.check_len(len_max)?;
        if found.is_none() {
            return Ok(Decoded::Incomplete);
        }
        self.seen += 1;
        self.matched += 1;
        Ok(self.frame(before.len() + 1))
    }

    fn strict_crlf(&mut self, len_max: usize, input: &[u8]) -> Result<Decoded, FrameError> {
        let mut at = 0;
        if self.matched == 0 {
            let window = self.window(len_max, input);
            let found = memchr2(b'\r', b'\n', window);
            at = found.map_or(window.len(), |before| before + 1);
            scan_counter::scanned(at);
            self.seen += at;
            match found.map(|before| window[before]) {
                None => {
                    self.check_len(len_max)?;
                    return Ok(Decoded::Incomplete);
                }
                Some(b'\r') => self.matched = 1,
                Some(found) => return Err(FrameError::BareLineEnd { found }),
            }
        }
        match input.get(at) {
            None => Ok(Decoded::Incomplete),
            Some(b'\n') => {
                scan_counter::scanned(1);
                (self.seen, self.matched) = (self.seen + 1, 2);
                Ok(self.frame(at + 1))
            }
            Some(_) => Err(FrameError::BareLineEnd { found: b'\r' }),
        }
    }

    /// The part of `input` within the first `len_max + 1` bytes of the line.
    fn window<'a>(&self, len_max: usize, input: &'a [u8]) -> &'a [u8] {
        let len = len_max.saturating_sub(self.seen).saturating_add(1);
        &input[..len.min(input.len())]
    }

    fn check_len(&self, len_max: usize) -> Result<(), FrameError> {
        if self.seen - self.matched > len_max {
            return Err(FrameError::LineTooLong { max: len_max });
        }
        Ok(())
    }

    /// The frame of a line whose delimiter has just been matched.
    fn frame(&mut self, consumed: usize) -> Decoded {
        let Self { seen, matched } = std::mem::take(self);
        Decoded::Frame { consumed, payload: 0..seen - matched }
    }
}

fn search(byte: u8, input: &[u8]) -> Option<usize> {
    let found = memchr(byte, input);
    scan_counter::scanned(found.map_or(input.len(), |at| at + 1));
    found
}

/// The length of the longest prefix of `delimiter` that the input ends with once `byte` follows the `matched` bytes.
/// This is the step of Knuth-Morris-Pratt, without a table: delimiters are short.
fn next_match(delimiter: &[u8], matched: usize, byte: u8) -> usize {
    (0..=matched)
        .rev()
        .find(|&len| {
            delimiter[len] == byte && delimiter[..len] == delimiter[matched - len..matched]
        })
        .map_or(0, |len| len + 1)
}
