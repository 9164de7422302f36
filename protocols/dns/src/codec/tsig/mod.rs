//! Signed messages (TSIG, RFC 8945): [`TsigKey`] signs one message and verifies one; [`TsigVerifier`] verifies all messages of a transfer.
//! Pure: the time is an argument. Truncated signatures are not accepted.

mod algorithm;
mod error;
mod record;
mod verifier;

use std::fmt;

pub use algorithm::TsigAlgorithm;
pub use error::TsigError;
pub use verifier::TsigVerifier;

use self::record::{Time, TsigRecord, labels, u16_len, wire_name, with_len};
use super::{MessageError, MessageLimits, Name, RawHeader, base64, guard::HEADER_LEN, inspect};

/// How far clocks may differ: the value that RFC 8945, section 10, recommends.
const FUDGE: u16 = 300;

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
        match base64::decode(secret.trim().as_bytes()) {
            Some(secret) => Ok(Self::new(name, algorithm, secret)),
            None => Err(TsigError::Secret { name: Box::new(name) }),
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
