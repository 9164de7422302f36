//! Where messages begin and end: [`MessageDecoder`]. Pure: what is done with a literal, its caller decides.
//!
//! | state | input | next |
//! |---|---|---|
//! | `Text` | a line without an announcement | `Text`, [`Event::Message`] |
//! | `Text` | a line that ends in `{length}` | `Announced`, [`Event::Literal`] |
//! | `Text` | more bytes than a message may have | `SkippedText`, [`Event::TooLong`] |
//! | `Announced` | nothing is read: [`keep`](MessageDecoder::keep) | `Kept` |
//! | `Announced` | [`stream`](MessageDecoder::stream) | `Streamed` |
//! | `Announced` | [`refuse`](MessageDecoder::refuse) | `Text` if the sender waits, else `SkippedLiteral` |
//! | `Kept` | all bytes of the literal | `Text` |
//! | `Streamed` | bytes of the literal | `Streamed`, [`Event::Bytes`] |
//! | `Streamed` | all bytes of it | `Text`, [`Event::LiteralEnd`] |
//! | `Streamed` | [`skip`](MessageDecoder::skip) | `SkippedLiteral` |
//! | `Text` within a message | [`skip`](MessageDecoder::skip) | `SkippedText` |
//! | `SkippedLiteral` | all bytes of it | `SkippedText` |
//! | `SkippedText` | a line that ends in `{length+}` | `SkippedLiteral` |
//! | `SkippedText` | another line | `Text` |
//! | any | a line end that is not allowed, a NUL, a number that is too large | `Failed`, an error |

use memchr::{memchr, memchr2};
use sinew_transports::reactor::error_debug;

use super::{LiteralHead, Message};

/// Longest announcement that is recognized in text that is skipped: more digits than any number has.
const TAIL: usize = 32;

/// Splits a stream into [`Message`]s, and stops at each literal until its caller has decided what becomes of it.
///
/// It keeps what has been received of an unfinished message, and nothing between two messages. A message has at most as many
/// bytes of text as [`text_max`](Self::text_max) says; kept literals are not counted there, since their lengths are known before
/// they are kept.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::{DecodeError, Event, MessageDecoder};
///
/// let mut decoder = MessageDecoder::of_commands(1024);
/// let mut input = &b"a LOGIN {3}\r\nann secret\r\n"[..];
/// let Event::Literal(head) = decoder.decode(&mut input)? else { panic!("a literal is announced") };
/// assert_eq!(head.len, 3);
/// decoder.keep(); // … and send `+`
/// let Event::Message(message) = decoder.decode(&mut input)? else { panic!("the command is whole") };
/// assert_eq!(message.bytes(), b"a LOGIN {3}\r\nann secret");
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    is_server: bool,
    text_max: usize,
    message: Message,
    /// Bytes of text in the message, and where its last line begins.
    text: usize,
    line: usize,
    /// The end of the text that is skipped.
    tail: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Announced(LiteralHead),
    Kept(u64),
    Streamed(u64),
    SkippedText,
    SkippedLiteral(u64),
    Failed(DecodeError),
}

/// What a [`MessageDecoder`] has found.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it may be a literal, which waits for a decision"]
pub enum Event<'a> {
    /// All input is used up.
    Incomplete,
    /// A literal is announced, and nothing of it is read until [`keep`](MessageDecoder::keep), [`stream`](MessageDecoder::stream) or
    /// [`refuse`](MessageDecoder::refuse) is called.
    Literal(LiteralHead),
    /// The next bytes of a literal that is streamed.
    Bytes(&'a [u8]),
    /// The end of a literal that is streamed; the message goes on.
    LiteralEnd,
    /// A whole message.
    Message(Message),
    /// The text of the message is too long. The rest of the message is skipped; its front is [`front`](MessageDecoder::front) until
    /// the next call.
    TooLong,
}

/// Why a stream is not one of messages. It is final: it is not known where the next one begins.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// An LF without a CR before it, in what a client sends.
    #[error("a line that ends in LF without a CR")]
    BareLf,
    /// A CR that does not end a line.
    #[error("a CR within a line")]
    BareCr,
    /// A NUL outside of a literal.
    #[error("a NUL in a line")]
    Nul,
    /// A literal has an announcement of more than 63 bits.
    #[error("a literal is announced with a length out of range")]
    Length,
}

