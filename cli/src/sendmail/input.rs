//! Standard input as lines: [`Input`]. CR, LF and CRLF end lines, whatever is in the message, so that nothing can be a line for others that is
//! none here. Knows nothing of headers.

use std::io::{self, BufRead};

/// A message as it is read.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    ends_at_dot: bool,
    /// How many bytes may still come.
    left: u64,
    max: u64,
    /// The last byte was a CR: a LF belongs to it.
    is_after_cr: bool,
    is_over: bool,
}

/// A message could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("standard input: {0}")]
    Io(#[from] io::Error),
    #[error("the message has more than {0} bytes: see --max-size")]
    TooLong(u64),
    #[error("a line of the header, or all of it, has more than {0} bytes")]
    LongHeader(usize),
}

impl<R: BufRead> Input<R> {
    /// At most so many bytes. If `ends_at_dot`, a line that is a dot ends the message.
    pub(super) fn new(reader: R, ends_at_dot: bool, max: u64) -> Self {
        Self { reader, ends_at_dot, left: max, max, is_after_cr: false, is_over: false }
    }

    /// The next line without its end, of at most so many bytes; `None` behind the last.
    pub(super) fn line(&mut self, max: usize) -> Result<Option<Vec<u8>>, InputError> {
        let (mut line, mut is_whole) = (Vec::new(), false);
        self.pieces(|piece| {
            match piece {
                Some(text) => line.extend_from_slice(text),
                None => is_whole = true,
            }
            Ok(piece.is_some() && line.len() <= max)
        })?;
        match () {
            () if line.len() > max => Err(InputError::LongHeader(max)),
            () if self.ends_at_dot && line == b"." => {
                self.is_over = true;
                Ok(None)
            }
            () => Ok((is_whole || !line.is_empty()).then_some(line)),
        }
    }

    /// The rest, in pieces, with CRLF behind each line.
    pub(super) fn rest(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), InputError> {
        // Whether the line has begun, and whether all of it is a dot that is not written yet.
        let (mut is_inside, mut is_dot, ends_at_dot) = (false, false, self.ends_at_dot);
        let mut is_over = false;
        self.pieces(|piece| {
            let Some(text) = piece else {
                if std::mem::take(&mut is_dot) {
                    is_over = true;
                    return Ok(false);
                }
                is_inside = false;
                return write(b"\r\n").map(|()| true);
            };
            if std::mem::take(&mut is_dot) {
                write(b".")?;
            }
            if ends_at_dot && !is_inside && text == b"." {
                is_dot = true;
            } else {
                write(text)?;
            }
            is_inside = true;
            Ok(true)
        })?;
        self.is_over |= is_over;
        // The last line has no end.
        match is_inside && !is_over && !(is_dot && ends_at_dot) {
            true => Ok(write(b"\r\n")?),
            false => Ok(()),
        }
    }

    /// Gives text without line ends, and `None` for each line end, as long as it is wanted.
    fn pieces(
        &mut self,
        mut take: impl FnMut(Option<&[u8]>) -> io::Result<bool>,
    ) -> Result<(), InputError> {
        while !self.is_over {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let Some(&first) = buffer.first() else { break };
            let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let (used, wants_more) = match first {
                b'\n' if std::mem::take(&mut self.is_after_cr) => (1, true),
                b'\r' | b'\n' => {
                    self.is_after_cr = first == b'\r';
                    (1, take(None)?)
                }
                _ => {
                    self.is_after_cr = false;
                    let len = buffer.iter().position(is_end).unwrap_or(buffer.len());
                    (len, take(Some(&buffer[..len]))?)
                }
            };
            self.reader.consume(used);
            let left = self.left.checked_sub(used as u64);
            self.left = left.ok_or(InputError::TooLong(self.max))?;
            if !wants_more {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn rest(text: &str, piece: usize, ends_at_dot: bool) -> String {
        let reader = BufReader::with_capacity(piece, text.as_bytes());
        let (mut input, mut out) = (Input::new(reader, ends_at_dot, 1000), Vec::new());
        let write = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        input.rest(write).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn line_ends_become_crlf_in_any_pieces() {
        for (text, expected) in [
            ("", ""),
            ("a", "a\r\n"),
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\rb\r", "a\r\nb\r\n"),
            ("\n\n", "\r\n\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n"),
            ("..\n.a\n", "..\r\n.a\r\n"),
        ] {
            for piece in 1..8 {
                assert_eq!(rest(text, piece, false), expected, "{text:?} {piece}");
                assert_eq!(rest(text, piece, true), expected, "{text:?} {piece}");
            }
        }
    }

    #[test]
    fn a_dot_ends_the_message_if_it_may() {
        for text in ["a\n.\nb\n", "a\r\n.\r\nb", "a\r.\rb", "a\n."] {
            for piece in 1..8 {
                assert_eq!(rest(text, piece, true), "a\r\n", "{text:?} {piece}");
                let all = rest(text, piece, false);
                assert!(all.starts_with("a\r\n.\r\n"), "{text:?} {piece}: {all:?}");
            }
        }
    }

    #[test]
    fn lines_and_limits() {
        let mut input = Input::new(&b"a\n\nbc\r\nlong\n"[..], true, 11);
        assert_eq!(input.line(3).unwrap().unwrap(), b"a");
        assert_eq!(input.line(3).unwrap().unwrap(), b"");
        assert_eq!(input.line(3).unwrap().unwrap(), b"bc");
        assert!(matches!(input.line(3), Err(InputError::LongHeader(3))));
        let mut input = Input::new(&b"12345\n"[..], true, 5);
        assert!(matches!(input.line(9), Err(InputError::TooLong(5))));
        let mut input = Input::new(&b".\nb\n"[..], true, 99);
        assert!(input.line(9).unwrap().is_none() && input.line(9).unwrap().is_none());
    }
}
