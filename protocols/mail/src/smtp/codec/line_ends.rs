//! Line ends in chunks of BDAT: [`LineEnds`]. Pure.

use memchr::memchr2;

/// Finds a bare CR or LF in text that arrives in pieces, split anywhere.
///
/// A message that was received by BDAT may be sent on by DATA, where a bare LF could end it for the next server (SMTP smuggling).
#[derive(Clone, Copy, Debug, Default)]
pub struct LineEnds {
    is_after_cr: bool,
}

impl LineEnds {
    /// Takes the next piece, and returns whether all line ends in it are CRLF.
    #[must_use]
    pub fn are_whole(&mut self, mut piece: &[u8]) -> bool {
        loop {
            match piece.split_first() {
                None => return true,
                Some((b'\n', rest)) if self.is_after_cr => piece = rest,
                Some(_) if self.is_after_cr => return false,
                Some(_) => {}
            }
            self.is_after_cr = false;
            match memchr2(b'\r', b'\n', piece) {
                None => return true,
                Some(at) if piece[at] == b'\n' => return false,
                Some(at) => {
                    self.is_after_cr = true;
                    piece = &piece[at + 1..];
                }
            }
        }
    }

    /// Whether the text may end here: not behind a CR.
    #[must_use]
    pub fn may_end(&self) -> bool {
        !self.is_after_cr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_ends_are_found_however_the_text_is_split() {
        for (text, is_whole) in [
            (&b"one\r\ntwo\r\n"[..], true),
            (b"", true),
            (b"one", true),
            (b"\r\n\r\n", true),
            (b"one\ntwo", false),
            (b"one\rtwo", false),
            (b"one\r\r\n", false),
            (b"\n", false),
            (b"\r", false),
            (b"one\r\n\n", false),
        ] {
            for piece in 1..=text.len().max(1) {
                let mut ends = LineEnds::default();
                let found = text.chunks(piece).all(|piece| ends.are_whole(piece)) && ends.may_end();
                assert_eq!(found, is_whole, "{} in pieces of {piece}", text.escape_ascii());
            }
        }
    }
}
