//! The messages of CRAM-MD5 (RFC 2195).

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::names::{prepare_password, prepare_user, text};
use crate::SaslError;

/// `user SP digest`.
pub(crate) struct CramMd5<'a> {
    pub(crate) user: String,
    /// In hexadecimal.
    pub(crate) digest: &'a str,
}

impl<'a> CramMd5<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let parts = text(message)?.rsplit_once(' ');
        let (user, digest) = parts.ok_or(SaslError::Malformed("not two parts"))?;
        let is_digest =
            digest.len() == 32 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest {
            return Err(SaslError::Malformed("the digest"));
        }
        Ok(Self { user: prepare_user(user)?, digest })
    }
}

/// The digest of a challenge, in hexadecimal. The password is prepared, as GNU SASL does.
pub(crate) fn digest(password: &[u8], challenge: &[u8]) -> String {
    let mac = Hmac::<Md5>::new_from_slice(&prepare_password(password));
    let mut mac = mac.expect("HMAC accepts keys of any length");
    mac.update(challenge);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}
