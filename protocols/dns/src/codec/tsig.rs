//! Signed messages (TSIG, RFC 8945): [`TsigKey`] signs one message and verifies one; [`TsigVerifier`] verifies all messages of a transfer.
//! Pure: the time is an argument. Truncated signatures are not accepted.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::{
    MessageError, MessageLimits, Name, RawHeader,
    guard::{HEADER_LEN, Outline, inspect},
};

/// The type of the record.
const TSIG: u16 = 250;

/// How far clocks may differ: the value that RFC 8945, section 10, recommends.
const FUDGE: u16 = 300;

/// Messages of a transfer without a signature, between two with one (RFC 8945, section 5.3.1).
const UNSIGNED_MAX: usize = 99;

/// How a signature is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TsigAlgorithm {
    /// HMAC-SHA-1, for old servers.
    HmacSha1,
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-384.
    HmacSha384,
    /// HMAC-SHA-512.
    HmacSha512,
}

impl TsigAlgorithm {
    /// The name of the algorithm, which is how it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// The name as it is on the wire.
    fn wire_name(self) -> Vec<u8> {
        let name = self.name();
        let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
        [&[len], name.as_bytes(), &[0]].concat()
    }

    fn mac(self, secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        fn with<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
            let mut mac =
                <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::HmacSha1 => with::<Hmac<Sha1>>(secret, parts),
            Self::HmacSha256 => with::<Hmac<Sha256>>(secret, parts),
            Self::HmacSha384 => with::<Hmac<Sha384>>(secret, parts),
            Self::HmacSha512 => with::<Hmac<Sha512>>(secret, parts),
        }
    }

    /// Compares in constant time.
    fn is_mac(self, secret: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
        fn with<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
            let mut mac =
                <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.verify_slice(tag).is_ok()
        }
        match self {
            Self::HmacSha1 => with::<Hmac<Sha1>>(secret, parts, tag),
            Self::HmacSha256 => with::<Hmac<Sha256>>(secret, parts, tag),
            Self::HmacSha384 => with::<Hmac<Sha384>>(secret, parts, tag),
            Self::HmacSha512 => with::<Hmac<Sha512>>(secret, parts, tag),
        }
    }
}

/// A signature is missing or wrong, or a key cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TsigError {
    /// The secret is not base64.
    #[error("the secret of the key {name} is not base64")]
    Secret {
        /// The key.
        name: Box<Name>,
    },
    /// The message cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The message has no signature, or too many messages of a transfer have none.
    #[error("the message is not signed, but must be")]
    Missing,
    /// It is signed with another key, or by another algorithm.
    #[error("the message is signed with another key or algorithm")]
    WrongKey,
    /// The signature is not that of this message and this key.
    #[error("the signature of the message is wrong")]
    BadSignature,
    /// It was signed at another time: the clocks differ, or the message was sent again by somebody else.
    #[error("the message was signed at {signed}, which differs from {now} by more than {fudge} s")]
    BadTime {
        /// When it was signed, in seconds since 1970.
        signed: u64,
        /// The time here.
        now: u64,
        /// How much they may differ.
        fudge: u16,
    },
    /// The server has refused our signature, with this code (16 to 18 and 22: RFC 8945, section 3).
    #[error("the server refuses the signature: {}", refusal(*.0))]
    Refused(u16),
}

sinew_transports::reactor::error_debug!(TsigError);

fn refusal(code: u16) -> &'static str {
    match code {
        16 => "it computes another one (BADSIG)",
        17 => "it does not know the key (BADKEY)",
        18 => "its clock differs (BADTIME)",
        22 => "it was truncated (BADTRUNC)",
        _ => "for an unknown reason",
    }
}

/// A key that client and server share, for signing messages. Its `Debug` output does not contain the secret.
///
/// # Examples
///
/// ```
/// use sinew_dns::codec::tsig::{TsigAlgorithm, TsigError, TsigKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = TsigKey::from_base64("transfer.", TsigAlgorithm::HmacSha256, "c2VjcmV0")?;
/// let signed = key.sign(&[0; 12], 1_700_000_000, None)?;
/// assert!(key.verify(&signed.bytes, None, 1_700_000_100).is_ok());
/// assert!(matches!(key.verify(&signed.bytes, None, 1_700_000_400), Err(TsigError::BadTime { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    /// The name on the wire, in lower case.
    wire_name: Vec<u8>,
    algorithm: TsigAlgorithm,
    secret: Vec<u8>,
    fudge: u16,
}

