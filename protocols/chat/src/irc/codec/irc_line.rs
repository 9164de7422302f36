//! Lines of IRC, as a [`Decoder`] finds them: [`IrcLine`]. Pure: keeps no buffer.

use memchr::{memchr2, memchr3};
use sinew_protocols::basic::{Decoded, Decoder, FrameError};

/// Longest message without its line end: 512 bytes with CRLF (RFC 2812 2.3).
pub const MESSAGE_MAX: usize = 510;
/// Longest tags that a client sends, from `@` to the space behind them (IRCv3 message tags).
pub const CLIENT_TAGS_MAX: usize = 4_096;
/// Longest tags that a server sends, from `@` to the space behind them.
pub const SERVER_TAGS_MAX: usize = 8_191;

/// Lines that end in CR, in LF or in both, with limits for the tags and for the message behind them.
///
/// Empty lines are frames without bytes, which are to be ignored: there is one between CR and LF. A line that is too long does not
/// end the connection: its front is a frame for which [`is_too_long`](Self::is_too_long) is true, and the rest of it is skipped, in
/// empty frames.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::IrcLine;
/// use sinew_protocols::basic::Frames;
///
/// let mut lines = Frames::new(IrcLine::from_clients());
/// let mut input: &[u8] = b"PING :a\rQUIT\n";
/// assert_eq!(lines.next(&mut input)?, Some(&b"PING :a"[..]));
/// assert_eq!(lines.next(&mut input)?, Some(&b"QUIT"[..]));
/// # Ok::<(), sinew_protocols::basic::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct IrcLine {
    tags_max: usize,
    message_max: usize,
    part: Part,
    /// Bytes of the part.
    part_len: usize,
    /// Bytes of the line.
    len: usize,
    is_too_long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    Tags,
    Message,
    /// The rest of a line that was too long.
    Skipped,
}

impl IrcLine {
    /// Lines with these limits in bytes: tags from `@` to the space, and the message without its line end.
    #[must_use]
    pub const fn new(tags_max: usize, message_max: usize) -> Self {
        Self {
            tags_max: if tags_max < 2 { 2 } else { tags_max },
            message_max,
            part: Part::Start,
            part_len: 0,
            len: 0,
            is_too_long: false,
        }
    }

    /// What servers accept of clients: 4,096 bytes of tags, 512 of the message with CRLF.
    #[must_use]
    pub const fn from_clients() -> Self {
        Self::new(CLIENT_TAGS_MAX, MESSAGE_MAX)
    }

    /// What clients accept of servers: 8,191 bytes of tags, and messages of at most so many bytes.
    #[must_use]
    pub const fn from_servers(message_max: usize) -> Self {
        Self::new(SERVER_TAGS_MAX, message_max)
    }

    /// Whether the last frame is the front of a line that is too long.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    fn begin_line(&mut self) {
        self.part = Part::Start;
        self.part_len = 0;
        self.len = 0;
    }

    /// The line ends with a delimiter at `at` of the input.
    fn line(&mut self, at: usize, len: usize) -> Decoded {
        self.begin_line();
        Decoded::Frame { consumed: at + 1, payload: 0..len }
    }

    /// The line is too long at the last of `consumed` bytes.
    fn too_long(&mut self, consumed: usize, len: usize) -> Decoded {
        self.begin_line();
        self.part = Part::Skipped;
        self.is_too_long = true;
        Decoded::Frame { consumed, payload: 0..len }
    }

    fn skip(&mut self, input: &[u8]) -> Decoded {
        let consumed = match memchr2(b'\r', b'\n', input) {
            Some(end) => {
                self.begin_line();
                end + 1
            }
            None => input.len(),
        };
        Decoded::Frame { consumed, payload: 0..0 }
    }

    /// The tags, from `at` on. Returns where the message begins, or the frame.
    fn tags(&mut self, input: &[u8], at: usize) -> Result<usize, Decoded> {
        let rest = &input[at..];
        let allowed = self.tags_max - self.part_len;
        let window = &rest[..rest.len().min(allowed)];
        match memchr3(b' ', b'\r', b'\n', window) {
            Some(end) if window[end] == b' ' => {
                self.part = Part::Message;
                self.part_len = 0;
                self.len += end + 1;
                Ok(at + end + 1)
            }
            Some(end) => Err(self.line(at + end, self.len + end)),
            None if rest.len() < allowed => {
                self.part_len += rest.len();
                self.len += rest.len();
                Ok(input.len())
            }
            None => Err(self.too_long(at + allowed, self.len + allowed)),
        }
    }

    fn message(&mut self, input: &[u8], at: usize) -> Result<usize, Decoded> {
        let rest = &input[at..];
        let allowed = self.message_max - self.part_len;
        let window = &rest[..rest.len().min(allowed + 1)];
        match memchr2(b'\r', b'\n', window) {
            Some(end) => Err(self.line(at + end, self.len + end)),
            None if window.len() <= allowed => {
                self.part_len += rest.len();
                self.len += rest.len();
                Ok(input.len())
            }
            None => Err(self.too_long(at + window.len(), self.len + window.len())),
        }
    }
}

