//! The messages of SCRAM (RFC 5802 7).

use super::{
    encoding::{self, encode},
    gs2::{Gs2Header, decode_name, encode_name},
    names::text,
};
use crate::SaslError;

/// Longest nonce, in bytes.
const NONCE_MAX: usize = 512;

/// Longest salt, in bytes.
const SALT_MAX: usize = 256;

/// The first message of a client.
#[derive(Debug)]
pub(crate) struct ClientFirst<'a> {
    pub(crate) header: Gs2Header<'a>,
    pub(crate) header_text: &'a str,
    /// What is behind the header, which is signed.
    pub(crate) bare: &'a str,
    pub(crate) user: String,
    pub(crate) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let (header, header_text, bare) = Gs2Header::split(text(message)?)?;
        let mut parts = Attributes(bare.split(','));
        let user = decode_name(parts.take("n=")?)?;
        let nonce = nonce(parts.take("r=")?)?;
        parts.end()?;
        Ok(Self { header, header_text, bare, user, nonce })
    }

    /// What is behind the header.
    pub(crate) fn encode_bare(user: &str, nonce: &str) -> String {
        format!("n={},r={nonce}", encode_name(user))
    }
}

/// The first message of a server.
#[derive(Debug)]
pub(crate) struct ServerFirst<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl<'a> ServerFirst<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let message = text(message)?;
        if let Some(error) = message.strip_prefix("e=") {
            return Err(SaslError::Server(error.to_owned()));
        }
        let mut parts = Attributes(message.split(','));
        let nonce = nonce(parts.take("r=")?)?;
        let salt = base64(parts.take("s=")?)?;
        let iterations = parts.take("i=")?;
        let is_number =
            iterations.bytes().all(|b| b.is_ascii_digit()) && !iterations.starts_with('0');
        let iterations = iterations.parse().ok().filter(|_| is_number);
        parts.end()?;
        let iterations = iterations.ok_or(SaslError::Malformed("the number of iterations"))?;
        if !(1..=SALT_MAX).contains(&salt.len()) {
            return Err(SaslError::Malformed("the salt"));
        }
        Ok(Self { nonce, salt, iterations })
    }

    pub(crate) fn encode(nonce: &str, salt: &[u8], iterations: u32) -> String {
        format!("r={nonce},s={},i={iterations}", encode(salt))
    }
}

/// The last message of a client.
#[derive(Debug)]
pub(crate) struct ClientFinal<'a> {
    /// The header of the first message, and the channel binding.
    pub(crate) binding: Vec<u8>,
    pub(crate) nonce: &'a str,
    /// What is before the proof, which is signed.
    pub(crate) without_proof: &'a str,
    pub(crate) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        // The proof is the last attribute, and base64 has no comma.
        let parts = text(message)?.rsplit_once(",p=");
        let (without_proof, proof) = parts.ok_or(SaslError::Malformed("there is no proof"))?;
        let mut parts = Attributes(without_proof.split(','));
        let binding = base64(parts.take("c=")?)?;
        let nonce = nonce(parts.take("r=")?)?;
        parts.end()?;
        Ok(Self { binding, nonce, without_proof, proof: base64(proof)? })
    }

    /// Without the proof.
    pub(crate) fn encode(binding: &[u8], nonce: &str) -> String {
        format!("c={},r={nonce}", encode(binding))
    }

    pub(crate) fn with_proof(without: &str, proof: &[u8]) -> String {
        format!("{without},p={}", encode(proof))
    }
}

/// The last message of a server: its signature.
pub(crate) struct ServerFinal;

impl ServerFinal {
    pub(crate) fn decode(message: &[u8]) -> Result<Vec<u8>, SaslError> {
        let message = text(message)?;
        if let Some(error) = message.strip_prefix("e=") {
            return Err(SaslError::Server(error.to_owned()));
        }
        let mut parts = Attributes(message.split(','));
        let signature = base64(parts.take("v=")?)?;
        parts.end()?;
        Ok(signature)
    }

    pub(crate) fn encode(signature: &[u8]) -> String {
        format!("v={}", encode(signature))
    }
}

/// The attributes of a message: a letter, `=` and a value each.
struct Attributes<'a>(std::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    /// The value of the next one. `m=`, an extension that has to be understood, is none that is expected anywhere.
    fn take(&mut self, name: &str) -> Result<&'a str, SaslError> {
        let value = self.0.next().and_then(|part| part.strip_prefix(name));
        value.ok_or(SaslError::Malformed("an attribute is missing"))
    }

    /// The rest are extensions, which may be ignored (RFC 5802 5.1), if they have the form of attributes.
    fn end(mut self) -> Result<(), SaslError> {
        let is_good = |part: &str| {
            let mut bytes = part.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_alphabetic() && b != b'm')
                && bytes.next() == Some(b'=')
                && bytes.all(|b| b != 0)
                && part.len() > 2
        };
        self.0.all(is_good).then_some(()).ok_or(SaslError::Malformed("an extension"))
    }
}

/// Printable, and without a comma (RFC 5802 7).
fn nonce(text: &str) -> Result<&str, SaslError> {
    let is_good =
        (1..=NONCE_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_good.then_some(text).ok_or(SaslError::Malformed("the nonce"))
}

fn base64(text: &str) -> Result<Vec<u8>, SaslError> {
    encoding::base64(text.as_bytes()).ok_or(SaslError::Base64)
}
