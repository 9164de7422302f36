//! The keys of SCRAM (RFC 5802 3): [`ScramKeys`], what a server stores in the place of a password, and what both ends compute. Pure.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{
    ScramHash, Secret,
    codec::{
        encoding::{base64, encode},
        names::prepare_password,
    },
    secret::is_equal,
};

/// Most iterations of keys that are read from text.
const ITERATIONS_MAX: u32 = 10_000_000;

/// Longest salt of keys that are read from text, in bytes.
const SALT_MAX: usize = 256;

/// What a server knows of a password for SCRAM. Neither the password nor a way to log in can be made of it, other than by trying
/// passwords.
///
/// Its text is that of PostgreSQL, `SCRAM-SHA-256$4096:salt$stored:server`, with three parts in base64.
///
/// # Examples
///
/// ```
/// use sinew_auth::{ScramHash, ScramKeys};
///
/// let keys = ScramKeys::derive(ScramHash::Sha256, b"pencil", b"some random bytes", 4096);
/// let text = keys.to_text();
/// assert!(text.starts_with("SCRAM-SHA-256$4096:"));
/// assert!(text.parse::<ScramKeys>()?.is_password(b"pencil"));
/// # Ok::<(), sinew_auth::BadScramKeys>(())
/// ```
#[derive(Clone)]
pub struct ScramKeys {
    pub(crate) hash: ScramHash,
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: Secret,
    pub(crate) server_key: Secret,
}

/// A text is not that of [`ScramKeys`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the keys of SCRAM, as in SCRAM-SHA-256$4096:salt$stored:server")]
#[non_exhaustive]
pub struct BadScramKeys;

sinew_transports::reactor::error_debug!(BadScramKeys);

impl ScramKeys {
    /// Derives them from a password, which takes as long as the iterations say: about a millisecond for 4,096. No iterations count
    /// as one.
    #[must_use]
    pub fn derive(hash: ScramHash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        hash.keys(&hash.salted(password, salt, iterations), salt, iterations)
    }

    /// Keys for a user who does not exist, which no password has. They look like `known` ones: the same iterations, and a salt of the
    /// same length, which is always the same for a name and a secret.
    #[cfg(feature = "password-file")]
    pub(crate) fn of_nobody_like(known: &Self, secret: &Secret, user: &str) -> Self {
        let Self { hash, iterations, .. } = *known;
        let salt = hash.name_salt(secret, user, known.salt.len());
        Self::of_nobody(hash, secret, salt, iterations)
    }

    /// Keys that no password has, made of a secret.
    pub(crate) fn of_nobody(
        hash: ScramHash,
        secret: &Secret,
        salt: Vec<u8>,
        iterations: u32,
    ) -> Self {
        let [stored_key, server_key] = [&b"stored"[..], b"server"]
            .map(|what| hash.hmac(secret.bytes(), &[what, &salt].concat()));
        Self { hash, iterations, salt, stored_key, server_key }
    }

    /// Whether they were derived from this password. As slow as [`derive`](Self::derive).
    #[must_use]
    pub fn is_password(&self, password: &[u8]) -> bool {
        let given = Self::derive(self.hash, password, &self.salt, self.iterations);
        self.stored_key.is(given.stored_key.bytes())
    }

    /// The text for a file. Someone who has read it can try passwords at leisure.
    #[must_use]
    pub fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt, self.stored_key.bytes(), self.server_key.bytes()].map(encode);
        format!("{}${}:{salt}${stored}:{server}", self.hash.name(), self.iterations)
    }

    /// Whether a client's proof is right (RFC 5802 3).
    pub(crate) fn accepts(&self, auth_message: &str, proof: &[u8]) -> bool {
        let signature = self.hash.hmac(self.stored_key.bytes(), auth_message.as_bytes());
        let client_key: Vec<u8> = xor(proof, signature.bytes());
        let found = self.hash.digest(&client_key);
        is_equal(self.stored_key.bytes(), &found) & (proof.len() == found.len())
    }

    /// The server's signature.
    pub(crate) fn sign(&self, auth_message: &str) -> Secret {
        self.hash.hmac(self.server_key.bytes(), auth_message.as_bytes())
    }
}

impl FromStr for ScramKeys {
    type Err = BadScramKeys;

    fn from_str(text: &str) -> Result<Self, BadScramKeys> {
        parse(text).ok_or(BadScramKeys)
    }
}

