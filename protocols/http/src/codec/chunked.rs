//! The chunked transfer coding, both ways (RFC 9112 7.1): [`ChunkedDecoder`], [`chunk`] and [`last_chunk`]. Chunk sizes are parsed
//! here, because `httparse` accepts wrong ones (`CRLF` alone, or `ffffffffffffffff`).

use std::mem;

use super::{BodyError, BodyEvent, Fields, fields::trim, lines::FIELDS_CAP};

/// Limits of everything that surrounds the data of chunks.
///
/// # Examples
///
/// ```
/// let limits = sinew_http::codec::ChunkLimits::default().trailers_max(16 * 1024);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ChunkLimits {
    extension_max: usize,
    extensions_max: usize,
    trailers_max: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { extension_max: 256, extensions_max: 4 * 1024, trailers_max: 4 * 1024 }
    }
}

impl ChunkLimits {
    /// Longest extension of one chunk, with the whitespace after its size. Default 256 bytes.
    pub fn extension_max(mut self, bytes: usize) -> Self {
        self.extension_max = bytes;
        self
    }

    /// Longest total of all chunk extensions of a message. Default 4 KiB.
    pub fn extensions_max(mut self, bytes: usize) -> Self {
        self.extensions_max = bytes;
        self
    }

    /// Longest trailer section. Default 4 KiB.
    pub fn trailers_max(mut self, bytes: usize) -> Self {
        self.trailers_max = bytes;
        self
    }
}

/// Decodes chunks. Extensions are skipped, trailers are kept separately.
///
/// | leniency | reason |
/// |---|---|
/// | whitespace between the size and CRLF | servers have padded sizes with it for years |
/// | extensions of any visible text | no extension has a meaning here, so their contents do not matter |
#[derive(Debug)]
pub struct ChunkedDecoder {
    limits: ChunkLimits,
    state: State,
    /// Bytes of extensions so far.
    extensions: usize,
    /// The trailer section so far.
    section: Vec<u8>,
    trailers: Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size.
    Size {
        digits: u8,
        size: u64,
    },
    /// After the size; the number of bytes of extension so far.
    Extension {
        size: u64,
        len: usize,
    },
    /// After the CR of a chunk's line.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// In the CRLF after the data.
    DataCr,
    DataLf,
    /// In the trailer section.
    Trailers,
    Ended,
}

const SIZE: State = State::Size { digits: 0, size: 0 };

impl ChunkedDecoder {
    /// A decoder at the beginning of a body.
    #[must_use]
    pub const fn new(limits: ChunkLimits) -> Self {
        Self { limits, state: SIZE, extensions: 0, section: Vec::new(), trailers: Fields::new() }
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`BodyError`]. After it, the connection cannot be used any more.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<BodyEvent<'a>, BodyError> {
        loop {
            match self.state {
                State::Ended => return Ok(BodyEvent::End),
                State::Data { left } if !input.is_empty() => {
                    return Ok(BodyEvent::Data(self.data(input, left)));
                }
                _ => {}
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(BodyEvent::Incomplete) };
            *input = rest;
            self.state = self.step(byte)?;
        }
    }

    fn data<'a>(&mut self, input: &mut &'a [u8], left: u64) -> &'a [u8] {
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (data, rest) = input.split_at(len);
        *input = rest;
        let left = left - len as u64;
        self.state = if left == 0 { State::DataCr } else { State::Data { left } };
        data
    }

    fn step(&mut self, byte: u8) -> Result<State, BodyError> {
        Ok(match (self.state, byte) {
            (State::Size { digits, size }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                // 2^63-1 is the largest size that all implementations can represent.
                if digits == 16 || size > i64::MAX as u64 >> 4 {
                    return Err(BodyError::ChunkSize);
                }
                State::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (State::Size { digits: 0, .. }, _) => return Err(BodyError::ChunkSize),
            (State::Size { size, .. } | State::Extension { size, .. }, b'\r') => {
                State::SizeEnd { size }
            }
            (State::Size { size, .. }, b';' | b' ' | b'\t') => self.extension(size, 1)?,
            (State::Size { .. }, _) => return Err(BodyError::ChunkSize),
            (State::Extension { size, len }, b'\t' | b' '..=0x7e | 0x80..) => {
                self.extension(size, len + 1)?
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => SIZE,
            (State::Trailers, byte) => self.trailer(byte)?,
            _ => return Err(BodyError::Chunk),
        })
    }

    fn extension(&mut self, size: u64, len: usize) -> Result<State, BodyError> {
        self.extensions += 1;
        let ChunkLimits { extension_max, extensions_max, .. } = self.limits;
        match () {
            () if len > extension_max => Err(BodyError::ExtensionTooLong { max: extension_max }),
            () if self.extensions > extensions_max => {
                Err(BodyError::ExtensionTooLong { max: extensions_max })
            }
            () => Ok(State::Extension { size, len }),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<State, BodyError> {
        // The empty line at the end is not counted.
        if self.section.len() >= self.limits.trailers_max + 2 {
            return Err(BodyError::TrailersTooLong { max: self.limits.trailers_max });
        }
        self.section.push(byte);
        if byte != b'\n' {
            return Ok(State::Trailers);
        }
        match self.section.as_slice() {
            b"\r\n" => {}
            section if section.ends_with(b"\r\n\r\n") => self.parse()?,
            section if section.ends_with(b"\r\n") => return Ok(State::Trailers),
            _ => return Err(BodyError::Trailers),
        }
        self.section = Vec::new();
        Ok(State::Ended)
    }

    fn parse(&mut self) -> Result<(), BodyError> {
        let mut places = [httparse::EMPTY_HEADER; FIELDS_CAP];
        let parsed = httparse::parse_headers(&self.section, &mut places);
        let Ok(httparse::Status::Complete((_, fields))) = parsed else {
            return Err(BodyError::Trailers);
        };
        for field in fields {
            let appended = self.trailers.append(field.name, trim(field.value));
            appended.map_err(|_| BodyError::Trailers)?;
        }
        Ok(())
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    pub(super) const fn announced(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    pub(super) fn take_trailers(&mut self) -> Fields {
        mem::take(&mut self.trailers)
    }
}

/// Appends a chunk with this data. Appends nothing for empty data, because an empty chunk would be the last one.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut left = data.len();
    while left > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk, with trailers.
///
/// # Examples
///
/// ```
/// use sinew_http::{Fields, codec::{chunk, last_chunk}};
///
/// let mut out = Vec::new();
/// chunk(&mut out, b"hello");
/// last_chunk(&mut out, &Fields::new());
/// assert_eq!(out, b"5\r\nhello\r\n0\r\n\r\n");
/// ```
pub fn last_chunk(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.raw() {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
