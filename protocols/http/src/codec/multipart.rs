//! Multipart bodies, above all `multipart/form-data` (RFC 2046 5.1, RFC 7578): [`Multipart`]. Buffers only the head of a part, so
//! parts may have any length.

use sinew_transports::reactor::error_debug;

use super::{Fields, fields::trim, forms::parameter};

/// Longest boundary (RFC 2046 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// Most fields of a part's head.
const FIELDS_MAX: usize = 32;

/// Limits of the number of parts and of their heads.
///
/// # Examples
///
/// ```
/// let limits = sinew_http::codec::MultipartLimits::default().parts_max(1_000);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MultipartLimits {
    parts_max: usize,
    head_max: usize,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self { parts_max: 100, head_max: 4 * 1024 }
    }
}

impl MultipartLimits {
    /// Most parts. Default 100.
    pub fn parts_max(mut self, parts: usize) -> Self {
        self.parts_max = parts;
        self
    }

    /// Longest head of a part. Default 4 KiB.
    pub fn head_max(mut self, bytes: usize) -> Self {
        self.head_max = bytes;
        self
    }
}

/// Why a multipart body is rejected.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The content type is not `multipart/…` with a boundary of 1 to 70 characters.
    #[error("the content type has no valid boundary")]
    Boundary,
    /// A boundary is followed by something other than a line end.
    #[error("malformed boundary line")]
    BoundaryLine,
    /// The head of a part does not follow the grammar, or has more than 32 fields.
    #[error("malformed head of a part")]
    Head,
    /// The head of a part is too long.
    #[error("head of a part longer than {max} bytes")]
    HeadTooLong {
        /// The limit.
        max: usize,
    },
    /// There are too many parts.
    #[error("more than {max} parts")]
    TooManyParts {
        /// The limit.
        max: usize,
    },
    /// The body ended before its last boundary.
    #[error("the body ended before its last boundary")]
    Truncated,
}

error_debug!(MultipartError);

/// An event of a [`Multipart`] decoder.
#[derive(Debug)]
#[non_exhaustive]
pub enum MultipartEvent<'a> {
    /// A part begins.
    Part(PartHead),
    /// A piece of its data, never empty.
    Data(&'a [u8]),
    /// The part is complete.
    PartEnd,
    /// All parts are complete. The rest is ignored.
    End,
    /// All input is consumed, and the body is not complete.
    Incomplete,
}

/// The head of a part.
#[derive(Clone, Debug, Default)]
pub struct PartHead {
    fields: Fields,
}

impl PartHead {
    /// The name of the form field.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.disposition("name")
    }

    /// The file name that the client has sent. It may contain a path, or worse; never open a file by it.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.disposition("filename")
    }

    /// The content type of the part.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.fields.text("content-type")
    }

    /// The fields of the part.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    fn disposition(&self, name: &str) -> Option<String> {
        let disposition = self.fields.text("content-disposition")?;
        parameter(disposition, name).map(std::borrow::Cow::into_owned)
    }
}

/// Decodes a multipart body incrementally.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::{Multipart, MultipartEvent, MultipartLimits};
///
/// let mut parts = Multipart::new("multipart/form-data; boundary=xyz", MultipartLimits::default())?;
/// let mut input = &b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--xyz--\r\n"[..];
/// let mut data = Vec::new();
/// loop {
///     match parts.decode(&mut input)? {
///         MultipartEvent::Part(head) => assert_eq!(head.name().as_deref(), Some("a")),
///         MultipartEvent::Data(piece) => data.extend_from_slice(piece),
///         MultipartEvent::PartEnd => assert_eq!(data, b"hello"),
///         MultipartEvent::End | MultipartEvent::Incomplete | _ => break,
///     }
/// }
/// parts.finish()?; // no more will come
/// # Ok::<(), sinew_http::codec::MultipartError>(())
/// ```
#[derive(Debug)]
pub struct Multipart {
    limits: MultipartLimits,
    /// CRLF, two dashes and the boundary. It contains CR only at its start, so after a failed match another can only begin there.
    delimiter: Vec<u8>,
    state: State,
    /// Bytes of a delimiter that count as matched and are not data: they were not sent, or belong to something else.
    granted: usize,
    parts: usize,
    head: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the data of a part, or before the first part; the number of bytes of a delimiter that have matched.
    Data {
        matched: usize,
    },
    /// This many matched bytes turned out to be data, and are still to be returned.
    Mismatch {
        matched: usize,
    },
    /// After a delimiter.
    Delimited,
    /// After the first dash of the final delimiter.
    Dash,
    /// In the whitespace after a delimiter.
    Padding,
    /// After the CR of a delimiter's line.
    LineEnd,
    Head,
    Ended,
}

