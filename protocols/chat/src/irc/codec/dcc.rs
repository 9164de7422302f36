//! What is agreed on by CTCP before clients connect to each other: [`Dcc`]. Pure: text to values and back. Whether an address or a name
//! is acceptable is not decided here.
//!
//! DCC has no RFC. These are the forms that clients of today send.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use memchr::{memchr, memrchr};

use super::{IrcText, message_buf::BuildError};

/// Longest token of a passive offer.
const TOKEN_MAX: usize = 32;

/// A message of DCC: the text behind `DCC` of a CTCP message.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::{Dcc, DccOffered};
///
/// let Dcc::Send { name, at, size } = Dcc::parse(br#"SEND "a b.txt" 134744072 5000 1234"#)? else { panic!() };
/// assert_eq!((name.as_bytes(), size), (&b"a b.txt"[..], Some(1234)));
/// assert_eq!(at, DccOffered::At("8.8.8.8:5000".parse().unwrap()));
/// # Ok::<(), sinew_chat::irc::codec::DccSyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dcc<'a> {
    /// A file is offered, or a passive offer is accepted.
    Send {
        /// The name, as it was sent: it may be a path, or anything else.
        name: IrcText<'a>,
        /// Where it can be fetched.
        at: DccOffered<'a>,
        /// Its length in bytes. Old clients do not say it.
        size: Option<u64>,
    },
    /// A conversation is offered, or a passive offer of one is accepted.
    Chat {
        /// Where.
        at: DccOffered<'a>,
    },
    /// Who was offered a file has a part of it, and wants the rest.
    Resume(DccPart<'a>),
    /// Who offers a file will send it from there.
    Accept(DccPart<'a>),
}

/// Where something is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DccOffered<'a> {
    /// There: connect to it. The port is not 0.
    At(std::net::SocketAddr),
    /// There, as an answer to a passive offer with this token.
    AtFor(std::net::SocketAddr, IrcText<'a>),
    /// Nowhere yet (passive or reverse DCC): answer with an address at which the other is to connect, and with this token.
    Passive(IpAddr, IrcText<'a>),
}

/// A part of a file: the subject of RESUME and ACCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DccPart<'a> {
    /// The name. Many clients send any name here; the port or the token says which file is meant.
    pub name: IrcText<'a>,
    /// The port of the offer; 0 for a passive one.
    pub port: u16,
    /// How many bytes are there already.
    pub position: u64,
    /// The token of a passive offer.
    pub token: Option<IrcText<'a>>,
}

/// Why a text is no message of DCC.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DccSyntaxError {
    /// It is another one than SEND, CHAT, RESUME and ACCEPT.
    #[error("an unknown kind of DCC")]
    Unknown,
    /// It has too few or too many words.
    #[error("a message of DCC with {words} words behind its name")]
    Words {
        /// How many.
        words: usize,
    },
    /// A file name is empty, or its quote is not closed.
    #[error("a message of DCC without a file name, or with half of one")]
    Name,
    /// An address is neither a number of 32 bits nor an IP address.
    #[error("a message of DCC without an IP address")]
    Address,
    /// A port is no number of 16 bits, or 0 without a token.
    #[error("a message of DCC without a port")]
    Port,
    /// A length or a position is no number of 64 bits.
    #[error("a message of DCC whose length is no number")]
    Number,
    /// A token is longer than 32 bytes, or not of visible ASCII.
    #[error("a message of DCC whose token is no word")]
    Token,
}

sinew_transports::reactor::error_debug!(DccSyntaxError);

impl<'a> DccPart<'a> {
    /// A part of the file that is offered at this port.
    #[must_use]
    pub fn new(name: &'a [u8], port: u16, position: u64) -> Self {
        Self { name: IrcText::new(name), port, position, token: None }
    }

    /// The same of a passive offer with this token.
    #[must_use]
    pub fn token(mut self, token: &'a [u8]) -> Self {
        self.token = Some(IrcText::new(token));
        self
    }

