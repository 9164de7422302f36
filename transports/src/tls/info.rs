//! Parameters of a TLS connection: [`TlsInfo`].

use std::fmt;

/// The negotiated parameters of a TLS connection; from [`Transport::tls_info`](crate::Transport::tls_info).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of the protocol.
    pub version: TlsVersion,
    /// The cipher suite, by its IANA name: `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The application protocol (ALPN), if one was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// The server name: on a server the name that the client requested (SNI), if any; on a client the name that was verified.
    pub server_name: Option<String>,
    /// The peer's certificate (DER), followed by the rest of the chain that it sent. Empty if it presented none.
    pub peer_certificates: Vec<Vec<u8>>,
    /// The certificate of the server (DER), which logins can be bound to (`tls-server-end-point`, RFC 5929): on a server its own, on
    /// a client the first of the peer's.
    pub server_certificate: Option<Vec<u8>>,
    /// Whether an earlier session was resumed.
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
