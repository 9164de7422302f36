//! Commands: a line of words, and for some a payload behind it. [`Commands`] finds them, [`Command`] is one. Pure.

use sinew_protocols::basic::{Decoded, Decoder, FrameError};

/// Longest line, without its end.
const LINE_MAX: usize = 2_048;

/// Longest payload. A message had at most 1,664 bytes, and answers of servers more.
const PAYLOAD_MAX: usize = 64 * 1024;

/// Most words behind the name.
const WORDS_MAX: usize = 64;

/// Who has sent a command: which have a payload depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sender {
    /// A client.
    Client,
    /// A server.
    Server,
}

impl Sender {
    fn has_payload(self, name: &[u8]) -> bool {
        let of_client: &[&[u8]] = &[b"MSG", b"QRY", b"UUX", b"UUN", b"UUM", b"PAG"];
        let of_server: &[&[u8]] = &[b"MSG", b"NOT", b"IPG", b"UBX", b"UBN", b"UBM", b"GCF"];
        match self {
            Self::Client => of_client.contains(&name),
            Self::Server => of_server.contains(&name),
        }
    }
}

/// A command: three letters, or the three digits of an error; words; and for some names a payload.
///
/// # Examples
///
/// ```
/// use sinew_chat::historical::msnp::{Command, Sender};
///
/// let command = Command::new("MSG", ["7", "N"])?.with_payload("MIME-Version: 1.0\r\n\r\nhello");
/// let bytes = command.encode(Sender::Client)?;
/// assert_eq!(bytes, b"MSG 7 N 26\r\nMIME-Version: 1.0\r\n\r\nhello");
/// assert_eq!(Command::parse(&bytes, Sender::Client)?, command);
/// assert_eq!(command.transaction(), Some(7));
/// # Ok::<(), sinew_chat::historical::msnp::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    name: String,
    words: Vec<String>,
    payload: Option<Vec<u8>>,
}

/// Something is no command.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The name has not three letters or digits.
    #[error("the name of a command has three capital letters or digits")]
    Name,
    /// A word is empty, or has a space or a control character in it, or is not UTF-8.
    #[error(
        "a word of a command is empty, or has spaces, control characters or bytes that are not UTF-8"
    )]
    Word,
    /// There are too many words, or they are too long.
    #[error("a command has at most 64 words in 2,048 bytes")]
    TooLong,
    /// A payload is missing, is longer than 64 KiB, or is none of this command's.
    #[error("the payload is not the one that the command announces")]
    Payload,
}

sinew_transports::reactor::error_debug!(CommandError);

impl Command {
    /// A command without a payload.
    ///
    /// # Errors
    ///
    /// [`CommandError`]. Names that may have spaces are to be escaped by their user, as URLs are.
    pub fn new<W: Into<String>>(
        name: &str,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, CommandError> {
        let is_known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if name.len() != 3 || !name.bytes().all(is_known) {
            return Err(CommandError::Name);
        }
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        let is_word = |word: &String| {
            !word.is_empty() && !word.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
        };
        if !words.iter().all(is_word) {
            return Err(CommandError::Word);
        }
        let len = name.len() + words.iter().map(|word| word.len() + 1).sum::<usize>();
        if words.len() > WORDS_MAX || len > LINE_MAX {
            return Err(CommandError::TooLong);
        }
        Ok(Self { name: name.to_owned(), words, payload: None })
    }

    /// The same with a payload.
    #[must_use]
    pub fn with_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words behind the name, without the length of the payload.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// The number of the question that it is, or is the answer to: its first word, if that is a number.
    #[must_use]
    pub fn transaction(&self) -> Option<u32> {
        self.words.first()?.parse().ok()
    }

    /// The number of the error that it is.
    #[must_use]
    pub fn error(&self) -> Option<u16> {
        self.name.parse().ok()
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The bytes of the command.
    ///
    /// # Errors
    ///
    /// [`CommandError::Payload`]: it has a payload and its name has none, or the other way round, or it is too long.
    pub fn encode(&self, by: Sender) -> Result<Vec<u8>, CommandError> {
        let len = self.payload.as_ref().map(Vec::len);
        if len.is_some() != by.has_payload(self.name.as_bytes()) || len > Some(PAYLOAD_MAX) {
            return Err(CommandError::Payload);
        }
        let mut line = self.name.clone();
        for word in &self.words {
            line.push(' ');
            line.push_str(word);
        }
        if let Some(len) = len {
            line.push_str(&format!(" {len}"));
        }
        if line.len() > LINE_MAX {
            return Err(CommandError::TooLong);
        }
        line.push_str("\r\n");
        let mut bytes = line.into_bytes();
        bytes.extend(self.payload.iter().flatten());
        Ok(bytes)
    }

    /// The command in these bytes, which are one frame of [`Commands`].
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub fn parse(frame: &[u8], by: Sender) -> Result<Self, CommandError> {
        let end = memchr::memmem::find(frame, b"\r\n").ok_or(CommandError::TooLong)?;
        let (line, payload) = (&frame[..end], &frame[end + 2..]);
        let line = std::str::from_utf8(line).map_err(|_| CommandError::Word)?;
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let mut words: Vec<&str> = words.collect();
        if !by.has_payload(name.as_bytes()) {
            let command = Self::new(name, words)?;
            return if payload.is_empty() { Ok(command) } else { Err(CommandError::Payload) };
        }
        let len = words.pop().and_then(payload_len).filter(|len| *len == payload.len());
        len.ok_or(CommandError::Payload)?;
        Ok(Self::new(name, words)?.with_payload(payload))
    }
}

/// The length of a payload.
fn payload_len(word: &str) -> Option<usize> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|len| is_number && *len <= PAYLOAD_MAX)
}

