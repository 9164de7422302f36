//! Dot-stuffing encoder, the counterpart of [`DotStuffed`](super::DotStuffed): [`DotStuffing`]. Pure: passes slices
//! of the text to a callback.

use memchr::memchr2;

use crate::basic::EncodeError;

/// Encodes text that ends with a line of a single dot; a line that starts with a dot gets another one in front (RFC
/// 5321 4.5.2).
///
/// Lines must end in CRLF. A bare CR or LF is rejected or replaced by CRLF, since a peer may treat it as the end of a
/// line, and a dot after it as the end of the text; [`keeping_bare_crs`](Self::keeping_bare_crs) sends those CRs that
/// have no dot after them.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{DotStuffing, EncodeError};
/// use sinew_transports::Transport;
///
/// let (transport, wire) = Transport::memory();
/// let mut text = DotStuffing::normalizing();
/// let mut write = |piece: &[u8]| {
///     transport.write(piece);
/// };
/// text.encode(b"one\n.two", &mut write)?; // in pieces of any size
/// text.finish(write)?;
/// assert_eq!(wire.sent(), b"one\r\n..two\r\n.\r\n");
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct DotStuffing {
    bare: Bare,
    state: State,
}

/// What becomes of a bare CR or LF.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Bare {
    #[default]
    Rejected,
    /// It is sent as CRLF.
    Fixed,
    /// An LF is sent as CRLF, and so is a CR in front of a dot. Another CR stays.
    CrsKept,
}

/// The last output written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The end of a line, or nothing yet.
    #[default]
    LineStart,
    /// Text inside a line.
    Text,
    /// A CR.
    Cr,
}

impl DotStuffing {
    /// A bare CR or LF is an error.
    #[must_use]
    pub const fn strict() -> Self {
        Self { bare: Bare::Rejected, state: State::LineStart }
    }

    /// A bare CR or LF is sent as CRLF.
    #[must_use]
    pub const fn normalizing() -> Self {
        Self { bare: Bare::Fixed, state: State::LineStart }
    }

    /// A bare LF is sent as CRLF, a bare CR as it is, so that a text is as long for the peer as its owner has counted it.
    /// But a CR in front of a dot is sent as CRLF: a peer for which it ends a line must not take the dot for the end.
    #[must_use]
    pub const fn keeping_bare_crs() -> Self {
        Self { bare: Bare::CrsKept, state: State::LineStart }
    }

    /// Encodes the next piece of the text: calls `write` with slices of it and with the bytes to insert.
    ///
    /// # Errors
    ///
    /// [`EncodeError::BareLineEnd`] at a bare CR or LF, if this is [`strict`](Self::strict). The text before it has been
    /// passed to `write`, so a caller that has already sent it must end the connection.
    pub fn encode(&mut self, text: &[u8], mut write: impl FnMut(&[u8])) -> Result<(), EncodeError> {
        let mut rest = text;
        while let Some(&first) = rest.first() {
            match (self.state, first) {
                (State::LineStart, b'.') => write(b"."),
                (State::Cr, b'\n') => {
                    rest = self.write_lf(rest, &mut write);
                    continue;
                }
                (State::Cr, first) if self.bare != Bare::CrsKept || first == b'.' => {
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
                Some(_) if self.bare != Bare::Rejected => {
                    write(b"\r");
                    rest = self.write_lf(rest, &mut write);
                }
                Some(_) => return Err(EncodeError::BareLineEnd { found: b'\n' }),
                None => {}
            }
        }
        Ok(())
    }

    /// Ends the text: terminates the last line if necessary and writes the line with the dot. Another text may
    /// follow.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode), if the text ends in a bare CR.
    pub fn finish(&mut self, mut write: impl FnMut(&[u8])) -> Result<(), EncodeError> {
        if self.state == State::Cr && self.bare != Bare::CrsKept {
            self.end_cr(&mut write)?;
        }
        let end: &[u8] = if self.state == State::LineStart { b".\r\n" } else { b"\r\n.\r\n" };
        write(end);
        self.state = State::LineStart;
        Ok(())
    }

    /// Writes the LF at the front of `rest`.
    fn write_lf<'a>(&mut self, rest: &'a [u8], write: &mut impl FnMut(&[u8])) -> &'a [u8] {
        write(b"\n");
        self.state = State::LineStart;
        &rest[1..]
    }

    /// Handles a CR that is not followed by an LF.
    fn end_cr(&mut self, write: &mut impl FnMut(&[u8])) -> Result<(), EncodeError> {
        if self.bare == Bare::Rejected {
            return Err(EncodeError::BareLineEnd { found: b'\r' });
        }
        write(b"\n");
        self.state = State::LineStart;
        Ok(())
    }
}