/// A message with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The message.
    pub bytes: Vec<u8>,
    /// The signature, which the next message includes in its own.
    pub mac: Vec<u8>,
}

impl TsigKey {
    /// A key of this name.
    #[must_use]
    pub fn new(mut name: Name, algorithm: TsigAlgorithm, secret: impl Into<Vec<u8>>) -> Self {
        name.set_fqdn(true);
        let wire_name = wire_name(&name);
        Self { name, wire_name, algorithm, secret: secret.into(), fudge: FUDGE }
    }

    /// A key whose secret is written as in the configuration of servers.
    ///
    /// # Errors
    ///
    /// [`TsigError::Secret`]; [`TsigError::Message`] if the name is none.
    pub fn from_base64(
        name: &str,
        algorithm: TsigAlgorithm,
        secret: &str,
    ) -> Result<Self, TsigError> {
        let name = Name::from_ascii(name)
            .map_err(|error| MessageError::Content(error.to_string().into()))?;
        match data_encoding::BASE64.decode(secret.trim().as_bytes()) {
            Ok(secret) => Ok(Self::new(name, algorithm, secret)),
            Err(_) => Err(TsigError::Secret { name: Box::new(name) }),
        }
    }

    /// How far the clocks may differ. Default 300 s.
    #[must_use]
    pub fn fudge(mut self, seconds: u16) -> Self {
        self.fudge = seconds;
        self
    }

    /// The name of the key.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Signs a message at a time in seconds since 1970. `prior` is the signature of the query, for a response to it.
    ///
    /// # Errors
    ///
    /// [`TsigError::Message`] if it is too short, or would be too long.
    pub fn sign(
        &self,
        message: &[u8],
        now: u64,
        prior: Option<&[u8]>,
    ) -> Result<Signed, TsigError> {
        let time = Time { signed: now, fudge: self.fudge };
        self.sign_with(message, time, prior, &self.variables(time, 0, &[]))
    }