error_debug!(DecodeError);

impl MessageDecoder {
    /// Of what clients send: lines end in CRLF only.
    #[must_use]
    pub fn of_commands(text_max: usize) -> Self {
        Self::new(true, text_max)
    }

    /// Of what servers send: lines may end in LF, since those of some servers do, and the text of a status never announces a literal.
    #[must_use]
    pub fn of_responses(text_max: usize) -> Self {
        Self::new(false, text_max)
    }

    fn new(is_server: bool, text_max: usize) -> Self {
        let (message, tail) = (Message::default(), Vec::new());
        Self { is_server, text_max, message, text: 0, line: 0, tail, state: State::Text }
    }

    /// Changes how many bytes of text a message may have, without its literals.
    pub fn set_text_max(&mut self, text_max: usize) {
        self.text_max = text_max;
    }

    /// How many bytes of text a message may have.
    #[must_use]
    pub fn text_max(&self) -> usize {
        self.text_max
    }

    /// What there is of the unfinished message. At a literal it ends with the announcement and its line end.
    #[must_use]
    pub fn front(&self) -> &Message {
        &self.message
    }

    /// Whether nothing of a message has been received.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.state == State::Text && self.message.bytes.is_empty()
    }

    /// The announced literal becomes a part of the message. Without effect where none is announced.
    pub fn keep(&mut self) {
        if let State::Announced(head) = self.state {
            self.state = State::Kept(head.len);
        }
    }

    /// The announced literal comes in [pieces](Event::Bytes). Without effect where none is announced.
    pub fn stream(&mut self) {
        if let State::Announced(head) = self.state {
            self.message.streamed.push(self.message.bytes.len());
            self.state = State::Streamed(head.len);
        }
    }

    /// The message ends here: a client that waits for `+` sends no more of it, and what another one sends is skipped. Without effect
    /// where no literal is announced.
    pub fn refuse(&mut self) {
        if let State::Announced(head) = self.state {
            self.begin();
            self.state = match head.is_synchronizing {
                true => State::Text,
                false => State::SkippedLiteral(head.len),
            };
        }
    }

    /// Skips the rest of a message of which a streamed literal is not wanted any more.
    pub fn skip(&mut self) {
        match self.state {
            State::Streamed(left) => {
                self.begin();
                self.state = State::SkippedLiteral(left);
            }
            State::Announced(_) => self.refuse(),
            // All bytes of the literal are there.
            State::Text if !self.message.bytes.is_empty() => {
                self.skip_line();
                self.begin();
            }
            _ => {}
        }
    }

    /// Takes bytes from the front of the input, up to the next event.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], from then on.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Event<'a>, DecodeError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Announced(head) => return Ok(Event::Literal(head)),
                State::Kept(0) => self.state = State::Text,
                State::SkippedLiteral(0) => self.state = State::SkippedText,
                State::Streamed(0) => {
                    self.state = State::Text;
                    return Ok(Event::LiteralEnd);
                }
                _ if input.is_empty() => return Ok(Event::Incomplete),
                State::Kept(left) => {
                    let piece = take(input, left);
                    self.message.bytes.extend_from_slice(piece);
                    self.line = self.message.bytes.len();
                    self.state = State::Kept(left - piece.len() as u64);
                }
                State::Streamed(left) => {
                    let piece = take(input, left);
                    self.line = self.message.bytes.len();
                    self.state = State::Streamed(left - piece.len() as u64);
                    return Ok(Event::Bytes(piece));
                }
                State::SkippedLiteral(left) => {
                    let piece = take(input, left);
                    self.state = State::SkippedLiteral(left - piece.len() as u64);
                }
                State::SkippedText => self.skip_text(input)?,
                State::Text => {
                    if let Some(event) = self.text(input)? {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// Takes text, at most to the end of the line.
    fn text<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, DecodeError> {
        if self.message.bytes.is_empty() {
            // The message before it was taken, or was too long.
            self.begin();
        }
        let end = memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        // Room for the line end.
        let text_max = self.text_max.saturating_add(2);
        let room = text_max.saturating_sub(self.text);
        let (piece, rest) = input.split_at(end.min(room));
        *input = rest;
        let has_ended = piece.ends_with(b"\n");
        self.message.bytes.extend_from_slice(piece);
        self.text += piece.len();
        if !has_ended {
            return match self.text >= text_max {
                true => Ok(Some(self.too_long())),
                false => Ok(None),
            };
        }
        let line_end = self.line_end(&self.message.bytes[self.line..]);
        let len = self.message.bytes.len() - self.checked(line_end)?;
        // The line end is not counted, so that there is always room for one.
        self.text -= self.message.bytes.len() - len;
        let literal = match self.line == 0 && !self.is_server && is_status(&self.message.bytes) {
            true => None,
            false => {
                let head = LiteralHead::at_end(&self.message.bytes[self.line..len]);
                self.checked(head.map_err(|()| DecodeError::Length))?
            }
        };
        if let Some((_, head)) = literal {
            self.message.bytes.truncate(len);
            self.message.bytes.extend_from_slice(b"\r\n");
            self.line = self.message.bytes.len();
            self.state = State::Announced(head);
            return Ok(Some(Event::Literal(head)));
        }
        self.message.bytes.truncate(len);
        let message = std::mem::take(&mut self.message);
        self.begin();
        Ok(Some(Event::Message(message)))
    }

    /// The front stays where it can be looked at.
    fn too_long<'a>(&mut self) -> Event<'a> {
        self.skip_line();
        Event::TooLong
    }

    /// The rest of the line is skipped.
    fn skip_line(&mut self) {
        let line = &self.message.bytes[self.line..];
        self.tail = line[line.len().saturating_sub(TAIL)..].to_vec();
        self.state = State::SkippedText;
    }

    fn skip_text(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        self.message = Message::default();
        let end = memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        let (piece, rest) = input.split_at(end);
        *input = rest;
        let piece_tail = &piece[piece.len().saturating_sub(TAIL)..];
        self.tail.extend_from_slice(piece_tail);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        if !piece.ends_with(b"\n") {
            return Ok(());
        }
        let tail = std::mem::take(&mut self.tail);
        let line_end = match tail.strip_suffix(b"\r\n") {
            Some(_) => 2,
            None if self.is_server => return self.checked(Err(DecodeError::BareLf)),
            None => 1,
        };
        let head = LiteralHead::at_end(&tail[..tail.len() - line_end]);
        let head = self.checked(head.map_err(|()| DecodeError::Length))?;
        self.state = match head {
            // Servers send literals without waiting.
            Some((_, head)) if !head.is_synchronizing || !self.is_server => {
                State::SkippedLiteral(head.len)
            }
            _ => State::Text,
        };
        Ok(())
    }

    /// How many bytes the end of this line has.
    fn line_end(&self, line: &[u8]) -> Result<usize, DecodeError> {
        let len = match line.strip_suffix(b"\r\n") {
            Some(_) => 2,
            None if self.is_server => return Err(DecodeError::BareLf),
            None => 1,
        };
        match memchr2(b'\r', 0, &line[..line.len() - len]).map(|at| line[at]) {
            Some(0) => Err(DecodeError::Nul),
            Some(_) if self.is_server => Err(DecodeError::BareCr),
            _ => Ok(len),
        }
    }

    fn checked<T>(&mut self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.inspect_err(|error| {
            self.message = Message::default();
            self.state = State::Failed(*error);
        })
    }

    /// A message begins.
    fn begin(&mut self) {
        self.message = Message::default();
        (self.text, self.line) = (0, 0);
    }
}

/// Takes at most so many bytes.
fn take<'a>(input: &mut &'a [u8], max: u64) -> &'a [u8] {
    let len = usize::try_from(max).map_or(input.len(), |max| max.min(input.len()));
    let (piece, rest) = input.split_at(len);
    *input = rest;
    piece
}

/// Whether a line is a status or a continuation, whose text may end in braces.
fn is_status(line: &[u8]) -> bool {
    if line.starts_with(b"+") {
        return true;
    }
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let word = words.nth(1).unwrap_or_default();
    [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
        .iter()
        .any(|status| word.eq_ignore_ascii_case(status))
}
