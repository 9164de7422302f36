//! Parser of the `Authorization` field of Basic authentication (RFC 7617): [`Basic`].

use crate::codec::base64_decode;

/// Longest credentials, encoded. Longer ones are rejected undecoded.
const CREDENTIALS_MAX: usize = 1_024;

/// A name and a password.
pub(super) struct Basic {
    pub(super) user: String,
    pub(super) password: Vec<u8>,
}

impl Basic {
    /// Parses the part after the name of the scheme.
    pub(super) fn parse(encoded: &str) -> Option<Self> {
        if encoded.len() > CREDENTIALS_MAX {
            return None;
        }
        let mut decoded = base64_decode(encoded)?;
        let colon = memchr::memchr(b':', &decoded)?;
        let password = decoded.split_off(colon + 1);
        decoded.truncate(colon);
        let user = String::from_utf8(decoded).ok()?;
        // A user name with a control character could break out of a log line (RFC 7617 2 forbids it).
        (!user.chars().any(char::is_control)).then_some(Self { user, password })
    }
}
