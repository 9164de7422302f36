//! The messages between an old process and its successor: [`Message`], [`Decoder`]. Pure: descriptors travel beside the bytes,
//! and a message says how many belong to it.
//!
//! A message is a head of eight bytes and a body. The head is `SH`, the version, the type, and the length of the body (32 bits,
//! as all numbers with the most significant byte first). Texts and byte strings in the body come after their length, of 32 bits.
//!
//! | type | message | from | body | descriptors |
//! |---|---|---|---|---|
//! | 1 | `Offer` | old | process id, number of sockets | none |
//! | 2 | `Socket` | old | name, kind (8 bits), whether it has a lock (8 bits) | the socket, and the lock if it has one |
//! | 3 | `Ready` | new | number of names, names of the ports that take connections | none |
//! | 4 | `Go` | old | nothing | none |
//! | 5 | `Taken` | new | nothing | none |
//! | 6 | `Connection` | old | name of the port, state, unread input | the socket |
//! | 7 | `Settled` | old | nothing | none |
//! | 8 | `Failed` | new | a text that says why | none |
//! | 9 | `Serves` | new | nothing | none |

/// The version of the messages. Another one is refused.
pub(super) const VERSION: u8 = 1;

const MAGIC: [u8; 2] = *b"SH";

const HEAD: usize = 8;

/// The longest name of a socket, in bytes.
pub(super) const NAME_MAX: usize = 255;

/// The most sockets that are handed over.
pub(super) const SOCKETS_MAX: usize = 1024;

/// The longest reason of a failure, in bytes. A longer one is cut.
const WHY_MAX: usize = 4096;

/// The most unread input of a connection, in bytes.
pub(super) const UNREAD_MAX: usize = 16 << 20;

/// The longest state of a connection, in bytes: what the transports allow.
pub(super) const STATE_MAX: usize = 64 << 10;

/// The longest body.
const BODY_MAX: usize = UNREAD_MAX + STATE_MAX + NAME_MAX + 12;

/// What a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A listening TCP or Unix socket.
    Port = 1,
    /// A UDP socket.
    Udp = 2,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Offer { pid: u32, sockets: u32 },
    Socket { name: String, kind: Kind, has_lock: bool },
    Ready { takes: Vec<String> },
    Go,
    Taken,
    Connection { port: String, state: Vec<u8>, unread: Vec<u8> },
    Settled,
    Failed { why: String },
    Serves,
}

/// Bytes that are no message of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it does not begin as a message does")]
    Magic,
    #[error("version {0} of the messages is not known, only {VERSION}")]
    Version(u8),
    #[error("there is no message of type {0}")]
    Type(u8),
    #[error("a message of {len} bytes is longer than {max}")]
    TooLong { len: usize, max: usize },
    #[error("a message ends before its content does, or later")]
    Length,
    #[error("a name or text is too long, or not UTF-8")]
    Text,
    #[error("a field has a value that is not defined")]
    Value,
}

