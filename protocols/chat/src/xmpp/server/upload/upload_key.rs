//! What an upload may be, signed: [`UploadKey`], [`Grant`]. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sinew_auth::Secret;

/// Longest token that is read.
const TOKEN_MAX: usize = 2_048;

/// The key that the service and the HTTP server share.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use sinew_chat::xmpp::server::upload::{Grant, UploadKey};
///
/// let key = UploadKey::new("32 random bytes would be better..");
/// let now = SystemTime::now();
/// let grant = Grant::new(10_000, Some("image/png"), now + Duration::from_secs(300));
/// let header = format!("Bearer {}", key.sign("/upload/abc/cat.png", &grant));
/// let found = key.verify("/upload/abc/cat.png", &header, now)?;
/// assert_eq!((found.size, found.content_type.as_deref()), (10_000, Some("image/png")));
/// assert!(key.verify("/upload/abc/dog.png", &header, now).is_err());
/// # Ok::<(), sinew_chat::xmpp::server::upload::GrantError>(())
/// ```
#[derive(Clone, Debug)]
pub struct UploadKey(Secret);

/// What may be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The length of the file in bytes: the upload has exactly this one.
    pub size: u64,
    /// The type of the file, if the client has said one: the upload has the same.
    pub content_type: Option<String>,
    /// Until when the upload has to begin. To the second.
    pub until: SystemTime,
}

/// Why an upload is not allowed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// There is no token, or it is none: answer with 401.
    #[error("the upload has no token that is one")]
    Malformed,
    /// The token is for another path or of another key: answer with 403.
    #[error("the token of the upload was not signed for this path by this key")]
    Signature,
    /// It is too late: answer with 403.
    #[error("the token of the upload has expired")]
    Expired,
}

sinew_transports::reactor::error_debug!(GrantError);

impl Grant {
    /// A file of this length and type, until then.
    #[must_use]
    pub fn new(size: u64, content_type: Option<&str>, until: SystemTime) -> Self {
        Self { size, content_type: content_type.map(str::to_owned), until }
    }
}

impl UploadKey {
    /// A key: at least 32 random bytes.
    pub fn new(secret: impl Into<Secret>) -> Self {
        Self(secret.into())
    }

    /// A token for the upload of a file to the path of an address, as it is sent in a request.
    #[must_use]
    pub fn sign(&self, path: &str, grant: &Grant) -> String {
        let until = grant.until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let kind = grant.content_type.as_deref().unwrap_or_default();
        let what = format!("{}.{until}.{}", grant.size, BASE64URL_NOPAD.encode(kind.as_bytes()));
        let tag = self.tag(path, &what);
        format!("{what}.{}", BASE64URL_NOPAD.encode(&tag))
    }

    /// What may be uploaded to a path with this header `Authorization`.
    ///
    /// # Errors
    ///
    /// [`GrantError`].
    pub fn verify(
        &self,
        path: &str,
        authorization: &str,
        now: SystemTime,
    ) -> Result<Grant, GrantError> {
        let (scheme, token) = authorization.split_once(' ').ok_or(GrantError::Malformed)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > TOKEN_MAX {
            return Err(GrantError::Malformed);
        }
        let (what, tag) = token.rsplit_once('.').ok_or(GrantError::Malformed)?;
        let tag = decoded(tag)?;
        // In constant time, and before anything of it is believed.
        if !sinew_auth::is_equal(&self.tag(path, what), &tag) {
            return Err(GrantError::Signature);
        }
        let mut parts = what.split('.');
        let mut part = || parts.next().ok_or(GrantError::Malformed);
        let size = part()?.parse().map_err(|_| GrantError::Malformed)?;
        let until = part()?.parse().map_err(|_| GrantError::Malformed)?;
        let kind = String::from_utf8(decoded(part()?)?).map_err(|_| GrantError::Malformed)?;
        let until = UNIX_EPOCH.checked_add(Duration::from_secs(until));
        let until = until.ok_or(GrantError::Malformed)?;
        match now > until {
            true => Err(GrantError::Expired),
            false => {
                Ok(Grant { size, content_type: Some(kind).filter(|kind| !kind.is_empty()), until })
            }
        }
    }

    /// The path cannot be confused with the rest: a path has no NUL.
    fn tag(&self, path: &str, what: &str) -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.bytes());
        let mut mac = mac.expect("HMAC takes keys of any length");
        mac.update(path.as_bytes());
        mac.update(&[0]);
        mac.update(what.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, GrantError> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| GrantError::Malformed)
}