    fn parse(rest: &'a [u8]) -> Result<Self, DccSyntaxError> {
        let (name, rest) = file_name(rest)?;
        let (port, position, token) = match *words(rest).as_slice() {
            [port, position] => (port, position, None),
            [port, position, token] => (port, position, Some(self::token(token)?)),
            ref other => return Err(DccSyntaxError::Words { words: other.len() }),
        };
        let (port, position) = (
            number(port).ok_or(DccSyntaxError::Port)?,
            number(position).ok_or(DccSyntaxError::Number)?,
        );
        let port = u16::try_from(port).map_err(|_| DccSyntaxError::Port)?;
        if port == 0 && token.is_none() {
            return Err(DccSyntaxError::Port);
        }
        Ok(Self { name: IrcText::new(name), port, position, token })
    }
}

impl<'a> Dcc<'a> {
    /// Parses the text behind `DCC `.
    ///
    /// # Errors
    ///
    /// [`DccSyntaxError`].
    pub fn parse(text: &'a [u8]) -> Result<Self, DccSyntaxError> {
        let (kind, rest) = text.split_at(memchr(b' ', text).unwrap_or(text.len()));
        match kind.to_ascii_uppercase().as_slice() {
            b"SEND" => {
                let (name, rest) = file_name(rest)?;
                let (at, size) = match *words(rest).as_slice() {
                    [ip, port] => (offered(ip, port, None)?, None),
                    [ip, port, size] => (offered(ip, port, None)?, Some(size)),
                    [ip, port, size, token] => (offered(ip, port, Some(token))?, Some(size)),
                    ref other => return Err(DccSyntaxError::Words { words: other.len() }),
                };
                let size = size.map(|size| number(size).ok_or(DccSyntaxError::Number));
                Ok(Self::Send { name: IrcText::new(name), at, size: size.transpose()? })
            }
            b"CHAT" => {
                let at = match *words(rest).as_slice() {
                    [kind, ..] if !kind.eq_ignore_ascii_case(b"chat") => {
                        return Err(DccSyntaxError::Unknown);
                    }
                    [_, ip, port] => offered(ip, port, None)?,
                    [_, ip, port, token] => offered(ip, port, Some(token))?,
                    ref other => return Err(DccSyntaxError::Words { words: other.len() }),
                };
                Ok(Self::Chat { at })
            }
            b"RESUME" => DccPart::parse(rest).map(Self::Resume),
            b"ACCEPT" => DccPart::parse(rest).map(Self::Accept),
            _ => Err(DccSyntaxError::Unknown),
        }
    }

    /// The text behind `DCC `, for [`Ctcp::encode`](super::Ctcp::encode), which refuses line ends.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: a name is empty or has a quote or a control character, a port is 0, or a token is not a word.
    pub fn encode(&self) -> Result<Vec<u8>, BuildError> {
        let part = |kind: &str, part: &DccPart<'_>| {
            let name = quoted(&part.name)?;
            let mut text = format!("{kind} ").into_bytes();
            text.extend_from_slice(&name);
            text.extend_from_slice(format!(" {} {}", part.port, part.position).as_bytes());
            match part.token {
                Some(token) => push_token(&mut text, &token)?,
                None if part.port == 0 => return Err(BuildError::Empty),
                None => {}
            }
            Ok(text)
        };
        match self {
            Self::Send { name, at, size } => {
                let mut text = [b"SEND ", quoted(name)?.as_slice()].concat();
                let (place, token) = at.encode()?;
                text.extend_from_slice(place.as_bytes());
                // A token is the fifth word, so there is a length before it.
                if let Some(size) = size.or(token.map(|_| 0)) {
                    text.extend_from_slice(format!(" {size}").as_bytes());
                }
                token.map_or(Ok(()), |token| push_token(&mut text, &token))?;
                Ok(text)
            }
            Self::Chat { at } => {
                let (place, token) = at.encode()?;
                let mut text = format!("CHAT chat{place}").into_bytes();
                token.map_or(Ok(()), |token| push_token(&mut text, &token))?;
                Ok(text)
            }
            Self::Resume(of) => part("RESUME", of),
            Self::Accept(of) => part("ACCEPT", of),
        }
    }
}