/// Finds commands. The payload of each frame is the whole command, for [`Command::parse`]. Ends with an error at a line that is longer than
/// 2,048 bytes, has a bare CR or LF, or announces a payload that is none or is longer than 64 KiB.
#[derive(Clone, Debug)]
pub struct Commands {
    by: Sender,
    /// The line so far, for its first and its last word.
    line: Vec<u8>,
    /// Bytes of the frame so far.
    seen: usize,
    /// Of the payload, what is missing.
    missing: Option<usize>,
}

impl Commands {
    /// The commands of clients, or of servers.
    #[must_use]
    pub const fn of(by: Sender) -> Self {
        Self { by, line: Vec::new(), seen: 0, missing: None }
    }

    /// Takes the next byte of a line. `true` if the line ends with it.
    fn take(&mut self, byte: u8) -> Result<bool, FrameError> {
        self.seen += 1;
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
            return if byte == b'\n' {
                Ok(true)
            } else {
                Err(FrameError::BareLineEnd { found: b'\r' })
            };
        }
        if byte == b'\n' {
            return Err(FrameError::BareLineEnd { found: b'\n' });
        }
        if self.line.len() > LINE_MAX || (self.line.len() == LINE_MAX && byte != b'\r') {
            return Err(FrameError::LineTooLong { max: LINE_MAX });
        }
        self.line.push(byte);
        Ok(false)
    }

    /// The length of the payload behind the line.
    fn announced(&self) -> Result<usize, FrameError> {
        if !self.by.has_payload(self.line.get(..3).unwrap_or_default()) {
            return Ok(0);
        }
        let word = self.line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let len = std::str::from_utf8(word).ok().and_then(payload_len);
        len.ok_or(FrameError::Invalid("the length of a payload is no number, or is too large"))
    }
}

impl Decoder for Commands {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        let mut at = 0;
        let missing = loop {
            if let Some(missing) = self.missing {
                break missing;
            }
            let Some(&byte) = input.get(at) else { return Ok(Decoded::Incomplete) };
            at += 1;
            if self.take(byte)? {
                self.missing = Some(self.announced()?);
            }
        };
        let rest = input.len() - at;
        if rest < missing {
            self.missing = Some(missing - rest);
            self.seen += rest;
            return Ok(Decoded::Incomplete);
        }
        let len = self.seen + missing;
        self.reset();
        Ok(Decoded::Frame { consumed: at + missing, payload: 0..len })
    }

    fn reset(&mut self) {
        *self = Self::of(self.by);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_protocols::basic::Frames;

    use super::*;

    fn found(bytes: &[u8], size: usize, by: Sender) -> Result<Vec<Command>, FrameError> {
        let (mut decoder, mut found) = (Frames::new(Commands::of(by)), Vec::new());
        for mut piece in bytes.chunks(size) {
            while let Some(frame) = decoder.next(&mut piece)? {
                found.push(Command::parse(frame, by).unwrap());
            }
        }
        Ok(found)
    }

    #[test]
    fn a_session_is_found_however_it_is_split() {
        let command = |name, words: &[&str]| Command::new(name, words.iter().copied()).unwrap();
        let commands = [
            command("VER", &["1", "MSNP8", "CVR0"]),
            command("MSG", &["bob@example.org", "Bob%20B"]).with_payload("a\r\nb"),
            command("911", &["4"]),
            command("QNG", &[]),
            command("MSG", &["a", "b"]).with_payload(""),
        ];
        let bytes: Vec<u8> =
            commands.iter().flat_map(|one| one.encode(Sender::Server).unwrap()).collect();
        for size in 1..=bytes.len() {
            assert_eq!(found(&bytes, size, Sender::Server).unwrap(), commands, "pieces of {size}");
        }
        assert_eq!(commands[2].error(), Some(911));
        assert_eq!(commands[0].error(), None);
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for bad in [
            &b"VER 1\n"[..],
            b"VER\r1",
            b"MSG a b x\r\n",
            b"MSG a b +1\r\n",
            b"MSG a b 65537\r\n",
            &[b'a'; LINE_MAX + 1],
        ] {
            assert!(found(bad, bad.len(), Sender::Client).is_err(), "{}", bad.escape_ascii());
        }
        for (name, word) in
            [("ver", "1"), ("VE", "1"), ("VER", ""), ("VER", "a b"), ("VER", "a\r\nOUT")]
        {
            assert!(Command::new(name, [word]).is_err(), "{name} {word:?}");
        }
        let message = Command::new("MSG", ["1"]).unwrap();
        assert_eq!(message.encode(Sender::Client), Err(CommandError::Payload));
        assert_eq!(
            Command::new("OUT", ["x"]).unwrap().with_payload("x").encode(Sender::Client),
            Err(CommandError::Payload)
        );
    }

    proptest! {
        #[test]
        fn commands_survive(name in "[A-Z]{3}", words in prop::collection::vec("[a-z0-9%@.]{1,9}", 0..5), payload: Vec<u8>) {
            for by in [Sender::Client, Sender::Server] {
                let mut command = Command::new(&name, words.clone()).unwrap();
                if by.has_payload(name.as_bytes()) {
                    command = command.with_payload(payload.clone());
                }
                let bytes = command.encode(by).unwrap();
                prop_assert_eq!(found(&bytes, 3, by).unwrap(), [command]);
            }
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            for by in [Sender::Client, Sender::Server] {
                let _ = Command::parse(&bytes, by);
                let mut decoder = Frames::new(Commands::of(by));
                let mut input = &bytes[..];
                while let Ok(Some(_)) = decoder.next(&mut input) {}
            }
        }
    }
}
