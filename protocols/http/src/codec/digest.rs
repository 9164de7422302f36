//! The hash functions of Digest authentication (RFC 7616): [`DigestAlgorithm`]. For servers and clients.

use md5::Md5;
use sha2::Sha256;

use super::hex::hex;

/// A hash function of Digest authentication (RFC 7616 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// MD5: for clients that know no other. It is broken for other purposes, but not known to be for this one.
    Md5,
    /// SHA-256.
    Sha256,
}

impl DigestAlgorithm {
    /// The secret that client and server share: the hash of `user:realm:password`, in hexadecimal digits. It is as good as the
    /// password in that realm.
    #[must_use]
    pub fn secret(self, user: &str, realm: &str, password: &[u8]) -> String {
        self.hash(&[user.as_bytes(), b":", realm.as_bytes(), b":", password])
    }

    /// The hash of the pieces, one behind the other, in hexadecimal digits.
    pub(crate) fn hash(self, pieces: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hash_of::<Md5>(pieces),
            Self::Sha256 => hash_of::<Sha256>(pieces),
        }
    }

    /// The name in fields.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
}

fn hash_of<D: sha2::Digest>(pieces: &[&[u8]]) -> String {
    let mut hash = D::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hex(&hash.finalize())
}
