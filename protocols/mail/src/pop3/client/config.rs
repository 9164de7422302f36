//! What a client is told: [`ClientConfig`], with its limits.

use std::time::Duration;

use sinew_auth::{ClientLogin, Secret};
use sinew_transports::starttls::ClientTls;

/// How a client protects itself, how it logs in, how long it waits, and how much it takes.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`reply_timeout`](Self::reply_timeout): the first line of a response | 2 min | [`Pop3Error::TimedOut`](super::Pop3Error::TimedOut) |
/// | [`silence_timeout`](Self::silence_timeout): nothing is received within a text | 2 min | the same |
/// | [`text_timeout`](Self::text_timeout): a message or a list, in total, as far as the server is waited for | 1 h | the same |
/// | [`message_max`](Self::message_max): a message | 1 GiB | [`Pop3Error::TooLarge`](super::Pop3Error::TooLarge) |
/// | [`listing_max`](Self::listing_max): lines of a list | 1,000,000 | [`Pop3Error::ListTooLong`](super::Pop3Error::ListTooLong) |
/// | a line of a response; lines of the capabilities | 4 KiB; 128 | [`Pop3Error::Framing`](super::Pop3Error::Framing), [`Pop3Error::ListTooLong`](super::Pop3Error::ListTooLong) |
///
/// # Examples
///
/// ```
/// use sinew_auth::ClientLogin;
/// use sinew_mail::pop3::client::ClientConfig;
///
/// let config = ClientConfig::new().login(ClientLogin::password("ann", "secret"));
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    pub(super) security: Security,
    pub(super) tls: ClientTls,
    pub(super) login: Option<ClientLogin>,
    pub(super) apop: Option<(String, Secret)>,
    pub(super) server_name: Option<String>,
    pub(super) reply_timeout: Duration,
    pub(super) silence_timeout: Duration,
    pub(super) text_timeout: Duration,
    pub(super) message_max: u64,
    pub(super) listing_max: usize,
}

/// When STLS is used. With an endpoint that is TLS already, it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    None,
    /// If the server offers it. Somebody on the path can take the offer away.
    IfOffered,
    /// Always: there is no login at a server that does not offer it. The default.
    #[default]
    Required,
}

impl ClientConfig {
    /// A client that requires TLS, and does not log in.
    pub fn new() -> Self {
        Self {
            security: Security::default(),
            tls: ClientTls::default(),
            login: None,
            apop: None,
            server_name: None,
            reply_timeout: Duration::from_secs(2 * 60),
            silence_timeout: Duration::from_secs(2 * 60),
            text_timeout: Duration::from_secs(60 * 60),
            message_max: 1 << 30,
            listing_max: 1_000_000,
        }
    }

    /// When STLS is used.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Logs in, by the best mechanism that the server offers: one of SASL, or else USER and PASS, which are as LOGIN of SASL is. A
    /// password is sent as it is over TLS only, unless the login says otherwise.
    pub fn login(mut self, login: ClientLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// Logs in by APOP, and by nothing else: a server that does not offer it is left with
    /// [`Pop3Error::ApopNotOffered`](super::Pop3Error::ApopNotOffered). Takes precedence over [`login`](Self::login). It is
    /// [weak](crate::pop3::codec::Timestamp): for old servers without TLS only.
    pub fn apop(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.apop = Some((user.into(), password.into()));
        self
    }

    /// The name that the certificate of the server must have. Default: the host that is connected to, if the endpoint
    /// [has one](sinew_transports::endpoint::ClientEndpoint::host); without a name STLS fails with
    /// [`Pop3Error::NoServerName`](super::Pop3Error::NoServerName).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// How long the first line of a response may take, and the server may take no command. Default 2 minutes.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// How long the server may send nothing within a message or a list. Default 2 minutes.
    pub fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout;
        self
    }

    /// How long the server may be waited for in total within one message or one list. The time that its reader takes does not count.
    /// Default 1 hour.
    pub fn text_timeout(mut self, timeout: Duration) -> Self {
        self.text_timeout = timeout;
        self
    }

    /// Longest message, in bytes. Default 1 GiB.
    pub fn message_max(mut self, bytes: u64) -> Self {
        self.message_max = bytes;
        self
    }

    /// Most lines of a list. Default 1,000,000.
    pub fn listing_max(mut self, lines: usize) -> Self {
        self.listing_max = lines;
        self
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new()
    }
}
