//! The words of a zone file (RFC 1035, section 5.1): [`Lexer`] splits text into entries, which are lines unless parentheses join them.
//! Knows no directive and no type.

use std::{path::PathBuf, sync::Arc};

use super::{Place, ZoneError, ZoneFault};

/// A word, with its escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// As written, without its quotes.
    pub(super) text: Vec<u8>,
    /// Whether it stood in quotes.
    pub(super) is_quoted: bool,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A line that is not empty, or several that parentheses join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whether it begins with a blank: the record has the name of the one before it.
    pub(super) begins_blank: bool,
    pub(super) tokens: Vec<Token>,
}

/// A position in a text.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
    file: Option<Arc<PathBuf>>,
    entry_len_max: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], file: Option<Arc<PathBuf>>, entry_len_max: usize) -> Self {
        Self { text, at: 0, line: 1, line_start: 0, file, entry_len_max }
    }

    /// The next entry, `None` at the end.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, ZoneError> {
        loop {
            if self.at >= self.text.len() {
                return Ok(None);
            }
            let entry = self.entry()?;
            if !entry.tokens.is_empty() {
                return Ok(Some(entry));
            }
        }
    }

    fn entry(&mut self) -> Result<Entry, ZoneError> {
        let begins = self.at;
        let begins_blank = matches!(self.text[self.at], b' ' | b'\t');
        let mut entry = Entry { begins_blank, tokens: Vec::new() };
        // Where the open parenthesis is.
        let mut open: Option<Place> = None;
        while let Some(&byte) = self.text.get(self.at) {
            if self.at - begins > self.entry_len_max {
                return Err(self.too_long());
            }
            match byte {
                b'\n' => {
                    self.newline();
                    if open.is_none() {
                        return Ok(entry);
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_comment(),
                b'(' if open.is_some() => {
                    return Err(self.unbalanced("a parenthesis is opened inside another"));
                }
                b'(' => {
                    open = Some(self.place());
                    self.at += 1;
                }
                b')' if open.take().is_none() => {
                    return Err(self.unbalanced("a parenthesis is closed that is not open"));
                }
                b')' => self.at += 1,
                b'"' => entry.tokens.push(self.quoted(begins)?),
                _ => entry.tokens.push(self.word(begins)?),
            }
        }
        match open {
            Some(place) => {
                let fault = ZoneFault::Unbalanced("this parenthesis is not closed");
                Err(ZoneError::new(place, fault))
            }
            None => Ok(entry),
        }
    }

    fn quoted(&mut self, entry: usize) -> Result<Token, ZoneError> {
        let (place, begins) = (self.place(), self.at + 1);
        self.at = begins;
        loop {
            if self.at - entry > self.entry_len_max {
                return Err(self.too_long());
            }
            match self.text.get(self.at) {
                None | Some(b'\n') => {
                    let fault = ZoneFault::Unbalanced("this quote is not closed in its line");
                    return Err(ZoneError::new(place, fault));
                }
                Some(b'\\') if self.text.get(self.at + 1).is_some_and(|next| *next != b'\n') => {
                    self.at += 2;
                }
                Some(b'"') => break,
                Some(_) => self.at += 1,
            }
        }
        let text = self.text[begins..self.at].to_vec();
        self.at += 1;
        Ok(Token { text, is_quoted: true, line: place.line, column: place.column })
    }

    fn word(&mut self, entry: usize) -> Result<Token, ZoneError> {
        let (place, begins) = (self.place(), self.at);
        while let Some(&byte) = self.text.get(self.at) {
            if self.at - entry > self.entry_len_max {
                return Err(self.too_long());
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                // A value in quotes behind a key, as in `alpn="h2"`: blanks in it belong to the word.
                b'"' => {
                    self.quoted(entry)?;
                }
                b'\\' if self.text.get(self.at + 1).is_some_and(|next| *next != b'\n') => {
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let text = self.text[begins..self.at].to_vec();
        Ok(Token { text, is_quoted: false, line: place.line, column: place.column })
    }

    fn skip_comment(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| *byte != b'\n') {
            self.at += 1;
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    /// The place of the next byte.
    pub(super) fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, column: self.at - self.line_start + 1 }
    }

    /// The place of a word.
    pub(super) fn place_of(&self, token: &Token) -> Place {
        Place { file: self.file.clone(), line: token.line, column: token.column }
    }

    fn unbalanced(&self, what: &'static str) -> ZoneError {
        ZoneError::new(self.place(), ZoneFault::Unbalanced(what))
    }

    fn too_long(&self) -> ZoneError {
        let fault = ZoneFault::TooMany { what: "bytes in one entry", max: self.entry_len_max };
        ZoneError::new(self.place(), fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<(bool, Vec<String>)>, String> {
        let mut lexer = Lexer::new(text.as_bytes(), None, 100);
        let mut entries = Vec::new();
        while let Some(entry) = lexer.next_entry().map_err(|error| error.to_string())? {
            let word = |token: Token| String::from_utf8_lossy(&token.text).into_owned();
            entries.push((entry.begins_blank, entry.tokens.into_iter().map(word).collect()));
        }
        Ok(entries)
    }

    #[test]
    #[allow(clippy::type_complexity, reason = "a table")]
    fn words() {
        let cases: [(&str, &[(bool, &[&str])]); 7] = [
            ("a b\n", &[(false, &["a", "b"])]),
            ("\n ; nothing\n\ta\r\n", &[(true, &["a"])]),
            ("a ( b ; c\n d ) e\nf", &[(false, &["a", "b", "d", "e"]), (false, &["f"])]),
            ("a \"b c;(\\\"\" d", &[(false, &["a", "b c;(\\\"", "d"])]),
            ("a \\; b", &[(false, &["a", "\\;", "b"])]),
            ("k=\"a b\" c", &[(false, &["k=\"a b\"", "c"])]),
            ("(a\nb)c\n", &[(false, &["a", "b", "c"])]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(blank, words)| (*blank, words.iter().map(ToString::to_string).collect()))
                .collect();
            assert_eq!(entries(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn faults_have_their_place() {
        let cases = [
            ("a\n b \"c\n", "line 2, column 4: this quote is not closed in its line"),
            ("a )", "line 1, column 3: a parenthesis is closed that is not open"),
            ("a (\n(", "line 2, column 1: a parenthesis is opened inside another"),
            ("a (\n\n", "line 1, column 3: this parenthesis is not closed"),
        ];
        for (text, error) in cases {
            assert_eq!(entries(text), Err(error.to_owned()), "{text:?}");
        }
        for long in ["a".repeat(102), "a ".repeat(51), format!("(\n{}", "\n".repeat(102))] {
            let error = entries(&long).expect_err("it is too long");
            assert!(error.ends_with("more than 100 bytes in one entry"), "{error}");
        }
    }
}