impl Multipart {
    /// A decoder for a body with this content type.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Boundary`].
    pub fn new(content_type: &str, limits: MultipartLimits) -> Result<Self, MultipartError> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is_multipart =
            kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
        let boundary = parameter(content_type, "boundary").filter(|_| is_multipart);
        let boundary = boundary.ok_or(MultipartError::Boundary)?;
        let is_good = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if boundary.is_empty() || boundary.len() > BOUNDARY_MAX || !boundary.bytes().all(is_good) {
            return Err(MultipartError::Boundary);
        }
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The first delimiter may be at the very beginning, without a line end before it.
        let state = State::Data { matched: 2 };
        Ok(Self { limits, delimiter, state, granted: 2, parts: 0, head: Vec::new() })
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`MultipartError`]. After it, the rest of the body cannot be decoded.
    pub fn decode<'a, 'b: 'a>(
        &'a mut self,
        input: &mut &'b [u8],
    ) -> Result<MultipartEvent<'a>, MultipartError> {
        loop {
            match self.state {
                State::Ended => {
                    *input = &[];
                    return Ok(MultipartEvent::End);
                }
                State::Mismatch { matched } => {
                    self.state = State::Data { matched: 0 };
                    let granted = std::mem::take(&mut self.granted);
                    if self.parts > 0 && granted < matched {
                        return Ok(MultipartEvent::Data(&self.delimiter[granted..matched]));
                    }
                }
                State::Data { matched: 0 } if !input.is_empty() => {
                    let len = memchr::memchr(b'\r', input).unwrap_or(input.len());
                    let (data, rest) = input.split_at(len);
                    *input = rest;
                    if let [_, rest @ ..] = rest {
                        *input = rest;
                        self.state = State::Data { matched: 1 };
                    }
                    if self.parts > 0 && !data.is_empty() {
                        return Ok(MultipartEvent::Data(data));
                    }
                }
                _ => {
                    let Some((&byte, rest)) = input.split_first() else {
                        return Ok(MultipartEvent::Incomplete);
                    };
                    if let Some(taken) = self.step(byte)? {
                        *input = rest;
                        match taken {
                            Taken::More => {}
                            Taken::Part(head) => return Ok(MultipartEvent::Part(head)),
                            Taken::PartEnd => return Ok(MultipartEvent::PartEnd),
                        }
                    }
                }
            }
        }
    }

    /// To be called at the end of the body.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Truncated`] if the last boundary is missing.
    pub fn finish(&self) -> Result<(), MultipartError> {
        if self.state == State::Ended { Ok(()) } else { Err(MultipartError::Truncated) }
    }

    /// Consumes a byte; `None` if it has to be processed again in the new state.
    fn step(&mut self, byte: u8) -> Result<Option<Taken>, MultipartError> {
        self.state = match (self.state, byte) {
            (State::Data { matched }, byte) if byte == self.delimiter[matched] => {
                if matched + 1 == self.delimiter.len() {
                    self.granted = 0;
                    self.state = State::Delimited;
                    let is_end = self.parts > 0;
                    return Ok(Some(if is_end { Taken::PartEnd } else { Taken::More }));
                }
                State::Data { matched: matched + 1 }
            }
            (State::Data { matched }, _) => {
                self.state = State::Mismatch { matched };
                return Ok(None);
            }
            (State::Delimited, b'-') => State::Dash,
            (State::Dash, b'-') => State::Ended,
            (State::Delimited | State::Padding, b' ' | b'\t') => State::Padding,
            (State::Delimited | State::Padding, b'\r') => State::LineEnd,
            (State::LineEnd, b'\n') => self.begin_part()?,
            (State::Head, byte) => return self.head_byte(byte).map(Some),
            _ => return Err(MultipartError::BoundaryLine),
        };
        Ok(Some(Taken::More))
    }

    fn begin_part(&mut self) -> Result<State, MultipartError> {
        if self.parts == self.limits.parts_max {
            return Err(MultipartError::TooManyParts { max: self.limits.parts_max });
        }
        self.parts += 1;
        self.head.clear();
        Ok(State::Head)
    }

    fn head_byte(&mut self, byte: u8) -> Result<Taken, MultipartError> {
        if self.head.len() >= self.limits.head_max + 2 {
            return Err(MultipartError::HeadTooLong { max: self.limits.head_max });
        }
        self.head.push(byte);
        let is_over = match self.head.as_slice() {
            b"\r\n" => true,
            head if head.ends_with(b"\r\n\r\n") => true,
            [.., b'\r', b'\n'] => false,
            [.., b'\n'] => return Err(MultipartError::Head),
            _ => false,
        };
        if !is_over {
            return Ok(Taken::More);
        }
        let fields = self.parse_head()?;
        // A part without data has its delimiter directly after its head: the line end of the head is part of the delimiter.
        self.state = State::Data { matched: 2 };
        self.granted = 2;
        Ok(Taken::Part(PartHead { fields }))
    }

    fn parse_head(&mut self) -> Result<Fields, MultipartError> {
        let mut fields = Fields::new();
        let mut places = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let parsed = httparse::parse_headers(&self.head, &mut places);
        let Ok(httparse::Status::Complete((_, parsed))) = parsed else {
            return Err(MultipartError::Head);
        };
        for field in parsed {
            fields.append(field.name, trim(field.value)).map_err(|_| MultipartError::Head)?;
        }
        Ok(fields)
    }
}

/// The effect of a byte.
enum Taken {
    More,
    Part(PartHead),
    PartEnd,
}

#[cfg(test)]
mod tests;
