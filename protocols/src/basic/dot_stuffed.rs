//! Dot-stuffed text, terminated by a line with a single dot, as in SMTP, POP3 and NNTP: decoded by [`DotStuffed`],
//! encoded by [`DotStuffing`]. Pure: knows no transport and keeps no buffer.

mod stuffing;
#[cfg(test)]
mod tests;

pub use stuffing::DotStuffing;

use memchr::{memchr, memchr2};

use super::FrameError;

/// Decodes text that ends with a line of a single dot, and removes the extra dot from lines that start with one (RFC
/// 5321 4.5.2, RFC 3977 3.1.1).
///
/// It receives the stream in pieces, split anywhere, and returns the text piece by piece, borrowed from the input. It
/// keeps a few bits of state and no bytes. The caller limits the length of the text: a server has to read an overlong
/// text to its end anyway.
///
/// What terminates a text matters for security. If two servers disagree about it, one of them takes as commands what
/// the other takes as message text (SMTP smuggling). So [`strict`](Self::strict) is the default: only `CRLF . CRLF`
/// ends the text, and a bare CR or LF is an error.
///
/// # Examples
///
/// In raw mode of a [`LineHandler`](super::LineHandler), between lines:
///
/// ```
/// use sinew_protocols::basic::{DotStuffed, LineHandler, LineReceiver, LineTransport, Unstuffed};
///
/// #[derive(Default)]
/// struct Mail {
///     text: DotStuffed,
///     message: Vec<u8>,
/// }
///
/// impl LineHandler for Mail {
///     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
///         if line == b"DATA" {
///             transport.write(b"354 go on\r\n");
///             transport.set_raw_mode();
///         }
///     }
///
///     fn raw_received(&mut self, transport: &mut LineTransport<'_>, mut data: &[u8]) {
///         loop {
///             match self.text.decode(&mut data) {
///                 Ok(Unstuffed::Text(text)) => self.message.extend_from_slice(text),
///                 Ok(Unstuffed::Incomplete) => return,
///                 Ok(Unstuffed::End) => {
///                     transport.write(b"250 kept\r\n");
///                     return transport.set_line_mode(data);
///                 }
///                 Err(error) => return transport.fail(error),
///             }
///         }
///     }
/// }
///
/// # use sinew_transports::{Protocol, Transport};
/// let (transport, wire) = Transport::memory();
/// let mut mail = LineReceiver::new(Mail::default());
/// mail.data_received(&transport, b"DATA\r\none\r\n..two\r\n.\r\nQUIT\r\n");
/// assert_eq!(mail.handler().message, b"one\r\n.two\r\n");
/// # drop(wire);
/// ```
#[derive(Debug, Clone, Default)]
pub struct DotStuffed {
    is_lenient: bool,
    state: State,
}

/// The last input seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The end of a line, or nothing yet.
    #[default]
    LineStart,
    /// Text inside a line.
    Text,
    /// A CR, already returned as text.
    Cr,
    /// A dot at the start of a line.
    Dot,
    /// A dot at the start of a line, followed by a CR.
    DotCr,
}

/// One step of [`DotStuffed::decode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it holds a piece of the text"]
pub enum Unstuffed<'a> {
    /// The next piece of the text, line ends included; not empty. There may be more in the input.
    Text(&'a [u8]),
    /// The text has ended. The remaining input comes after it.
    End,
    /// The input is used up, and the text continues.
    Incomplete,
}

impl DotStuffed {
    /// For servers, and for clients of conforming servers: only `CRLF . CRLF` ends the text, and a bare CR or LF is
    /// an error.
    #[must_use]
    pub const fn strict() -> Self {
        Self { is_lenient: false, state: State::LineStart }
    }

    /// For clients of old servers that end some lines in a bare LF: an LF ends a line like CRLF does, including the
    /// line with the single dot, and a bare CR is text. Never use it in a server: text chosen by a peer could then
    /// end the message.
    pub const fn lenient() -> Self {
        Self { is_lenient: true, state: State::LineStart }
    }

    /// Decodes the next step from the front of `input`, which continues the input of the previous call. After the
    /// end, the next text may begin.
    ///
    /// # Errors
    ///
    /// [`FrameError::BareLineEnd`] at a bare CR or LF; the text before it has been returned. The error is final: the
    /// end of the text is no longer known, so the rest of the input must not be interpreted.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Unstuffed<'a>, FrameError> {
        while let Some(&byte) = input.first() {
            match (self.state, byte) {
                (State::LineStart, b'.') => self.skip(input, State::Dot),
                (State::Dot, b'\r') => self.skip(input, State::DotCr),
                (State::Dot, b'\n') if self.is_lenient => {
                    self.skip(input, State::LineStart);
                    return Ok(Unstuffed::End);
                }
                (State::DotCr, b'\n') => {
                    self.skip(input, State::LineStart);
                    return Ok(Unstuffed::End);
                }
                (State::DotCr | State::Cr, found) if !self.is_lenient && found != b'\n' => {
                    return Err(FrameError::BareLineEnd { found: b'\r' });
                }
                (State::DotCr, _) => {
                    // The dot is removed, and the CR was text.
                    self.state = State::Text;
                    return Ok(Unstuffed::Text(b"\r"));
                }
                (State::LineStart | State::Text | State::Dot, b'\n') if !self.is_lenient => {
                    return Err(FrameError::BareLineEnd { found: b'\n' });
                }
                _ => {
                    let (text, rest) = input.split_at(self.text_len(input));
                    *input = rest;
                    return Ok(Unstuffed::Text(text));
                }
            }
        }
        Ok(Unstuffed::Incomplete)
    }

    /// Skips a byte that is not text.
    fn skip(&mut self, input: &mut &[u8], state: State) {
        *input = &input[1..];
        self.state = state;
    }

    /// Length of the text up to the next dot at the start of a line, or up to an invalid byte; at least one byte.
    /// Updates the state.
    fn text_len(&mut self, input: &[u8]) -> usize {
        // After a CR, the LF is known to follow.
        let mut at = usize::from(self.state == State::Cr);
        self.state = if at > 0 { State::LineStart } else { State::Text };
        loop {
            if self.state == State::LineStart {
                match input.get(at) {
                    None | Some(b'.') => return at,
                    Some(_) => self.state = State::Text,
                }
            }
            let rest = &input[at..];
            let found = match self.is_lenient {
                true => memchr(b'\n', rest),
                false => memchr2(b'\r', b'\n', rest),
            };
            let Some(before) = found else { return input.len() };
            at += before;
            match (input[at], input.get(at + 1)) {
                (b'\n', _) if self.is_lenient => at += 1,
                // A bare LF.
                (b'\n', _) => return at,
                (_, Some(b'\n')) => at += 2,
                (..) => {
                    self.state = State::Cr;
                    return at + 1;
                }
            }
            self.state = State::LineStart;
        }
    }
}
