//! The OPT record of queries and responses (RFC 6891), read and written by hand. Knows what the guard has checked: names and lengths.

use super::cookies::{CLIENT_LEN, COOKIE_LEN};
use crate::{
    codec::{Outline, skip_name},
    zone::schema::OPT,
};

/// The number of the option COOKIE.
const COOKIE: u16 = 10;

/// What a query says by its OPT record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edns {
    /// Longest response over UDP that the client takes.
    pub(super) payload: u16,
    pub(super) version: u8,
    /// DO: the records of DNSSEC are wanted.
    pub(super) is_dnssec: bool,
    pub(super) cookie: Option<Cookie>,
}

/// The cookie of a client, and perhaps what it has got from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) client: [u8; CLIENT_LEN],
    /// Client and server part, if that is of our length.
    pub(super) whole: Option<[u8; COOKIE_LEN]>,
}

/// The OPT record is wrong: the response is FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidEdns;

impl Edns {
    /// Reads the OPT record of a message that was inspected. `None` if there is none.
    pub(super) fn read(message: &[u8], outline: &Outline) -> Result<Option<Self>, InvalidEdns> {
        let mut at = outline.questions_end;
        let mut found = None;
        let counts = outline.header.counts;
        let before = usize::from(counts[1]) + usize::from(counts[2]);
        for record in 0..before + usize::from(counts[3]) {
            let name = at;
            at = skip_name(message, at);
            let Some(fixed) = message.get(at..).and_then(|rest| rest.first_chunk::<10>()) else {
                return Err(InvalidEdns);
            };
            let len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            at += fixed.len();
            let data = message.get(at..at + len).ok_or(InvalidEdns)?;
            at += len;
            if u16::from_be_bytes([fixed[0], fixed[1]]) == OPT {
                // One, of the root, in the additional section.
                if found.is_some() || message[name] != 0 || record < before {
                    return Err(InvalidEdns);
                }
                found = Some(Self {
                    payload: u16::from_be_bytes([fixed[2], fixed[3]]),
                    version: fixed[5],
                    is_dnssec: fixed[6] & 0x80 != 0,
                    cookie: cookie(data)?,
                });
            }
        }
        Ok(found)
    }
}

fn cookie(mut options: &[u8]) -> Result<Option<Cookie>, InvalidEdns> {
    let mut cookie = None;
    while !options.is_empty() {
        let (head, rest) = options.split_first_chunk::<4>().ok_or(InvalidEdns)?;
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (value, after) = rest.split_at_checked(len).ok_or(InvalidEdns)?;
        options = after;
        if u16::from_be_bytes([head[0], head[1]]) == COOKIE && cookie.is_none() {
            // RFC 7873, section 5.2.2
            if !matches!(len, 8 | 16..=40) {
                return Err(InvalidEdns);
            }
            let client = *value.first_chunk().ok_or(InvalidEdns)?;
            cookie = Some(Cookie { client, whole: value.try_into().ok() });
        }
    }
    Ok(cookie)
}

/// Longest OPT record that is written: with a cookie.
const OPT_LEN_MAX: usize = 11 + 4 + COOKIE_LEN;

/// An OPT record on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptRecord {
    bytes: [u8; OPT_LEN_MAX],
    len: usize,
}

impl OptRecord {
    /// Our payload size, the DO bit of the query, and a cookie.
    pub(super) fn new(payload: u16, is_dnssec: bool, cookie: Option<[u8; COOKIE_LEN]>) -> Self {
        let mut bytes = [0; OPT_LEN_MAX];
        bytes[1..3].copy_from_slice(&OPT.to_be_bytes());
        bytes[3..5].copy_from_slice(&payload.to_be_bytes());
        bytes[7] = if is_dnssec { 0x80 } else { 0 };
        let mut len = 11;
        if let Some(cookie) = cookie {
            let data_len = 4 + COOKIE_LEN;
            bytes[10] = data_len as u8;
            bytes[11..13].copy_from_slice(&COOKIE.to_be_bytes());
            bytes[14] = COOKIE_LEN as u8;
            bytes[15..].copy_from_slice(&cookie);
            len += data_len;
        }
        Self { bytes, len }
    }

    /// The bytes, with the upper eight bits of a response code.
    pub(super) fn with_code(mut self, code: u16) -> Self {
        self.bytes[5] = (code >> 4) as u8;
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
