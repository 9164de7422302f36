//! What a client is told: [`ClientConfig`], with its limits of time.

use std::time::Duration;

use sinew_auth::ClientLogin;
use sinew_protocols::basic::{ArgumentError, Word};
use sinew_transports::starttls::ClientTls;

use super::error::Stage;

/// How a client introduces and protects itself, and how long it waits (RFC 5321 4.5.3.2).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`command_timeout`](Self::command_timeout): the greeting, and the reply to most commands | 5 min | [`SmtpError::TimedOut`](super::SmtpError::TimedOut) |
/// | [`data_timeout`](Self::data_timeout): the reply to DATA | 2 min | the same |
/// | [`block_timeout`](Self::block_timeout): the server takes nothing of the message | 3 min | the same |
/// | [`end_timeout`](Self::end_timeout): the reply to the message | 10 min | the same, and it may have been delivered |
/// | a line of a reply; its lines | 4 KiB; 128 | [`SmtpError::NotAReply`](super::SmtpError::NotAReply) |
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    pub(super) hostname: Word,
    pub(super) is_lmtp: bool,
    pub(super) uses_chunks: bool,
    pub(super) security: Security,
    pub(super) tls: ClientTls,
    pub(super) login: Option<ClientLogin>,
    pub(super) server_name: Option<String>,
    pub(super) port: u16,
    command_timeout: Duration,
    data_timeout: Duration,
    pub(super) block_timeout: Duration,
    end_timeout: Duration,
}

/// When STARTTLS is used. With an endpoint that is TLS already, it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    None,
    /// If the server offers it. Somebody on the path can take the offer away; and mail goes in plaintext to servers without it. A handshake
    /// that fails is an error of this connection; a [`Relay`](crate::queue::Relay) makes another one without TLS then.
    IfOffered,
    /// Always: a server that does not offer it gets no mail. The default.
    #[default]
    Required,
}

impl ClientConfig {
    /// A client that introduces itself by this name, which should be the name of this host.
    ///
    /// # Errors
    ///
    /// The name has a space or a control character, or is empty.
    pub fn new(hostname: &str) -> Result<Self, ArgumentError> {
        Ok(Self {
            hostname: Word::try_from(hostname)?,
            is_lmtp: false,
            uses_chunks: false,
            security: Security::default(),
            tls: ClientTls::default(),
            login: None,
            server_name: None,
            port: 25,
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(2 * 60),
            block_timeout: Duration::from_secs(3 * 60),
            end_timeout: Duration::from_secs(10 * 60),
        })
    }

    /// Speaks LMTP (RFC 2033).
    pub fn lmtp(mut self, is_lmtp: bool) -> Self {
        self.is_lmtp = is_lmtp;
        self
    }

    /// Sends messages by BDAT where the server offers CHUNKING. Default no: by DATA.
    pub fn chunking(mut self, uses_chunks: bool) -> Self {
        self.uses_chunks = uses_chunks;
        self
    }

    /// When STARTTLS is used.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Logs in, by the best mechanism that the server offers. A password is sent as it is over TLS only, unless the login says otherwise.
    pub fn login(mut self, login: ClientLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// The name that the certificate of the server must have. Default: the host that is connected to, if the endpoint
    /// [has one](sinew_transports::endpoint::ClientEndpoint::host), which a Unix socket does not; without a name STARTTLS fails with
    /// [`SmtpError::NoServerName`](super::SmtpError::NoServerName).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The port of mail exchangers, for `send_to_domain`. Default 25.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How long the greeting and the reply to a command may take. Default 5 minutes.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long the reply to DATA may take. Default 2 minutes.
    pub fn data_timeout(mut self, timeout: Duration) -> Self {
        self.data_timeout = timeout;
        self
    }

    /// How long the server may take nothing of the message. Default 3 minutes.
    pub fn block_timeout(mut self, timeout: Duration) -> Self {
        self.block_timeout = timeout;
        self
    }

    /// How long the reply to the whole message may take. Default 10 minutes: a client that gives up earlier will send twice what the
    /// server has accepted.
    pub fn end_timeout(mut self, timeout: Duration) -> Self {
        self.end_timeout = timeout;
        self
    }

    #[cfg(feature = "dns")]
    pub(crate) fn hostname(&self) -> &Word {
        &self.hostname
    }

    pub(crate) fn without_login(mut self) -> Self {
        self.login = None;
        self
    }

    /// The name of the certificate, unless one is set.
    pub(crate) fn or_server_name(mut self, name: &str) -> Self {
        self.server_name.get_or_insert_with(|| name.to_owned());
        self
    }

    /// The same in plaintext, if TLS is used only where it is offered, and nothing secret is sent.
    pub(crate) fn without_tls(&self) -> Option<Self> {
        let is_optional = self.security == Security::IfOffered && self.login.is_none();
        is_optional.then(|| self.clone().security(Security::None))
    }

    pub(crate) fn smtp_port(&self) -> u16 {
        self.port
    }

    /// How long a reply may take.
    pub(super) fn timeout(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Data => self.data_timeout,
            Stage::Message => self.end_timeout,
            _ => self.command_timeout,
        }
    }
}
