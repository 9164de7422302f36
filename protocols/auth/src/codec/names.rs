//! Names and passwords: lengths, and the profile SASLprep (RFC 4013).

use std::borrow::Cow;

use crate::SaslError;

/// Longest name of a user, in bytes.
pub(crate) const USER_MAX: usize = 255;

/// Longest password, in bytes. The time of some hashes grows with it.
pub(crate) const PASSWORD_MAX: usize = 1_024;

/// A name in its canonical form. An error if it is empty, too long, or has characters that SASLprep prohibits, such as controls:
/// they could break out of a line in a log.
pub(crate) fn prepare_user(name: &str) -> Result<String, SaslError> {
    let malformed = SaslError::Malformed("the name of the user");
    if name.len() > USER_MAX {
        return Err(malformed);
    }
    match stringprep::saslprep(name) {
        Ok(prepared) if !prepared.is_empty() && prepared.len() <= USER_MAX => {
            Ok(prepared.into_owned())
        }
        _ => Err(malformed),
    }
}

/// A password for SCRAM. One that SASLprep prohibits, or that is not UTF-8, is used as it is, as PostgreSQL and Cyrus do: the
/// tables of RFC 3454 end with Unicode 3.2.
pub(crate) fn prepare_password(password: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(password).map(stringprep::saslprep) {
        Ok(Ok(Cow::Owned(prepared))) => Cow::Owned(prepared.into_bytes()),
        _ => Cow::Borrowed(password),
    }
}

/// Text of a message.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, SaslError> {
    std::str::from_utf8(bytes).map_err(|_| SaslError::Malformed("it is not UTF-8"))
}
