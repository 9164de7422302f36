//! Text that ends in a line with a single dot, as in SMTP, POP3 and NNTP: read by [`DotStuffed`], written by [`DotStuffing`]. Pure:
//! knows no transport and keeps no buffer.

mod stuffing;
#[cfg(test)]
mod tests;

pub use stuffing::DotStuffing;

use memchr::{memchr, memchr2};

use super::FrameError;

/// Reads text that ends in a line with a single dot; a dot in front of another line is taken off (RFC 5321 4.5.2, RFC 3977 3.1.1).
///
/// It is shown the stream as it comes, cut anywhere, and gives the text piece by piece, borrowed from what it is shown. It keeps a
/// few bits and no bytes. How long a text may be is for the caller to count: a server has to read an overlong one to its end all the
/// same.
///
/// What ends a text is a matter of safety. Where two servers disagree, one of them takes for a message what the other takes for
/// commands. So [`strict`](Self::strict) is the default: the end is `CRLF . CRLF` to the byte, and a CR or an LF alone is an error.
///
/// # Examples
///
/// In raw mode of a [`LineHandler`](super::LineHandler), so in the middle of lines:
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

/// What was seen last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The end of a line, or nothing at all.
    #[default]
    LineStart,
    /// Text in a line.
    Text,
    /// A CR, which was given out as text.
    Cr,
    /// A dot in front of a line.
    Dot,
    /// A dot in front of a line, and a CR.
    DotCr,
}

/// What a [`DotStuffed`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it holds a piece of the text"]
pub enum Unstuffed<'a> {
    /// The next piece of the text, line ends included; not empty. There may be more in the input.
    Text(&'a [u8]),
    /// The text has ended. What is left of the input lies behind it.
    End,
    /// The input is used up, and the text goes on.
    Incomplete,
}

impl DotStuffed {
    /// For servers, and for clients of good servers: the end is `CRLF . CRLF`, and a CR or an LF alone is an error.
    #[must_use]
    pub const fn strict() -> Self {
        Self { is_lenient: false, state: State::LineStart }
    }

    /// For clients of old servers, which end some lines in a bare LF: it ends a line like CRLF, that of the single dot too, and a bare
    /// CR is text. Never for a server: what a peer means as text could end it.
    #[must_use]
    pub const fn lenient() -> Self {
        Self { is_lenient: true, state: State::LineStart }
    }

    /// Takes the next thing off the front of `input`, which follows what was shown before. After the end the next text may begin.
    ///
    /// # Errors
    ///
    /// [`FrameError::BareLineEnd`] at a CR or an LF that stands alone; the text before it has been given out. It is final: where the
    /// text ends is not known any more, so nothing that follows may be taken for anything.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Unstuffed<'a>, FrameError> {
        while let Some(&byte) = input.first() {
            match (self.state, byte) {
                (State::LineStart, b'.') => self.pass(input, State::Dot),
                (State::Dot, b'\r') => self.pass(input, State::DotCr),
                (State::Dot, b'\n') if self.is_lenient => {
                    self.pass(input, State::LineStart);
                    return Ok(Unstuffed::End);
                }
                (State::DotCr, b'\n') => {
                    self.pass(input, State::LineStart);
                    return Ok(Unstuffed::End);
                }
                (State::DotCr | State::Cr, found) if !self.is_lenient && found != b'\n' => {
                    return Err(FrameError::BareLineEnd { found: b'\r' });
                }
                (State::DotCr, _) => {
                    // The dot is taken off, and the CR was text.
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

    /// Takes a byte off that is no text.
    fn pass(&mut self, input: &mut &[u8], state: State) {
        *input = &input[1..];
        self.state = state;
    }

    /// How much of the input is text up to the next dot in front of a line, or to a fault; at least one byte. Knows what was seen
    /// last.
    fn text_len(&mut self, input: &[u8]) -> usize {
        // Behind a CR, the LF is known to be there.
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
                // It stands alone.
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
