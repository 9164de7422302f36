//! What is known of a TLS connection: [`TlsInfo`].

use std::fmt;

/// What the two ends of a TLS connection have settled; from [`Transport::tls_info`](crate::Transport::tls_info).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of the protocol.
    pub version: TlsVersion,
    /// The cipher suite, as the registry of IANA names it: `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The application protocol (ALPN), if one was settled.
    pub alpn: Option<Vec<u8>>,
    /// The name of the server: the one that the client asked for (SNI), if it did. On the client's side the one that was
    /// verified.
    pub server_name: Option<String>,
    /// The peer's certificate (DER), followed by those it sent along. Empty if it showed none.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Whether an earlier session was taken up again.
    pub is_resumed: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}
