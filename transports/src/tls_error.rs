//! What can go wrong with TLS: [`TlsError`]. Here also without the feature `tls`, so that who matches on the reasons of an end
//! need not know which features there are.

use std::time::Duration;

use sinew_reactor::Excerpt;

/// Why a TLS handshake failed, or a TLS connection ended.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// What came is not TLS at all.
    #[error("what came is not TLS")]
    NotTls,
    /// The peer's certificate was not accepted: expired, for another name, from nobody that is trusted.
    #[error("the peer's certificate was not accepted: {}", Excerpt::new(.0))]
    BadCertificate(String),
    /// The peer showed no certificate, and needs one.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// The peer refused with an alert.
    #[error("the peer refused: {}", Excerpt::new(.0))]
    Refused(String),
    /// No version, cipher suite or the like that both know.
    #[error("nothing in common with the peer: {}", Excerpt::new(.0))]
    NothingInCommon(String),
    /// Both named the protocols that they speak (ALPN), and none is spoken by both.
    #[error("no application protocol in common with the peer")]
    NoApplicationProtocol,
    /// The handshake took longer than it may.
    #[error("no handshake within {after:?}")]
    TimedOut {
        /// The time that was allowed.
        after: Duration,
    },
    /// The peer closed in the middle of the handshake.
    #[error("the peer closed in the middle of the handshake")]
    Closed,
    /// The peer sent what nobody may send, or what was changed on its way.
    #[error("{}", Excerpt::new(.0))]
    Misbehaved(String),
}

sinew_reactor::error_debug!(TlsError);