    /// Signs a further message of the response to one query, such as a transfer. `before` is the signature of the message before it
    /// (RFC 8945, section 5.3.1).
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign).
    pub fn sign_next(&self, message: &[u8], now: u64, before: &[u8]) -> Result<Signed, TsigError> {
        let time = Time { signed: now, fudge: self.fudge };
        self.sign_with(message, time, Some(before), &time.to_bytes())
    }

    fn sign_with(
        &self,
        message: &[u8],
        time: Time,
        prior: Option<&[u8]>,
        variables: &[u8],
    ) -> Result<Signed, TsigError> {
        let header = RawHeader::read(message)?;
        let prior = with_len(prior);
        let mac = self.algorithm.mac(&self.secret, &[&prior, message, variables]);

        let mut data = self.algorithm.wire_name();
        data.extend(time.to_bytes());
        data.extend(u16_len(&mac));
        data.extend(&mac);
        data.extend(header.id.to_be_bytes());
        // No error, and no other data.
        data.extend([0; 4]);
        let mut bytes = [message, &self.wire_name].concat();
        bytes.extend([0, 250, 0, 255, 0, 0, 0, 0]);
        bytes.extend(u16_len(&data));
        bytes.extend(&data);
        let (len, max) = (bytes.len(), usize::from(u16::MAX));
        if len > max {
            return Err(MessageError::TooLong { len, max }.into());
        }
        let additionals = header.counts[3].saturating_add(1);
        bytes[10..12].copy_from_slice(&additionals.to_be_bytes());
        Ok(Signed { bytes, mac })
    }

    /// Verifies a message that has a signature, and returns that. `prior` is the signature of the query, for a response to it.
    ///
    /// # Errors
    ///
    /// [`TsigError`].
    pub fn verify(
        &self,
        message: &[u8],
        prior: Option<&[u8]>,
        now: u64,
    ) -> Result<Vec<u8>, TsigError> {
        let outline = inspect(message, &MessageLimits::response())?;
        let record = TsigRecord::read(message, &outline)?.ok_or(TsigError::Missing)?;
        let variables = self.variables(record.time, record.error, record.other);
        self.verify_record(message, &record, &with_len(prior), &variables, now)
    }

    fn verify_record(
        &self,
        message: &[u8],
        record: &TsigRecord<'_>,
        before: &[u8],
        variables: &[u8],
        now: u64,
    ) -> Result<Vec<u8>, TsigError> {
        // A refusal for our key or our signature is not signed (RFC 8945, section 5.3.2).
        if record.mac.is_empty() && record.error != 0 {
            return Err(TsigError::Refused(record.error));
        }
        let is_key =
            record.name == self.wire_name && record.algorithm == self.algorithm.wire_name();
        if !is_key {
            return Err(TsigError::WrongKey);
        }
        let head = record.original_header(message);
        let parts = [before, &head, &message[HEADER_LEN..record.begins], variables];
        if !self.algorithm.is_mac(&self.secret, &parts, record.mac) {
            return Err(TsigError::BadSignature);
        }
        if record.error != 0 {
            return Err(TsigError::Refused(record.error));
        }
        let (signed, fudge) = (record.time.signed, record.time.fudge.min(self.fudge));
        if signed.abs_diff(now) > u64::from(fudge) {
            return Err(TsigError::BadTime { signed, now, fudge });
        }
        Ok(record.mac.to_vec())
    }

    /// What is signed beside the message (RFC 8945, section 4.3.3).
    fn variables(&self, time: Time, error: u16, other: &[u8]) -> Vec<u8> {
        let mut bytes = self.wire_name.clone();
        bytes.extend([0, 255, 0, 0, 0, 0]);
        bytes.extend(self.algorithm.wire_name());
        bytes.extend(time.to_bytes());
        bytes.extend(error.to_be_bytes());
        bytes.extend(u16_len(other));
        bytes.extend(other);
        bytes
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey")
            .field("name", &self.name)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The name of the key that a message is signed with; `None` if it is not signed. For servers with several keys.
///
/// # Errors
///
/// [`MessageError`].
pub fn key_name(message: &[u8]) -> Result<Option<Name>, MessageError> {
    let outline = inspect(message, &MessageLimits::response())?;
    let Some(record) = TsigRecord::read(message, &outline)? else { return Ok(None) };
    let labels = labels(&record.name);
    Name::from_labels(labels)
        .map(Some)
        .map_err(|error| MessageError::Content(error.to_string().into()))
}

/// Verifies the responses to one signed query, in order: one, or all of a transfer (RFC 8945, section 5.3.1), some of which may have no
/// signature of their own.
#[derive(Clone, Debug)]
pub struct TsigVerifier {
    key: TsigKey,
    /// The last signature.
    mac: Vec<u8>,
    is_first: bool,
    /// Messages since the last signature.
    unsigned: Vec<Vec<u8>>,
}

impl TsigVerifier {
    /// For the responses to a query with this signature.
    #[must_use]
    pub const fn new(key: TsigKey, query_mac: Vec<u8>) -> Self {
        Self { key, mac: query_mac, is_first: true, unsigned: Vec::new() }
    }

    /// Takes the next message.
    ///
    /// # Errors
    ///
    /// [`TsigError`]. Whatever was received since the last signed message must not be used then.
    pub fn verify(&mut self, message: &[u8], now: u64) -> Result<(), TsigError> {
        let outline = inspect(message, &MessageLimits::response())?;
        let Some(record) = TsigRecord::read(message, &outline)? else {
            if self.is_first || self.unsigned.len() >= UNSIGNED_MAX {
                return Err(TsigError::Missing);
            }
            self.unsigned.push(message.to_vec());
            return Ok(());
        };
        let mut before = with_len(Some(&self.mac));
        self.unsigned.drain(..).for_each(|message| before.extend(message));
        let variables = if self.is_first {
            self.key.variables(record.time, record.error, record.other)
        } else {
            record.time.to_bytes().to_vec()
        };
        self.mac = self.key.verify_record(message, &record, &before, &variables, now)?;
        self.is_first = false;
        Ok(())
    }

    /// Whether everything received is signed. The last message of a transfer must be.
    ///
    /// # Errors
    ///
    /// [`TsigError::Missing`].
    pub fn finish(&self) -> Result<(), TsigError> {
        let is_done = !self.is_first && self.unsigned.is_empty();
        if is_done { Ok(()) } else { Err(TsigError::Missing) }
    }
}

/// When a message was signed.
#[derive(Clone, Copy)]
struct Time {
    signed: u64,
    fudge: u16,
}

impl Time {
    fn to_bytes(self) -> [u8; 8] {
        (self.signed << 16 | u64::from(self.fudge)).to_be_bytes()
    }
}

/// The record at the end of a message.
struct TsigRecord<'a> {
    begins: usize,
    name: Vec<u8>,
    algorithm: Vec<u8>,
    time: Time,
    mac: &'a [u8],
    original_id: u16,
    error: u16,
    other: &'a [u8],
}

