//! How the end of a line is found: [`Delimiter`], and [`Scan`], what is remembered between two pieces of a line.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use crate::basic::{Decoded, FrameError, scan_counter};

#[derive(Debug, Clone)]
pub(super) enum Delimiter {
    Exactly(Cow<'static, [u8]>),
    /// CRLF. An LF alone ends a line, too; or, strictly, neither of the two may stand alone.
    Crlf {
        is_strict: bool,
    },
}

/// How far the unfinished line was searched.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    /// Bytes of the line seen so far.
    seen: usize,
    /// How many of the last ones are the beginning of a delimiter, so perhaps no payload.
    matched: usize,
}

impl Delimiter {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Exactly(delimiter) => delimiter,
            Self::Crlf { .. } => b"\r\n",
        }
    }

    /// Whether it is made of CRLF: then a peer may take a CR or an LF alone for the end of a line, too.
    pub(super) fn is_crlf(&self) -> bool {
        self.bytes() == b"\r\n"
    }

    /// Whether a payload is plainly free of delimiters, whatever follows it: it holds no byte that one begins with, nor any that may be
    /// taken for one.
    pub(super) fn is_absent_from(&self, payload: &[u8]) -> bool {
        match self {
            Self::Exactly(delimiter) if delimiter[0] != b'\r' => {
                memchr(delimiter[0], payload).is_none()
            }
            Self::Exactly(_) | Self::Crlf { .. } => memchr2(b'\r', b'\n', payload).is_none(),
        }
    }

    /// Searches `input`, which follows what `scan` has seen, for the end of the line.
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
    /// Jumps to where the delimiter may begin, then follows it byte by byte: one pass, nothing looked at twice.
    fn exactly(
        &mut self,
        delimiter: &[u8],
        len_max: usize,
        input: &[u8],
    ) -> Result<Decoded, FrameError> {
        // Most lines lie whole in what was read, and nothing in them looks like their end.
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
            self.within(len_max)?;
        }
        while at < input.len() {
            if self.matched == 0 {
                // The delimiter begins within the first `len_max + 1` bytes of the line, or the line is too long.
                let window = self.window(len_max, &input[at..]);
                let found = search(delimiter[0], window);
                self.matched = usize::from(found.is_some());
                let passed = found.map_or(window.len(), |before| before + 1);
                at += passed;
                self.seen += passed;
            } else {
                self.matched = follow(delimiter, self.matched, input[at]);
                scan_counter::scanned(1);
                at += 1;
                self.seen += 1;
            }
            if self.matched == delimiter.len() {
                return Ok(self.frame(at));
            }
            self.within(len_max)?;
        }
        Ok(Decoded::Incomplete)
    }

    fn lf_or_crlf(&mut self, len_max: usize, input: &[u8]) -> Result<Decoded, FrameError> {
        // One byte more than the payload may have: the CR.
        let window = self.window(len_max.saturating_add(1), input);
        let found = search(b'\n', window);
        let before = &window[..found.unwrap_or(window.len())];
        if let Some(&last) = before.last() {
            self.seen += before.len();
            self.matched = usize::from(last == b'\r');
        }
        self.within(len_max)?;
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
                    self.within(len_max)?;
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

    /// The part of `input` that lies within the first `len_max + 1` bytes of the line.
    fn window<'a>(&self, len_max: usize, input: &'a [u8]) -> &'a [u8] {
        let len = len_max.saturating_sub(self.seen).saturating_add(1);
        &input[..len.min(input.len())]
    }

    fn within(&self, len_max: usize) -> Result<(), FrameError> {
        if self.seen - self.matched > len_max {
            return Err(FrameError::LineTooLong { max: len_max });
        }
        Ok(())
    }

    /// The line ends with the delimiter that has just been matched.
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

/// How many bytes of `delimiter` the input ends with when `byte` follows the `matched` ones seen so far. This is the step
/// of Knuth, Morris and Pratt, with the table left out: delimiters are short.
fn follow(delimiter: &[u8], matched: usize, byte: u8) -> usize {
    (0..=matched)
        .rev()
        .find(|&len| {
            delimiter[len] == byte && delimiter[..len] == delimiter[matched - len..matched]
        })
        .map_or(0, |len| len + 1)
}
