//! Looks for texts in a text that comes in pieces: [`Needle`], [`TextSearch`], [`PartReader`].

use memchr::memmem::Finder;

use crate::imap::message::{Charset, ContentFields, TextReader, TransferDecoder};

/// A text that is looked for, without regard to case.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self { finder: Finder::new(lowercase(text).as_bytes()).into_owned() }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.is_in_lowercase(lowercase(text).as_bytes())
    }

    fn is_in_lowercase(&self, text: &[u8]) -> bool {
        self.finder.find(text).is_some()
    }

    fn len(&self) -> usize {
        self.finder.needle().len()
    }
}

/// Each character by itself, so that it does not matter where a text is cut.
fn lowercase(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(char::to_lowercase).collect()
    }
}

/// Looks for several texts in one that comes in pieces. Keeps as much of it as the longest of them has.
#[derive(Debug)]
pub(crate) struct TextSearch {
    needles: Vec<Needle>,
    found: Vec<bool>,
    tail: Vec<u8>,
}

impl TextSearch {
    pub(super) fn new(needles: Vec<Needle>) -> Self {
        let found = needles.iter().map(|needle| needle.len() == 0).collect();
        Self { needles, found, tail: Vec::new() }
    }

    /// The next piece of a text.
    pub(crate) fn push(&mut self, text: &str) {
        self.tail.extend_from_slice(lowercase(text).as_bytes());
        let mut kept = 0;
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            *found = *found || needle.is_in_lowercase(&self.tail);
            if !*found {
                kept = kept.max(needle.len() - 1);
            }
        }
        let excess = self.tail.len().saturating_sub(kept);
        self.tail.drain(..excess);
    }

    /// The text has ended, and another one begins.
    pub(crate) fn end_text(&mut self) {
        self.tail = Vec::new();
    }

    /// Whether there is nothing more to find.
    pub(crate) fn is_done(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// Which of the texts were found.
    pub(crate) fn found(&self) -> &[bool] {
        &self.found
    }
}

/// Reads the body of a part: undoes its transfer encoding and its charset, piece by piece.
pub(crate) struct PartReader {
    transfer: TransferDecoder,
    text: TextReader,
    bytes: Vec<u8>,
}

impl PartReader {
    /// `None` if the part has no text, or has it in an encoding that is not known.
    pub(crate) fn new(fields: &ContentFields) -> Option<Self> {
        if !fields.is("text", None) {
            return None;
        }
        let charset =
            fields.parameter("charset").and_then(Charset::named).unwrap_or(Charset::UTF_8);
        let transfer = TransferDecoder::new(fields.encoding.as_deref())?;
        Some(Self { transfer, text: charset.reader(), bytes: Vec::new() })
    }

    /// The next piece of the body, to be searched.
    pub(crate) fn push(&mut self, piece: &[u8], search: &mut TextSearch) {
        self.bytes.clear();
        self.transfer.push(piece, &mut self.bytes);
        let mut text = String::new();
        self.text.push(&self.bytes, &mut text);
        search.push(&text);
    }

    /// The body has ended.
    pub(crate) fn finish(self, search: &mut TextSearch) {
        let (mut bytes, mut text) = (Vec::new(), String::new());
        self.transfer.finish(&mut bytes);
        let mut reader = self.text;
        reader.push(&bytes, &mut text);
        reader.finish(&mut text);
        search.push(&text);
        search.end_text();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(needles: &[&str], pieces: &[&str]) -> Vec<bool> {
        let mut search =
            TextSearch::new(needles.iter().map(|needle| Needle::new(needle)).collect());
        pieces.iter().for_each(|piece| search.push(piece));
        search.found().to_vec()
    }

    #[test]
    fn texts_are_found_across_pieces() {
        let text = "Grüße aus ÖSTERREICH";
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (first, second) = text.split_at(at);
            assert_eq!(
                found(&["österreich", "GRÜSSE", "e a", ""], &[first, second]),
                [true, false, true, true],
                "{at}"
            );
        }
        assert_eq!(found(&["ab"], &["a", "", "b"]), [true]);
        assert!(TextSearch::new(Vec::new()).is_done());
    }

    #[test]
    fn encodings_are_undone() {
        let header = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n";
        let fields = ContentFields::of_header(header, false);
        let mut search = TextSearch::new(vec![Needle::new("\u{fc}ber alles")]);
        let mut reader = PartReader::new(&fields).expect("it is text");
        for piece in [&b"=F"[..], b"Cber al=", b"\r\nles"] {
            reader.push(piece, &mut search);
        }
        reader.finish(&mut search);
        assert!(search.is_done());
        let image = ContentFields::of_header(b"Content-Type: image/png\r\n", false);
        assert!(PartReader::new(&image).is_none());
    }
}
