//! Reads the grammar of IMAP (RFC 9051 9): [`Reader`], which all parsers use. Never recurses.

use bytes::Bytes;

use super::{Content, Dialect, Message, ParseError, literal::number};

/// Deepest nesting of lists that is accepted.
pub(super) const LIST_DEPTH_MAX: usize = 100;

/// A place in a message.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    streamed: &'a [usize],
    pub(super) at: usize,
    pub(super) dialect: Dialect,
    /// Accepts what servers send against the grammar.
    is_lenient: bool,
    /// The message was received up to the announcement of a literal only.
    is_front: bool,
}

pub(super) type Parsed<T> = Result<T, ParseError>;

impl<'a> Reader<'a> {
    pub(super) fn of_command(message: &'a Message, dialect: Dialect) -> Self {
        let (bytes, streamed) = (&message.bytes[..], &message.streamed[..]);
        Self { bytes, streamed, at: 0, dialect, is_lenient: false, is_front: false }
    }

    /// The message ends with the announcement of a literal that has not been received.
    pub(super) fn of_front(mut self) -> Self {
        self.is_front = true;
        self
    }

    pub(super) fn of_response(message: &'a Message, dialect: Dialect) -> Self {
        Self { is_lenient: true, ..Self::of_command(message, dialect) }
    }

    pub(super) fn is_lenient(&self) -> bool {
        self.is_lenient
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn is_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Whether the message was received up to the announcement of a literal only.
    pub(super) fn rest_is_missing(&self) -> bool {
        self.is_front && self.is_end()
    }

    pub(super) fn error<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(ParseError { expected, at: self.at })
    }

    /// Nothing follows; of a server, spaces may.
    pub(super) fn end(&mut self) -> Parsed<()> {
        while self.is_lenient && self.eat(b' ') {}
        if self.is_end() { Ok(()) } else { self.error("the end of the line") }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { self.error(expected) }
    }