impl<'a> TsigRecord<'a> {
    /// Reads it from a message that was inspected. `None` if there is none.
    fn read(message: &'a [u8], outline: &Outline) -> Result<Option<Self>, MessageError> {
        let (Some(begins), TSIG) = (outline.last_record, outline.last_type) else {
            return Ok(None);
        };
        if outline.header.counts[3] == 0 {
            return Ok(None);
        }
        let invalid = MessageError::DataLength { at: begins };
        let (name, at) = expand(message, begins);
        // The class is ANY, and the TTL is 0 (RFC 8945, section 4.2).
        if message.get(at + 2..at + 8) != Some(&[0, 255, 0, 0, 0, 0]) {
            return Err(invalid);
        }
        // Behind type, class, TTL and length.
        let (algorithm, at) = expand(message, at + 10);
        let read = || {
            let rest = message.get(at..outline.end)?;
            let (fixed, rest) = rest.split_first_chunk::<10>()?;
            let time = u64::from_be_bytes(*fixed.first_chunk()?);
            let time = Time { signed: time >> 16, fudge: time as u16 };
            let mac_len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let (mac, rest) = rest.split_at_checked(mac_len)?;
            let (fixed, other) = rest.split_first_chunk::<6>()?;
            let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
            let is_whole = other.len() == usize::from(word(4));
            let (original_id, error) = (word(0), word(2));
            is_whole.then_some(Self {
                begins,
                name,
                algorithm,
                time,
                mac,
                original_id,
                error,
                other,
            })
        };
        read().map(Some).ok_or(invalid)
    }

    /// The header as it was signed.
    fn original_header(&self, message: &[u8]) -> [u8; HEADER_LEN] {
        let mut head = [0; HEADER_LEN];
        head.copy_from_slice(&message[..HEADER_LEN]);
        head[..2].copy_from_slice(&self.original_id.to_be_bytes());
        let additionals = u16::from_be_bytes([head[10], head[11]]) - 1;
        head[10..].copy_from_slice(&additionals.to_be_bytes());
        head
    }
}

/// The name at a place of an inspected message, without compression and in lower case; and where it ends.
fn expand(message: &[u8], begins: usize) -> (Vec<u8>, usize) {
    let (mut name, mut at, mut ends) = (Vec::new(), begins, None);
    while let Some(&first) = message.get(at) {
        if first >= 0xc0 {
            let Some(&second) = message.get(at + 1) else { break };
            ends.get_or_insert(at + 2);
            at = usize::from(u16::from_be_bytes([first & 0x3f, second]));
            continue;
        }
        let end = (at + 1 + usize::from(first)).min(message.len());
        name.push(first);
        name.extend(message[at + 1..end].to_ascii_lowercase());
        at = end;
        if first == 0 {
            break;
        }
    }
    (name, ends.unwrap_or(at))
}

fn wire_name(name: &Name) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label.to_ascii_lowercase());
    }
    bytes.push(0);
    bytes
}

fn labels(wire: &[u8]) -> Vec<&[u8]> {
    let (mut labels, mut rest) = (Vec::new(), wire);
    while let Some((&len, after)) = rest.split_first().filter(|(len, _)| **len > 0) {
        let Some((label, after)) = after.split_at_checked(usize::from(len)) else { break };
        labels.push(label);
        rest = after;
    }
    labels
}

fn u16_len(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// A signature with its length before it; nothing for none.
fn with_len(mac: Option<&[u8]>) -> Vec<u8> {
    mac.map(|mac| [&u16_len(mac)[..], mac].concat()).unwrap_or_default()
}
