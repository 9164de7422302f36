//! The message of PLAIN (RFC 4616).

use super::names::{PASSWORD_MAX, prepare_user, text};
use crate::{SaslError, Secret};

/// `authzid NUL authcid NUL passwd`.
pub(crate) struct Plain {
    pub(crate) authorize_as: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Plain {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, SaslError> {
        let mut parts = message.split(|byte| *byte == 0);
        let (Some(authorize_as), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SaslError::Malformed("not three parts"));
        };
        Ok(Self {
            authorize_as: optional_name(text(authorize_as)?)?,
            user: prepare_user(text(user)?)?,
            password: password_of(password)?,
        })
    }

    /// Neither part may contain NUL.
    pub(crate) fn encode(authorize_as: Option<&str>, user: &str, password: &[u8]) -> Vec<u8> {
        [authorize_as.unwrap_or_default().as_bytes(), user.as_bytes(), password].join(&0)
    }
}

/// The name of the user to act as; none if it is empty.
pub(crate) fn optional_name(name: &str) -> Result<Option<String>, SaslError> {
    if name.is_empty() { Ok(None) } else { prepare_user(name).map(Some) }
}

/// A password that a client has sent: UTF-8, not empty, not too long, without NUL (RFC 4616 2).
pub(crate) fn password_of(bytes: &[u8]) -> Result<Secret, SaslError> {
    let is_good = (1..=PASSWORD_MAX).contains(&text(bytes)?.len()) && !bytes.contains(&0);
    is_good.then(|| bytes.into()).ok_or(SaslError::Malformed("the password"))
}
