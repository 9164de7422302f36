//! How signatures are computed: [`TsigAlgorithm`]. HMAC with hashes of `sha1` and `sha2`.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

/// How a signature is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TsigAlgorithm {
    /// HMAC-SHA-1, for old servers.
    HmacSha1,
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-384.
    HmacSha384,
    /// HMAC-SHA-512.
    HmacSha512,
}

impl TsigAlgorithm {
    /// The name of the algorithm, which is how it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// The name as it is on the wire.
    pub(super) fn wire_name(self) -> Vec<u8> {
        let name = self.name();
        let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
        [&[len], name.as_bytes(), &[0]].concat()
    }

    pub(super) fn mac(self, secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        fn with<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
            let mut mac =
                <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::HmacSha1 => with::<Hmac<Sha1>>(secret, parts),
            Self::HmacSha256 => with::<Hmac<Sha256>>(secret, parts),
            Self::HmacSha384 => with::<Hmac<Sha384>>(secret, parts),
            Self::HmacSha512 => with::<Hmac<Sha512>>(secret, parts),
        }
    }

    /// Compares in constant time.
    pub(super) fn is_mac(self, secret: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
        fn with<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
            let mut mac =
                <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
            parts.iter().for_each(|part| mac.update(part));
            mac.verify_slice(tag).is_ok()
        }
        match self {
            Self::HmacSha1 => with::<Hmac<Sha1>>(secret, parts, tag),
            Self::HmacSha256 => with::<Hmac<Sha256>>(secret, parts, tag),
            Self::HmacSha384 => with::<Hmac<Sha384>>(secret, parts, tag),
            Self::HmacSha512 => with::<Hmac<Sha512>>(secret, parts, tag),
        }
    }
}
