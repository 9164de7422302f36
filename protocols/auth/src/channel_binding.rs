//! Channel bindings (RFC 5056): [`ChannelBinding`], what ties a login to one TLS connection. The certificate is read in
//! `codec/certificate.rs`.

use crate::codec::certificate::{SignatureHash, signature_hash};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Data that both ends of a TLS connection know, and that nobody between them can have in common with both. A login that includes
/// them cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelBinding {
    name: &'static str,
    data: Vec<u8>,
}

impl ChannelBinding {
    /// `tls-server-end-point` (RFC 5929 4): the hash of the server's certificate (DER). `None` if the standard does not say which
    /// hash: for signatures by Ed25519 and RSASSA-PSS, or if it is no certificate.
    #[must_use]
    pub fn server_end_point(certificate: &[u8]) -> Option<Self> {
        let data = match signature_hash(certificate)? {
            SignatureHash::Sha256 => Sha256::digest(certificate).to_vec(),
            SignatureHash::Sha384 => Sha384::digest(certificate).to_vec(),
            SignatureHash::Sha512 => Sha512::digest(certificate).to_vec(),
        };
        Some(Self { name: "tls-server-end-point", data })
    }

    /// `tls-exporter` (RFC 9266): 32 bytes of keying material for the label `EXPORTER-Channel-Binding` without context. For TLS
    /// 1.3, or 1.2 with the extended master secret.
    #[must_use]
    pub fn exporter(material: [u8; 32]) -> Self {
        Self { name: "tls-exporter", data: material.to_vec() }
    }

    /// Its name, as registered with IANA.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }
}
