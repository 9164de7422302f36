//! Errors of TLS: [`TlsError`]. Available without the feature `tls`, too, so that a match on the reasons of an end does not
//! depend on features.

use std::time::Duration;

use sinew_reactor::Excerpt;

/// Why a TLS handshake failed, or a TLS connection ended.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The received data is not TLS.
    #[error("the received data is not TLS")]
    NotTls,
    /// The peer's certificate was not accepted: expired, for another name, or not signed by a trusted authority.
    #[error("the peer's certificate was not accepted: {}", Excerpt::new(.0))]
    BadCertificate(String),
    /// The peer presented no certificate, and one is required.
    #[error("the peer presented no certificate")]
    NoCertificate,
    /// The peer sent an alert.
    #[error("the peer sent an alert: {}", Excerpt::new(.0))]
    AlertReceived(String),
    /// There is no common version, cipher suite or other parameter.
    #[error("no TLS parameters in common with the peer: {}", Excerpt::new(.0))]
    Incompatible(String),
    /// Both sides offered application protocols (ALPN), and none is common.
    #[error("no application protocol in common with the peer")]
    NoApplicationProtocol,
    /// The handshake took longer than its timeout.
    #[error("no handshake within {after:?}")]
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// The peer closed during the handshake.
    #[error("the peer closed during the handshake")]
    Closed,
    /// The peer violated the protocol, or the data was modified in transit.
    #[error("{}", Excerpt::new(.0))]
    ProtocolViolation(String),
}

sinew_reactor::error_debug!(TlsError);