    /// One space; of a server, more are accepted.
    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space")?;
        while self.is_lenient && self.eat(b' ') {}
        Ok(())
    }

    /// A space, unless the line ends or a list ends: for what servers may leave out.
    pub(super) fn skip_spaces(&mut self) {
        while self.eat(b' ') {}
    }

    pub(super) fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|byte| !is_part(*byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// The bytes up to the end.
    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.rest();
        self.at = self.bytes.len();
        rest
    }

    /// `atom`, which is not empty.
    pub(super) fn atom(&mut self, expected: &'static str) -> Parsed<&'a [u8]> {
        let atom = self.take_while(is_atom);
        if atom.is_empty() { self.error(expected) } else { Ok(atom) }
    }

    /// A keyword, if it is the next atom, in any case.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        let is_there = self.ahead().eq_ignore_ascii_case(keyword.as_bytes());
        if is_there {
            self.at += keyword.len();
        }
        is_there
    }

    pub(super) fn keyword(&mut self, keyword: &str, expected: &'static str) -> Parsed<()> {
        if self.eat_keyword(keyword) { Ok(()) } else { self.error(expected) }
    }

    /// The next atom, without taking it.
    pub(super) fn ahead(&self) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|byte| !is_atom(*byte)).unwrap_or(rest.len());
        &rest[..len]
    }

    /// A number of at most 63 bits.
    pub(super) fn number64(&mut self) -> Parsed<u64> {
        let at = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        number(digits).ok_or(ParseError { expected: "a number", at })
    }

    pub(super) fn number(&mut self) -> Parsed<u32> {
        let at = self.at;
        let number = self.number64()?;
        number.try_into().map_err(|_| ParseError { expected: "a number of 32 bits", at })
    }

    /// A number that is not 0.
    pub(super) fn nz_number(&mut self) -> Parsed<u32> {
        let at = self.at;
        match self.number()? {
            0 => Err(ParseError { expected: "a number other than 0", at }),
            number => Ok(number),
        }
    }

    /// `string`: quoted, or a literal that is there.
    pub(super) fn string(&mut self) -> Parsed<Bytes> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            // The bytes of a binary literal are no text.
            Some(b'~') => self.error("a string"),
            _ => match self.literal()? {
                Content::Kept(bytes) => Ok(bytes),
                Content::Streamed { .. } => self.error("a shorter literal"),
            },
        }
    }

    /// `astring`.
    pub(super) fn astring(&mut self) -> Parsed<Bytes> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let lenient = self.is_lenient;
                let word = self.take_while(|byte| is_astring(byte) || lenient && byte >= 0x80);
                if word.is_empty() {
                    return self.error("a string");
                }
                Ok(Bytes::copy_from_slice(word))
            }
        }
    }

    /// `nstring`.
    pub(super) fn nstring(&mut self) -> Parsed<Option<Bytes>> {
        if self.eat_keyword("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// `nstring`, whose literal may be streamed.
    pub(super) fn content(&mut self) -> Parsed<Option<Content>> {
        if self.eat_keyword("NIL") {
            return Ok(None);
        }
        match self.peek() {
            Some(b'"') => Ok(Some(Content::Kept(self.quoted()?))),
            _ => self.literal().map(Some),
        }
    }

    fn quoted(&mut self) -> Parsed<Bytes> {
        self.expect(b'"', "a quoted string")?;
        let start = self.at;
        let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n'));
        if self.eat(b'"') {
            return self.checked_quoted(plain, start).map(Bytes::copy_from_slice);
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(byte @ (b'"' | b'\\')) => text.push(byte),
                        Some(byte) if self.is_lenient && !matches!(byte, b'\r' | b'\n') => {
                            text.extend_from_slice(&[b'\\', byte]);
                        }
                        _ => return self.error("a quote or a backslash"),
                    }
                    self.at += 1;
                }
                Some(b'\r' | b'\n') | None => return self.error("the end of a quoted string"),
                Some(_) => {
                    let plain =
                        self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n'));
                    text.extend_from_slice(plain);
                }
            }
        }
        self.at += 1;
        self.checked_quoted(&text, start)?;
        Ok(text.into())
    }

    /// Quoted strings of clients are ASCII, or UTF-8 (RFC 6855, RFC 9051).
    fn checked_quoted<'b>(&self, text: &'b [u8], at: usize) -> Parsed<&'b [u8]> {
        let is_good = self.is_lenient || str::from_utf8(text).is_ok();
        is_good.then_some(text).ok_or(ParseError { expected: "a quoted string of UTF-8", at })
    }

    /// `literal` or `literal8`. One whose bytes are not there was streamed, or the message has been received up to here.
    pub(super) fn literal(&mut self) -> Parsed<Content> {
        let start = self.at;
        let is_binary = self.eat(b'~');
        self.expect(b'{', "a string")?;
        let len = self.number64()?;
        self.eat(b'+');
        self.expect(b'}', "the length of a literal")?;
        self.expect(b'\r', "the line end of a literal")?;
        self.expect(b'\n', "the line end of a literal")?;
        if self.streamed.binary_search(&self.at).is_ok() || self.rest_is_missing() {
            return Ok(Content::Streamed { len });
        }
        let bytes = usize::try_from(len).ok().and_then(|len| self.rest().get(..len));
        let Some(bytes) = bytes else { return self.error("the bytes of a literal") };
        if !is_binary && !self.is_lenient && bytes.contains(&0) {
            return Err(ParseError { expected: "a literal without a NUL", at: start });
        }
        self.at += bytes.len();
        Ok(Content::Kept(Bytes::copy_from_slice(bytes)))
    }

    /// Elements in parentheses with a space between them.
    pub(super) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "a list")?;
        let mut elements = Vec::new();
        if self.is_lenient {
            self.skip_spaces();
        }
        if self.eat(b')') {
            return Ok(elements);
        }
        loop {
            elements.push(element(self)?);
            if self.eat(b')') {
                return Ok(elements);
            }
            self.space()?;
            if self.is_lenient && self.eat(b')') {
                return Ok(elements);
            }
        }
    }

    /// The same, or one element without parentheses.
    pub(super) fn one_or_list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        if self.peek() == Some(b'(') { self.list(element) } else { Ok(vec![element(self)?]) }
    }

    /// Skips a value of a kind that is not known: atoms, strings, numbers, and lists of them, of bounded depth.
    pub(super) fn skip_value(&mut self) -> Parsed<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'(') if depth == LIST_DEPTH_MAX => return self.error("fewer nested lists"),
                Some(b'(') => {
                    self.at += 1;
                    depth += 1;
                    self.skip_spaces();
                    continue;
                }
                Some(b')') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                Some(b'"') => drop(self.quoted()?),
                Some(b'{' | b'~') => drop(self.literal()?),
                _ => {
                    let word = self.take_while(|byte| {
                        !matches!(byte, b' ' | b'(' | b')' | b'"' | b'\r' | b'\n')
                    });
                    if word.is_empty() {
                        return self.error("a value");
                    }
                }
            }
            if depth == 0 {
                return Ok(());
            }
            self.skip_spaces();
        }
    }
}

/// `ATOM-CHAR`.
pub(super) fn is_atom(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`.
pub(super) fn is_astring(byte: u8) -> bool {
    is_atom(byte) || byte == b']'
}