impl<'a> DccOffered<'a> {
    fn encode(&self) -> Result<(String, Option<IrcText<'a>>), BuildError> {
        let (ip, port, token) = match *self {
            Self::At(at) => (at.ip(), at.port(), None),
            Self::AtFor(at, token) => (at.ip(), at.port(), Some(token)),
            Self::Passive(ip, token) => (ip, 0, Some(token)),
        };
        if port == 0 && !matches!(self, Self::Passive(..)) {
            return Err(BuildError::Empty);
        }
        Ok((format!(" {} {port}", Written(ip)), token))
    }
}

/// An address as DCC has it: IPv4 as a number.
struct Written(IpAddr);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_canonical() {
            IpAddr::V4(ip) => ip.to_bits().fmt(f),
            IpAddr::V6(ip) => ip.fmt(f),
        }
    }
}

/// The name at the front, in quotes if it has spaces, and what follows it.
fn file_name(text: &[u8]) -> Result<(&[u8], &[u8]), DccSyntaxError> {
    let text = text.trim_ascii_start();
    let (name, rest) = match text.strip_prefix(b"\"") {
        // A quote inside of the name is not escaped: the last one ends it.
        Some(inside) => {
            let end = memrchr(b'"', inside).ok_or(DccSyntaxError::Name)?;
            (&inside[..end], &inside[end + 1..])
        }
        None => text.split_at(memchr(b' ', text).unwrap_or(text.len())),
    };
    match name.is_empty() {
        true => Err(DccSyntaxError::Name),
        false => Ok((name, rest)),
    }
}

fn quoted(name: &[u8]) -> Result<Vec<u8>, BuildError> {
    if name.is_empty() {
        return Err(BuildError::Empty);
    }
    let is_forbidden = |byte: &u8| byte.is_ascii_control() || *byte == b'"';
    if let Some(at) = name.iter().position(is_forbidden) {
        return Err(BuildError::Forbidden { byte: name[at], at });
    }
    Ok(match memchr(b' ', name) {
        Some(_) => [b"\"", name, b"\""].concat(),
        None => name.to_vec(),
    })
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    // One more than any message has.
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(6).collect()
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

fn address(text: &[u8]) -> Result<IpAddr, DccSyntaxError> {
    let ip = match number(text) {
        Some(bits) => u32::try_from(bits).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        None => str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
    };
    ip.map(|ip: IpAddr| ip.to_canonical()).ok_or(DccSyntaxError::Address)
}

fn offered<'a>(
    ip: &[u8],
    port: &[u8],
    token: Option<&'a [u8]>,
) -> Result<DccOffered<'a>, DccSyntaxError> {
    let ip = address(ip)?;
    let port =
        number(port).and_then(|port| u16::try_from(port).ok()).ok_or(DccSyntaxError::Port)?;
    match (port, token.map(self::token).transpose()?) {
        (0, Some(token)) => Ok(DccOffered::Passive(ip, token)),
        (0, None) => Err(DccSyntaxError::Port),
        (_, Some(token)) => Ok(DccOffered::AtFor((ip, port).into(), token)),
        (_, None) => Ok(DccOffered::At((ip, port).into())),
    }
}

fn token(word: &[u8]) -> Result<IrcText<'_>, DccSyntaxError> {
    match word.len() <= TOKEN_MAX && word.iter().all(u8::is_ascii_graphic) {
        true => Ok(IrcText::new(word)),
        false => Err(DccSyntaxError::Token),
    }
}

fn push_token(text: &mut Vec<u8>, token: &[u8]) -> Result<(), BuildError> {
    if token.is_empty() {
        return Err(BuildError::Empty);
    }
    if let Some(at) = token.iter().position(|byte| !byte.is_ascii_graphic()) {
        return Err(BuildError::Forbidden { byte: token[at], at });
    }
    if token.len() > TOKEN_MAX {
        return Err(BuildError::TooLong { len: token.len(), max: TOKEN_MAX });
    }
    text.push(b' ');
    text.extend_from_slice(token);
    Ok(())
}