impl Decoder for IrcLine {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        self.is_too_long = false;
        let mut at = 0;
        while at < input.len() {
            let next = match self.part {
                Part::Skipped => return Ok(self.skip(input)),
                Part::Start => {
                    self.part = if input[at] == b'@' { Part::Tags } else { Part::Message };
                    Ok(at)
                }
                Part::Tags => self.tags(input, at),
                Part::Message => self.message(input, at),
            };
            match next {
                Ok(next) => at = next,
                Err(frame) => return Ok(frame),
            }
        }
        Ok(Decoded::Incomplete)
    }

    fn reset(&mut self) {
        self.begin_line();
        self.is_too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stream that is fed in pieces of this length; `!` before those that are too long.
    fn lines(decoder: &IrcLine, stream: &[u8], piece: usize) -> Vec<String> {
        let mut decoder = decoder.clone();
        let (mut found, mut pending) = (Vec::new(), Vec::new());
        for mut piece in stream.chunks(piece) {
            while !piece.is_empty() {
                match decoder.decode(piece).expect("it never fails") {
                    Decoded::Incomplete => {
                        pending.extend_from_slice(piece);
                        piece = b"";
                    }
                    Decoded::Frame { consumed, payload } => {
                        pending.extend_from_slice(&piece[..consumed]);
                        let line = String::from_utf8_lossy(&pending[payload]).into_owned();
                        match decoder.is_too_long() {
                            true => found.push(format!("!{line}")),
                            false if line.is_empty() => {}
                            false => found.push(line),
                        }
                        pending.clear();
                        piece = &piece[consumed..];
                    }
                }
            }
        }
        found
    }

    #[test]
    fn line_ends_and_limits() {
        let decoder = IrcLine::new(8, 4);
        for (name, stream, expected) in [
            ("crlf", "abcd\r\nef\r\n", &["abcd", "ef"][..]),
            ("cr_alone", "ab\rcd\r", &["ab", "cd"]),
            ("lf_alone", "ab\ncd\n", &["ab", "cd"]),
            ("empty_lines", "\r\n\n\r\r\nab\n\n", &["ab"]),
            ("unfinished", "ab\ncd", &["ab"]),
            ("too long", "abcde\r\nef\n", &["!abcde", "ef"]),
            ("far too long", "abcdefghijklmnop\nef\n", &["!abcde", "ef"]),
            ("tags apart", "@a=bcde abcd\n", &["@a=bcde abcd"]),
            ("tags too long", "@a=bcdef abcd\nab\n", &["!@a=bcdef", "ab"]),
            ("message behind tags too long", "@a abcde\nab\n", &["!@a abcde", "ab"]),
            ("tags alone", "@a=b\nab\n", &["@a=b", "ab"]),
        ] {
            for piece in 1..=stream.len() {
                assert_eq!(
                    lines(&decoder, stream.as_bytes(), piece),
                    expected,
                    "{name}, pieces of {piece}"
                );
            }
        }
    }
}
