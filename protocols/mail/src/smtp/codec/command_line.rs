//! Lines of commands, as a server reads them: [`CommandLine`]. Pure: keeps no buffer.

use sinew_protocols::basic::{Decoded, Decoder, FrameError, Line};

/// Lines that end in CRLF, where one that is too long is not the end of the connection.
///
/// Such a line is returned as a frame of one byte more than a line may have, as soon as that byte is there. The rest of it
/// comes next: the caller skips it, as raw bytes, with [`skip`](Self::skip). A bare CR or LF is an error.
#[derive(Debug)]
pub struct CommandLine {
    line: Line,
    len_max: usize,
    /// Bytes of the unfinished line.
    received: usize,
}

impl CommandLine {
    /// Lines of at most so many bytes, without the CRLF.
    #[must_use]
    pub fn new(len_max: usize) -> Self {
        Self { line: Line::strict_crlf().len_max(len_max), len_max, received: 0 }
    }

    /// Whether a frame is the front of a line that is too long.
    #[must_use]
    pub fn is_too_long(&self, frame: &[u8]) -> bool {
        frame.len() > self.len_max
    }

    /// What finds the end of a line that is too long.
    #[must_use]
    pub fn skip() -> Line {
        Line::strict_crlf().len_max(usize::MAX)
    }
}

impl Decoder for CommandLine {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        match self.line.decode(input) {
            Ok(Decoded::Incomplete) => {
                self.received += input.len();
                Ok(Decoded::Incomplete)
            }
            Ok(frame) => {
                self.received = 0;
                Ok(frame)
            }
            Err(FrameError::LineTooLong { .. }) => {
                // A CR may have been received where the line could have ended.
                let consumed =
                    (self.len_max + 1).saturating_sub(self.received).clamp(1, input.len());
                let len = (self.received + consumed).max(self.len_max + 1);
                self.reset();
                Ok(Decoded::Frame { consumed, payload: 0..len })
            }
            Err(error) => Err(error),
        }
    }

    fn reset(&mut self) {
        self.received = 0;
        self.line.reset();
    }
}

#[cfg(test)]
mod tests {
    use sinew_protocols::basic::Frames;

    use super::*;

    /// The frames of a stream, which is fed in pieces of this length.
    fn frames(len_max: usize, stream: &[u8], piece: usize) -> Vec<Result<Vec<u8>, FrameError>> {
        let mut lines = Frames::new(CommandLine::new(len_max));
        let mut found = Vec::new();
        for mut piece in stream.chunks(piece) {
            loop {
                match lines.next(&mut piece) {
                    Ok(Some(line)) => found.push(Ok(line.to_vec())),
                    Ok(None) => break,
                    Err(error) => {
                        found.push(Err(error));
                        return found;
                    }
                }
            }
        }
        found
    }

    #[test]
    fn a_line_that_is_too_long_is_known_by_its_length_however_it_arrives() {
        for piece in 1..12 {
            let found = frames(4, b"abcd\r\nabcdefgh\r\n", piece);
            assert_eq!(
                found[..2],
                [Ok(b"abcd".to_vec()), Ok(b"abcde".to_vec())],
                "pieces of {piece}"
            );
        }
        for piece in 1..9 {
            assert_eq!(
                frames(4, b"NOOP\nQUIT\r\n", piece),
                [Err(FrameError::BareLineEnd { found: b'\n' })]
            );
            assert_eq!(
                frames(4, b"NOOP\rQUIT\r\n", piece),
                [Err(FrameError::BareLineEnd { found: b'\r' })]
            );
        }
    }
}
