//! Writes the grammar of IMAP (RFC 9051 9): [`Writer`], which all encoders use, and [`Encoded`], what comes of it.

use std::fmt;

use super::{Content, Dialect, EncodeError, Message, reader::is_astring};

/// Longest quoted string; a longer one becomes a literal, so that lines stay short.
const QUOTED_MAX: usize = 1_000;

/// A command or a response as it is sent, with the places where something else has to happen first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    pauses: Vec<Pause>,
}

/// A place in what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pause {
    /// The client waits for `+` before it sends what is behind this place.
    Continuation {
        /// Bytes before it.
        at: usize,
    },
    /// The bytes of a [streamed](Content::Streamed) literal come here.
    Content {
        /// Bytes before it.
        at: usize,
        /// How many bytes come.
        len: u64,
    },
}

impl Encoded {
    /// All bytes that are there.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where something else happens, in order. At one place, the client waits first.
    #[must_use]
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// What a peer has received when all was sent, with the literals that are there kept: for tests of both directions.
    #[must_use]
    pub fn message(&self) -> Message {
        let contents = self.pauses.iter().filter_map(|pause| match pause {
            Pause::Content { at, .. } => Some(*at),
            Pause::Continuation { .. } => None,
        });
        let bytes = self.bytes.strip_suffix(b"\r\n").unwrap_or(&self.bytes).to_vec();
        Message { bytes, streamed: contents.collect() }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a password.
        f.debug_struct("Encoded")
            .field("len", &self.bytes.len())
            .field("pauses", &self.pauses)
            .finish()
    }
}

pub(super) struct Writer {
    encoded: Encoded,
    pub(super) dialect: Dialect,
    is_client: bool,
    error: Option<EncodeError>,
}

impl Writer {
    pub(super) fn of_command(dialect: Dialect) -> Self {
        Self { encoded: Encoded::default(), dialect, is_client: true, error: None }
    }

    pub(super) fn of_response(dialect: Dialect) -> Self {
        Self { is_client: false, ..Self::of_command(dialect) }
    }

    /// Ends the line.
    pub(super) fn finish(mut self) -> Result<Encoded, EncodeError> {
        self.raw("\r\n");
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.encoded),
        }
    }

    /// Remembers the first error; what is written after it does not matter.
    pub(super) fn fail(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }

    /// Text that is right by the way it was made.
    pub(super) fn raw(&mut self, text: impl AsRef<[u8]>) {
        self.encoded.bytes.extend_from_slice(text.as_ref());
    }

    pub(super) fn space(&mut self) {
        self.raw(" ");
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) {
        self.raw(number.into().to_string());
    }

    /// `astring`: an atom if it can be one, else a string.
    pub(super) fn astring(&mut self, value: &[u8]) {
        let is_atom =
            (1..=QUOTED_MAX).contains(&value.len()) && value.iter().all(|byte| is_astring(*byte));
        // A client of no care could take it for nothing.
        if is_atom && !value.eq_ignore_ascii_case(b"NIL") {
            self.raw(value);
        } else {
            self.string(value);
        }
    }

    /// `string`: quoted if it can be, else a literal.
    pub(super) fn string(&mut self, value: &[u8]) {
        let is_text = value.iter().all(|byte| !matches!(byte, 0 | b'\r' | b'\n'));
        let is_in_charset =
            value.is_ascii() || (self.dialect.is_utf8() && str::from_utf8(value).is_ok());
        if !is_text || !is_in_charset || value.len() > QUOTED_MAX {
            return self.literal(value);
        }
        self.raw("\"");
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                self.raw("\\");
            }
            self.raw([*byte]);
        }
        self.raw("\"");
    }

    pub(super) fn nstring(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.string(value),
            None => self.raw("NIL"),
        }
    }

    /// `nstring` of bytes that may come from elsewhere.
    pub(super) fn content(&mut self, content: Option<&Content>) {
        match content {
            None => self.raw("NIL"),
            Some(Content::Kept(bytes)) => self.literal(bytes),
            Some(Content::Streamed { len }) => self.streamed_or_kept(*len, None, false),
        }
    }

    /// A literal, in the binary form if it has a NUL.
    pub(super) fn literal(&mut self, value: &[u8]) {
        self.announce(value.len() as u64, value.contains(&0));
        self.raw(value);
    }

    /// A literal of this form, whose bytes are here or come from elsewhere.
    pub(super) fn streamed_or_kept(&mut self, len: u64, bytes: Option<&[u8]>, is_binary: bool) {
        self.announce(len, is_binary);
        match bytes {
            Some(bytes) => self.raw(bytes),
            None if len > 0 => {
                let at = self.encoded.bytes.len();
                self.encoded.pauses.push(Pause::Content { at, len });
            }
            None => {}
        }
    }

    fn announce(&mut self, len: u64, is_binary: bool) {
        if is_binary {
            self.raw("~");
        }
        let is_waiting = self.is_client && !self.dialect.literal_mode().allow(len);
        let plus = if self.is_client && !is_waiting { "+" } else { "" };
        self.raw(format!("{{{len}{plus}}}\r\n"));
        if is_waiting {
            let at = self.encoded.bytes.len();
            self.encoded.pauses.push(Pause::Continuation { at });
        }
    }

    /// Elements in parentheses.
    pub(super) fn list<T>(
        &mut self,
        elements: impl IntoIterator<Item = T>,
        element: impl FnMut(&mut Self, T),
    ) {
        self.raw("(");
        self.separated(elements, element);
        self.raw(")");
    }

    /// Elements with a space between them.
    pub(super) fn separated<T>(
        &mut self,
        elements: impl IntoIterator<Item = T>,
        mut element: impl FnMut(&mut Self, T),
    ) {
        for (at, value) in elements.into_iter().enumerate() {
            if at > 0 {
                self.space();
            }
            element(self, value);
        }
    }

    /// The same, and an error if there is none.
    pub(super) fn list_of_some<T>(
        &mut self,
        what: &'static str,
        elements: &[T],
        mut element: impl FnMut(&mut Self, &T),
    ) {
        if elements.is_empty() {
            self.fail(EncodeError::Empty { what });
        }
        self.list(elements, |writer, value| element(writer, value));
    }
}
