//! Text to be read by a [`DotStuffed`](super::DotStuffed): [`DotStuffing`]. Pure: hands slices of the text to whoever writes them.

use memchr::memchr2;

use crate::basic::EncodeError;

/// Writes text that ends in a line with a single dot; a line that begins with a dot gets another in front (RFC 5321 4.5.2).
///
/// Lines are to end in CRLF. What stands for a line end elsewhere, a CR or an LF alone, is refused or mended; it is never sent, for a
/// peer may take it for the end of a line, and the dot behind it for the end of the text.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{DotStuffing, EncodeError};
/// use sinew_transports::Transport;
///
/// let (transport, wire) = Transport::memory();
/// let mut text = DotStuffing::mending();
/// let mut write = |piece: &[u8]| {
///     transport.write(piece);
/// };
/// text.encode(b"one\n.two", &mut write)?; // piece by piece, as it comes
/// text.finish(write)?;
/// assert_eq!(wire.sent(), b"one\r\n..two\r\n.\r\n");
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct DotStuffing {
    mends: bool,
    state: State,
}

/// What was written last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The end of a line, or nothing at all.
    #[default]
    LineStart,
    /// Text in a line.
    Text,
    /// A CR.
    Cr,
}

impl DotStuffing {
    /// A CR or an LF alone is an error.
    #[must_use]
    pub const fn strict() -> Self {
        Self { mends: false, state: State::LineStart }
    }

    /// A CR or an LF alone is sent as CRLF.
    #[must_use]
    pub const fn mending() -> Self {
        Self { mends: true, state: State::LineStart }
    }

    /// Hands the next piece of the text to `write`, with what has to be put in between, in slices of what is given.
    ///
    /// # Errors
    ///
    /// [`EncodeError::BareLineEnd`] at a CR or an LF that stands alone, unless it is mended. What stands before it has been handed
    /// over, so whoever writes as this goes on has to end the connection.
    pub fn encode(&mut self, text: &[u8], mut write: impl FnMut(&[u8])) -> Result<(), EncodeError> {
        let mut rest = text;
        while let Some(&first) = rest.first() {
            match (self.state, first) {
                (State::LineStart, b'.') => write(b"."),
                (State::Cr, b'\n') => {
                    rest = self.pass(rest, &mut write);
                    continue;
                }
                (State::Cr, _) => {
                    self.end_cr(&mut write)?;
                    continue;
                }
                _ => {}
            }
            let len = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            if len > 0 {
                write(&rest[..len]);
                self.state = State::Text;
                rest = &rest[len..];
            }
            match rest.first() {
                Some(b'\r') => {
                    write(b"\r");
                    self.state = State::Cr;
                    rest = &rest[1..];
                }
                Some(_) if self.mends => {
                    write(b"\r");
                    rest = self.pass(rest, &mut write);
                }
                Some(_) => return Err(EncodeError::BareLineEnd { found: b'\n' }),
                None => {}
            }
        }
        Ok(())
    }

    /// Ends the text: its last line, if that is not ended, and the line with the dot. Another may begin.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode) if the text ends in a CR.
    pub fn finish(&mut self, mut write: impl FnMut(&[u8])) -> Result<(), EncodeError> {
        if self.state == State::Cr {
            self.end_cr(&mut write)?;
        }
        let end: &[u8] = if self.state == State::Text { b"\r\n.\r\n" } else { b".\r\n" };
        write(end);
        self.state = State::LineStart;
        Ok(())
    }

    /// Writes the LF in front.
    fn pass<'a>(&mut self, rest: &'a [u8], write: &mut impl FnMut(&[u8])) -> &'a [u8] {
        write(b"\n");
        self.state = State::LineStart;
        &rest[1..]
    }

    /// What follows the CR is no LF.
    fn end_cr(&mut self, write: &mut impl FnMut(&[u8])) -> Result<(), EncodeError> {
        if !self.mends {
            return Err(EncodeError::BareLineEnd { found: b'\r' });
        }
        write(b"\n");
        self.state = State::LineStart;
        Ok(())
    }
}
