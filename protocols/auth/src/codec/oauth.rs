//! The messages of OAUTHBEARER (RFC 7628) and XOAUTH2.

use super::{
    gs2::{BindingFlag, Gs2Header},
    names::{prepare_user, text},
};
use crate::{SaslError, Secret};

/// What ends each pair of a name and a value.
const SEPARATOR: char = '\x01';

/// What a server answers to a token that it does not accept (RFC 7628 3.2.2).
pub(crate) const REFUSED: &[u8] = br#"{"status":"invalid_token"}"#;

/// The same for XOAUTH2.
pub(crate) const X_REFUSED: &[u8] = br#"{"status":"401","schemes":"bearer"}"#;

/// A token, and whose it is.
pub(crate) struct Bearer {
    pub(crate) user: Option<String>,
    pub(crate) token: Secret,
}

impl Bearer {
    /// `gs2-header ^A *(key "=" value ^A) ^A`, with `auth=Bearer token` among the pairs.
    pub(crate) fn decode(message: &[u8]) -> Result<Self, SaslError> {
        let (header, _, rest) = Gs2Header::split(text(message)?)?;
        if header.flag != BindingFlag::None {
            return Err(SaslError::Malformed("its header"));
        }
        let rest = rest.strip_prefix(SEPARATOR).ok_or(SaslError::Malformed("its pairs"))?;
        Ok(Self { user: header.authorize_as, token: token(rest)? })
    }

    /// `user=name ^A auth=Bearer token ^A ^A`.
    pub(crate) fn decode_x(message: &[u8]) -> Result<Self, SaslError> {
        let pairs = text(message)?;
        let user = pairs.strip_prefix("user=").and_then(|rest| rest.split_once(SEPARATOR));
        let (user, rest) = user.ok_or(SaslError::Malformed("its pairs"))?;
        Ok(Self { user: Some(prepare_user(user)?), token: token(rest)? })
    }

    /// The host and the port are those that the client has connected to, if it wants to say.
    pub(crate) fn encode(user: &str, token: &str, server: Option<&(String, u16)>) -> String {
        let user = Some(user).filter(|user| !user.is_empty());
        let header = Gs2Header::encode(BindingFlag::None, user);
        let server =
            server.map(|(host, port)| format!("host={host}{SEPARATOR}port={port}{SEPARATOR}"));
        let server = server.unwrap_or_default();
        format!("{header}{SEPARATOR}{server}auth=Bearer {token}{SEPARATOR}{SEPARATOR}")
    }

    pub(crate) fn encode_x(user: &str, token: &str) -> String {
        format!("user={user}{SEPARATOR}auth=Bearer {token}{SEPARATOR}{SEPARATOR}")
    }
}

/// The token of `*(key "=" value ^A) ^A`. Other pairs are for other servers.
fn token(pairs: &str) -> Result<Secret, SaslError> {
    let malformed = SaslError::Malformed("its pairs");
    let pairs = pairs.strip_suffix(SEPARATOR).and_then(|pairs| pairs.strip_suffix(SEPARATOR));
    let Some(pairs) = pairs else { return Err(malformed) };
    let mut found = None;
    for pair in pairs.split(SEPARATOR) {
        let is_good = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic());
        match pair.split_once('=').filter(|(key, _)| is_good(key)) {
            Some(("auth", value)) if found.is_none() => found = Some(value),
            Some(("auth", _)) | None => return Err(malformed),
            Some(_) => {}
        }
    }
    let (scheme, token) = found.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let is_good = scheme.eq_ignore_ascii_case("bearer") && is_token(token);
    is_good.then(|| token.into()).ok_or(SaslError::Malformed("the token"))
}

/// RFC 6750 2.1.
pub(crate) fn is_token(token: &str) -> bool {
    let digits = token.trim_end_matches('=');
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !digits.is_empty() && digits.bytes().all(is_digit)
}
