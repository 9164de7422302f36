//! Limits and rules of a client: [`ClientConfig`].

use std::time::Duration;

use sinew_auth::ClientLogin;
use sinew_transports::starttls::ClientTls;

use crate::nntp::codec::ArticleLimits;

/// Limits and rules of a client.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`response_timeout`](Self::response_timeout): a response, or the next piece of one | 2 min | [`NewsError::TimedOut`](super::NewsError::TimedOut) |
/// | [`transfer_timeout`](Self::transfer_timeout): a list or an article, in total | 2 h | the same |
/// | [`line_max`](Self::line_max): a line | 64 KiB | [`NewsError::Framing`](super::NewsError::Framing) |
/// | [`article_limits`](Self::article_limits): an article that is sent | 1,000,000 bytes | [`NewsError::Article`](super::NewsError::Article) |
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    pub(super) security: Security,
    pub(super) tls: ClientTls,
    pub(super) login: Option<ClientLogin>,
    pub(super) server_name: Option<String>,
    pub(super) is_reader: bool,
    pub(super) uses_compression: bool,
    pub(super) response_timeout: Duration,
    pub(super) transfer_timeout: Duration,
    pub(super) line_max: usize,
    pub(super) limits: ArticleLimits,
}

/// When STARTTLS is used. With an endpoint that is TLS already, it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    None,
    /// If the server offers it. Somebody on the path can take the offer away. The default: most servers of news are public.
    #[default]
    IfOffered,
    /// Always: a server that does not offer it is left.
    Required,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            security: Security::default(),
            tls: ClientTls::default(),
            login: None,
            server_name: None,
            is_reader: true,
            uses_compression: false,
            response_timeout: Duration::from_secs(2 * 60),
            transfer_timeout: Duration::from_secs(2 * 60 * 60),
            line_max: 64 * 1024,
            limits: ArticleLimits::default(),
        }
    }
}

impl ClientConfig {
    /// When STARTTLS is used.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Logs in, by the best mechanism that the server offers: one of SASL, or AUTHINFO USER. A password is sent as it is over TLS
    /// only, unless the login says otherwise.
    pub fn login(mut self, login: ClientLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// The name that the certificate of the server must have. Default: the host that is connected to, if the endpoint
    /// [has one](sinew_transports::endpoint::ClientEndpoint::host).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Whether the client reads: then it says MODE READER to servers that want it. Default yes; a [`Feeder`](super::Feeder) does not.
    pub fn reader(mut self, is_reader: bool) -> Self {
        self.is_reader = is_reader;
        self
    }

    /// Compresses the connection, if the server offers COMPRESS DEFLATE (RFC 8054), behind the login. Default no: it saves bytes, and
    /// costs time of the processor on both sides. It has no effect without the feature `compression`.
    ///
    /// Do not use it where somebody who sees the encrypted connection can also have articles sent or read on it that lie beside a
    /// secret: their length says how alike they are.
    pub fn compress(mut self, uses_compression: bool) -> Self {
        self.uses_compression = uses_compression;
        self
    }

    /// How long a response may take, or the next piece of one, and how long the server may take nothing. Default 2 minutes.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How long a list or an article may take. Default 2 hours.
    pub fn transfer_timeout(mut self, timeout: Duration) -> Self {
        self.transfer_timeout = timeout;
        self
    }

    /// Longest line that is accepted. Default 64 KiB.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// How large an article may be that is sent.
    pub fn article_limits(mut self, limits: ArticleLimits) -> Self {
        self.limits = limits;
        self
    }
}
