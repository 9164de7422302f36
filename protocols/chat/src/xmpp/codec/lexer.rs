//! Finds the tags and the text in bytes that arrive in pieces: [`Lexer`]. Looks at each byte once, and knows nothing of names.

use super::{XmlError, xml_chars::is_space};

/// A part of XML, without the marks around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What is between `<` and `>`.
    Tag(Vec<u8>),
    Text(Vec<u8>),
    Section(Vec<u8>),
    /// What is between `<?` and `?>`, at the begin of everything.
    Declaration(Vec<u8>),
}

#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    /// What there is of the next piece.
    held: Vec<u8>,
    /// Nothing was received yet.
    is_first: bool,
    /// How many bytes the stanza may still have.
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between tags.
    Text,
    /// Behind `<`; whether that was the first byte of all.
    Open {
        is_first: bool,
    },
    /// In a tag, perhaps in quotation marks.
    Tag {
        quote: Option<u8>,
    },
    /// Behind `<!`.
    Bang,
    Section,
    Declaration,
}

const SECTION: &[u8] = b"[CDATA[";

impl Lexer {
    pub(super) const fn new(budget: usize) -> Self {
        Self { state: State::Text, held: Vec::new(), is_first: true, left: budget }
    }

    /// Begins the budget of the next stanza. What is held belongs to it.
    pub(super) fn renew(&mut self, budget: usize) {
        self.left = budget.saturating_sub(self.held.len());
    }

    /// Whether nothing of a piece has been received.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Text && self.held.is_empty()
    }

    /// The next piece, if all of it has been received; takes what it uses from the data. Between stanzas (`at_rest`) there is only white
    /// space, which costs nothing. `None` with data left: the budget is spent.
    pub(super) fn next(
        &mut self,
        data: &mut &[u8],
        at_rest: bool,
    ) -> Result<Option<Piece>, LexerError> {
        while let Some((&byte, rest)) = data.split_first() {
            let is_first = std::mem::replace(&mut self.is_first, false);
            if self.state == State::Text && at_rest {
                match byte {
                    b'<' => {}
                    byte if is_space(byte) => {
                        *data = rest;
                        continue;
                    }
                    _ => return Err(malformed("text outside of stanzas")),
                }
            }
            if self.left == 0 {
                return Err(LexerError::Budget);
            }
            let piece = match self.state {
                State::Text => self.text(data, is_first),
                State::Tag { quote } => self.tag(data, quote)?,
                _ => {
                    *data = rest;
                    self.left -= 1;
                    self.single(byte, at_rest)?
                }
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
        Ok(None)
    }

    fn text(&mut self, data: &mut &[u8], is_first: bool) -> Option<Piece> {
        let usable = &data[..data.len().min(self.left)];
        let end = memchr::memchr(b'<', usable);
        let len = end.unwrap_or(usable.len());
        self.held.extend_from_slice(&usable[..len]);
        let used = len + usize::from(end.is_some());
        self.left -= used;
        *data = &data[used..];
        end?;
        self.state = State::Open { is_first };
        let text = std::mem::take(&mut self.held);
        (!text.is_empty()).then_some(Piece::Text(text))
    }

    fn tag(
        &mut self,
        data: &mut &[u8],
        mut quote: Option<u8>,
    ) -> Result<Option<Piece>, LexerError> {
        let usable = &data[..data.len().min(self.left)];
        let mut end = None;
        for (at, byte) in usable.iter().enumerate() {
            match (*byte, quote) {
                (b'<', _) => return Err(malformed("`<` in a tag")),
                (byte, Some(open)) if byte == open => quote = None,
                (b'\'' | b'"', None) => quote = Some(*byte),
                (b'>', None) => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let len = end.unwrap_or(usable.len());
        self.held.extend_from_slice(&usable[..len]);
        let used = len + usize::from(end.is_some());
        self.left -= used;
        *data = &data[used..];
        if end.is_none() {
            self.state = State::Tag { quote };
            return Ok(None);
        }
        self.state = State::Text;
        Ok(Some(Piece::Tag(std::mem::take(&mut self.held))))
    }

    /// The states that take byte by byte.
    fn single(&mut self, byte: u8, at_rest: bool) -> Result<Option<Piece>, LexerError> {
        match self.state {
            State::Open { is_first } => match byte {
                b'!' => self.state = State::Bang,
                b'?' if is_first => self.state = State::Declaration,
                b'?' => {
                    let what = "a processing instruction or a second XML declaration";
                    return Err(XmlError::Restricted { what }.into());
                }
                b'<' | b'>' | b'\'' | b'"' => return Err(malformed("an empty tag")),
                _ => {
                    self.held.push(byte);
                    self.state = State::Tag { quote: None };
                }
            },
            State::Bang => {
                if SECTION.get(self.held.len()) != Some(&byte) || at_rest {
                    let what = match (self.held.is_empty(), byte) {
                        (true, b'-') => "a comment",
                        (true, b'D') => "a document type",
                        _ => return Err(malformed("an unknown declaration")),
                    };
                    return Err(XmlError::Restricted { what }.into());
                }
                self.held.push(byte);
                if self.held.len() == SECTION.len() {
                    self.held.clear();
                    self.state = State::Section;
                }
            }
            State::Section => return Ok(self.until(b"]]>", byte).map(Piece::Section)),
            State::Declaration => return Ok(self.until(b"?>", byte).map(Piece::Declaration)),
            State::Text | State::Tag { .. } => {}
        }
        Ok(None)
    }

    fn until(&mut self, end: &[u8], byte: u8) -> Option<Vec<u8>> {
        self.held.push(byte);
        if !self.held.ends_with(end) {
            return None;
        }
        self.state = State::Text;
        self.held.truncate(self.held.len() - end.len());
        Some(std::mem::take(&mut self.held))
    }
}

#[derive(Debug)]
pub(super) enum LexerError {
    /// The stanza is too long.
    Budget,
    Xml(XmlError),
}

impl From<XmlError> for LexerError {
    fn from(error: XmlError) -> Self {
        Self::Xml(error)
    }
}

fn malformed(what: &'static str) -> LexerError {
    XmlError::malformed(what).into()
}
