//! The parameters of a client's TLS session with its proxy: [`ProxySsl`], the value of [`tlv::SSL`](super::tlv::SSL). Pure.

use super::{Tlvs, codec};

/// Flags: connected over TLS; sent a certificate in this connection; sent one in this session.
const OVER_TLS: u8 = 0x01;
const CERTIFICATE_IN_CONNECTION: u8 = 0x02;
const CERTIFICATE_IN_SESSION: u8 = 0x04;

/// Types of nested TLVs (section 2.2.6 of the specification).
const VERSION: u8 = 0x21;
const COMMON_NAME: u8 = 0x22;
const CIPHER: u8 = 0x23;

/// The parameters of a client's TLS session with its proxy: sent by [`ProxyHeader::ssl`](super::ProxyHeader::ssl), and
/// received by [`Proxied::ssl`](super::Proxied::ssl).
///
/// # Examples
///
/// ```
/// use sinew_transports::proxy::ProxySsl;
///
/// let ssl = ProxySsl::new().version("TLSv1.3").cipher("TLS_AES_256_GCM_SHA384");
/// assert_eq!(ssl.told_version(), Some("TLSv1.3"));
/// assert!(!ssl.is_verified());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct ProxySsl {
    flags: u8,
    /// 0 if the client's certificate was verified.
    verify: u32,
    tlvs: Tlvs,
}

impl Default for ProxySsl {
    fn default() -> Self {
        Self::new()
    }
}

impl ProxySsl {
    /// A client that uses TLS without a certificate.
    pub const fn new() -> Self {
        Self { flags: OVER_TLS, verify: 1, tlvs: Vec::new() }
    }

    /// The client has sent a certificate, which was verified: in the handshake of this connection, or else in that of a session which
    /// was resumed.
    pub const fn verified(mut self, in_this_connection: bool) -> Self {
        self.flags |= CERTIFICATE_IN_SESSION;
        if in_this_connection {
            self.flags |= CERTIFICATE_IN_CONNECTION;
        }
        self.verify = 0;
        self
    }

    /// The TLS version, as OpenSSL writes it: `TLSv1.3`.
    pub fn version(self, version: &str) -> Self {
        self.with_text(VERSION, version)
    }

    /// The cipher suite.
    pub fn cipher(self, cipher: &str) -> Self {
        self.with_text(CIPHER, cipher)
    }

    /// The common name of the client's certificate.
    pub fn common_name(self, name: &str) -> Self {
        self.with_text(COMMON_NAME, name)
    }

    fn with_text(mut self, kind: u8, text: &str) -> Self {
        self.tlvs.retain(|(other, _)| *other != kind);
        self.tlvs.push((kind, text.as_bytes().into()));
        self
    }

    /// Whether the client uses TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.flags & OVER_TLS != 0
    }

    /// Whether the client has sent a certificate that was verified.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.flags & (CERTIFICATE_IN_CONNECTION | CERTIFICATE_IN_SESSION) != 0 && self.verify == 0
    }

    /// The TLS version, if it was given in UTF-8.
    #[must_use]
    pub fn told_version(&self) -> Option<&str> {
        self.text_tlv(VERSION)
    }

    /// The cipher suite, if it was given in UTF-8.
    #[must_use]
    pub fn told_cipher(&self) -> Option<&str> {
        self.text_tlv(CIPHER)
    }

    /// The common name of the client's certificate, if it was given in UTF-8. The client chooses it, within the limits of the CA that
    /// has signed the certificate.
    #[must_use]
    pub fn told_common_name(&self) -> Option<&str> {
        self.text_tlv(COMMON_NAME)
    }

    fn text_tlv(&self, kind: u8) -> Option<&str> {
        let (_, value) = self.tlvs.iter().find(|(other, _)| *other == kind)?;
        std::str::from_utf8(value).ok()
    }

    /// Length of the encoding.
    pub(super) fn len(&self) -> usize {
        5 + codec::tlvs_len(&self.tlvs)
    }

    /// Encodes it. The caller checks that the [length](Self::len) fits into a TLV.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.flags];
        bytes.extend(self.verify.to_be_bytes());
        codec::write_tlvs(&mut bytes, &self.tlvs);
        bytes
    }

    /// Decodes it. `None` if the value is malformed.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let [flags, a, b, c, d, tlvs @ ..] = value else { return None };
        let verify = u32::from_be_bytes([*a, *b, *c, *d]);
        Some(Self { flags: *flags, verify, tlvs: codec::v2_tlvs(tlvs).ok()? })
    }
}

#[cfg(feature = "tls")]
impl From<&crate::tls::info::TlsInfo> for ProxySsl {
    /// The parameters of a client's connection, from [`Transport::tls_info`](crate::Transport::tls_info). A client certificate, if there
    /// is one, was verified.
    fn from(info: &crate::tls::info::TlsInfo) -> Self {
        use crate::tls::info::TlsVersion;
        let version = match info.version {
            TlsVersion::Tls12 => "TLSv1.2",
            TlsVersion::Tls13 => "TLSv1.3",
        };
        let text_tlv = Self::new().version(version).cipher(info.cipher);
        let is_verified = !info.peer_certificates.is_empty();
        if is_verified { text_tlv.verified(!info.is_resumed) } else { text_tlv }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_round_trip() {
        let plain = ProxySsl::new();
        let full = ProxySsl::new()
            .verified(true)
            .version("TLSv1.2")
            .version("TLSv1.3")
            .cipher("TLS_AES_128_GCM_SHA256")
            .common_name("grün");
        for ssl in [plain.clone(), full.clone(), ProxySsl::new().verified(false)] {
            assert_eq!(ProxySsl::read(&ssl.to_bytes()), Some(ssl));
        }
        assert!(plain.is_tls() && !plain.is_verified() && plain.told_version().is_none());
        assert!(full.is_tls() && full.is_verified());
        assert_eq!(full.told_version(), Some("TLSv1.3"));
        assert_eq!(full.told_cipher(), Some("TLS_AES_128_GCM_SHA256"));
        assert_eq!(full.told_common_name(), Some("grün"));
        assert_eq!(
            plain.version("x").to_bytes(),
            [0x01, 0, 0, 0, 1, 0x21, 0, 1, b'x'],
            "section 2.2.6 of the specification"
        );
        for bad in [&[][..], &[1, 0, 0, 0], &[1, 0, 0, 0, 0, 0x21], &[1, 0, 0, 0, 0, 0x21, 0, 2, 1]]
        {
            assert_eq!(ProxySsl::read(bad), None, "{bad:?}");
        }
    }
}