fn parse(text: &str) -> Option<ScramKeys> {
    let mut parts = text.split('$');
    let (name, cost, keys) = (parts.next()?, parts.next()?, parts.next()?);
    let hash = [ScramHash::Sha1, ScramHash::Sha256].into_iter().find(|hash| hash.name() == name)?;
    let (iterations, salt) = cost.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let decode = |text: &str| base64(text.as_bytes());
    let key = |text: &str| decode(text).filter(|key| key.len() == hash.len()).map(Secret::from);
    let keys = ScramKeys {
        hash,
        iterations: iterations.parse().ok()?,
        salt: decode(salt)?,
        stored_key: key(stored)?,
        server_key: key(server)?,
    };
    let is_good = parts.next().is_none()
        && (1..=ITERATIONS_MAX).contains(&keys.iterations)
        && (1..=SALT_MAX).contains(&keys.salt.len());
    is_good.then_some(keys)
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// Both must have the same length for the result to be of use.
pub(crate) fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

impl ScramHash {
    /// The name of the mechanism without channel binding.
    const fn name(self) -> &'static str {
        crate::Mechanism::Scram(self).name()
    }

    /// Bytes of a hash.
    const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// A salt for a name, which only those who know the secret can tell from a random one.
    pub(crate) fn name_salt(self, secret: &Secret, user: &str, len: usize) -> Vec<u8> {
        let tagged = format!("salt of {} for {user}", self.name());
        let mut salt = vec![0; len];
        pbkdf2::pbkdf2_hmac::<Sha256>(secret.bytes(), tagged.as_bytes(), 1, &mut salt);
        salt
    }

    /// `Hi` of RFC 5802 2.2 of a prepared password: slow.
    pub(crate) fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Secret {
        let password = prepare_password(password);
        let mut salted = vec![0; self.len()];
        match self {
            Self::Sha1 => {
                pbkdf2::pbkdf2_hmac::<Sha1>(&password, salt, iterations.max(1), &mut salted);
            }
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac::<Sha256>(&password, salt, iterations.max(1), &mut salted);
            }
        }
        salted.into()
    }

    /// The keys of a server.
    pub(crate) fn keys(self, salted: &Secret, salt: &[u8], iterations: u32) -> ScramKeys {
        ScramKeys {
            hash: self,
            iterations: iterations.max(1),
            salt: salt.to_vec(),
            stored_key: self.digest(self.client_key(salted).bytes()).into(),
            server_key: self.hmac(salted.bytes(), b"Server Key"),
        }
    }

    pub(crate) fn client_key(self, salted: &Secret) -> Secret {
        self.hmac(salted.bytes(), b"Client Key")
    }

    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Secret {
        const ANY_LENGTH: &str = "HMAC accepts keys of any length";
        match self {
            Self::Sha1 => {
                let mut mac = Hmac::<Sha1>::new_from_slice(key).expect(ANY_LENGTH);
                mac.update(message);
                mac.finalize().into_bytes().as_slice().into()
            }
            Self::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_LENGTH);
                mac.update(message);
                mac.finalize().into_bytes().as_slice().into()
            }
        }
    }

    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_there_and_back() {
        for hash in [ScramHash::Sha1, ScramHash::Sha256] {
            let keys = ScramKeys::derive(hash, "p\u{ad}encil".as_bytes(), b"salt", 5);
            let read: ScramKeys = keys.to_text().parse().unwrap();
            assert_eq!(read.to_text(), keys.to_text());
            assert!(read.is_password(b"pencil"), "SASLprep removes the soft hyphen");
            assert!(!read.is_password(b"pencil ") && !read.is_password(b""));
            assert!(!format!("{keys:?}").contains("c2FsdA"), "{keys:?}");
        }
    }

    #[test]
    fn what_are_no_keys() {
        let good = ScramKeys::derive(ScramHash::Sha256, b"x", b"salt", 5).to_text();
        for bad in [
            "",
            "SCRAM-SHA-256",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}$"),
            &good.replace("$5:", "$0:"),
            &good.replace("$5:", "$-5:"),
            &good.replace("$5:", "$4294967295:"),
            &good.replace("SHA-256", "SHA-1"),
            &good.replace("c2FsdA==", ""),
            &good.replace("c2FsdA==", "c2FsdB=="),
        ] {
            assert!(bad.parse::<ScramKeys>().is_err(), "{bad}");
        }
    }
}