impl Message {
    /// The number of descriptors that belong to it.
    pub(super) const fn descriptors(&self) -> usize {
        match self {
            Self::Socket { has_lock: true, .. } => 2,
            Self::Socket { .. } | Self::Connection { .. } => 1,
            _ => 0,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        match self {
            Self::Offer { pid, sockets } => {
                body.extend_from_slice(&pid.to_be_bytes());
                body.extend_from_slice(&sockets.to_be_bytes());
            }
            Self::Socket { name, kind, has_lock } => {
                put(&mut body, name.as_bytes());
                body.extend_from_slice(&[*kind as u8, u8::from(*has_lock)]);
            }
            Self::Ready { takes } => {
                body.extend_from_slice(&length(takes.len()).to_be_bytes());
                takes.iter().for_each(|name| put(&mut body, name.as_bytes()));
            }
            Self::Connection { port, state, unread } => {
                put(&mut body, port.as_bytes());
                put(&mut body, state);
                put(&mut body, unread);
            }
            Self::Failed { why } => put(&mut body, cut(why).as_bytes()),
            Self::Go | Self::Taken | Self::Settled | Self::Serves => {}
        }
        let [magic, also_magic] = MAGIC;
        let mut bytes = vec![magic, also_magic, VERSION, self.number()];
        bytes.extend_from_slice(&length(body.len()).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    const fn number(&self) -> u8 {
        match self {
            Self::Offer { .. } => 1,
            Self::Socket { .. } => 2,
            Self::Ready { .. } => 3,
            Self::Go => 4,
            Self::Taken => 5,
            Self::Connection { .. } => 6,
            Self::Settled => 7,
            Self::Failed { .. } => 8,
            Self::Serves => 9,
        }
    }
}

/// Every length has a limit far below that.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn put(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(&length(bytes.len()).to_be_bytes());
    body.extend_from_slice(bytes);
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(WHY_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Makes messages of bytes that arrive in pieces. Holds a buffer only while a message is unfinished.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    unfinished: Vec<u8>,
    taken: usize,
}

impl Decoder {
    /// Adds bytes that have arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
    }

    /// The next message, if it is complete. After an error the rest has no meaning.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Malformed> {
        let rest = &self.unfinished[self.taken..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD>() else {
            return self.wait();
        };
        let [magic, also_magic, version, number, len @ ..] = *head;
        if [magic, also_magic] != MAGIC {
            return Err(Malformed::Magic);
        }
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        let max = body_max(number).ok_or(Malformed::Type(number))?;
        if len > max {
            return Err(Malformed::TooLong { len, max });
        }
        let Some(body) = rest.get(..len) else { return self.wait() };
        let message = Fields(body).message(number)?;
        self.taken += HEAD + len;
        Ok(Some(message))
    }

    fn wait(&mut self) -> Result<Option<Message>, Malformed> {
        self.unfinished.drain(..self.taken);
        self.taken = 0;
        if self.unfinished.is_empty() {
            self.unfinished = Vec::new();
        }
        Ok(None)
    }
}

/// The longest body of a message of this type.
const fn body_max(number: u8) -> Option<usize> {
    Some(match number {
        1 => 8,
        2 => 4 + NAME_MAX + 2,
        3 => 4 + SOCKETS_MAX * (4 + NAME_MAX),
        4 | 5 | 7 | 9 => 0,
        6 => BODY_MAX,
        8 => 4 + WHY_MAX,
        _ => return None,
    })
}

/// What is left of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn message(mut self, number: u8) -> Result<Message, Malformed> {
        let message = match number {
            1 => Message::Offer { pid: self.number()?, sockets: self.number()? },
            2 => Message::Socket {
                name: self.text(NAME_MAX)?,
                kind: match self.byte()? {
                    1 => Kind::Port,
                    2 => Kind::Udp,
                    _ => return Err(Malformed::Value),
                },
                has_lock: match self.byte()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Malformed::Value),
                },
            },
            3 => {
                let names = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                if names > SOCKETS_MAX {
                    return Err(Malformed::Value);
                }
                let takes = (0..names).map(|_| self.text(NAME_MAX)).collect::<Result<_, _>>()?;
                Message::Ready { takes }
            }
            4 => Message::Go,
            5 => Message::Taken,
            6 => Message::Connection {
                port: self.text(NAME_MAX)?,
                state: self.bytes(STATE_MAX)?.into(),
                unread: self.bytes(UNREAD_MAX)?.into(),
            },
            7 => Message::Settled,
            8 => Message::Failed { why: self.text(WHY_MAX)? },
            9 => Message::Serves,
            other => return Err(Malformed::Type(other)),
        };
        if self.0.is_empty() { Ok(message) } else { Err(Malformed::Length) }
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn bytes(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if len > max {
            return Err(Malformed::TooLong { len, max });
        }
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self, max: usize) -> Result<String, Malformed> {
        let bytes = self.bytes(max).map_err(|error| match error {
            Malformed::TooLong { .. } => Malformed::Text,
            other => other,
        })?;
        String::from_utf8(bytes.into()).map_err(|_| Malformed::Text)
    }
}

#[cfg(test)]
mod tests;
