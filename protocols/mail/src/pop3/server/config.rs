//! Limits and rules of a server: [`ServerConfig`].

use std::time::Duration;

use sinew_auth::{Authenticator, Sessions};
use sinew_protocols::basic::{ArgumentError, Word};
use sinew_transports::starttls::ServerTls;

use super::login::LINE_MAX;

/// Limits of what clients may do, and rules. Connections are limited by [`ListenConfig`](sinew_transports::ListenConfig).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`line_max`](Self::line_max): a command; lines of AUTH have 12,288 bytes | 512 bytes | `-ERR`, closed |
/// | [`errors_max`](Self::errors_max): commands that are wrong | 10 a session | `-ERR`, closed |
/// | [`auth_tries_max`](Self::auth_tries_max): failed logins | 3 a session | `-ERR`, closed |
/// | [`login_timeout`](Self::login_timeout): the login, in total, with the opening of the maildrop | 60 s | `-ERR`, closed |
/// | [`idle_timeout`](Self::idle_timeout): until the next command is complete; silence in a response | 10 min | `-ERR`, closed; closed |
/// | [`response_timeout`](Self::response_timeout): a list or a message, in total | 1 h | closed |
/// | [`finish_timeout`](Self::finish_timeout): the deletion of messages | 5 min | `-ERR [SYS/TEMP]`, closed; the deletion goes on |
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_mail::pop3::server::ServerConfig;
///
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("mail.example.org", users)?.errors_max(5);
/// # drop(config);
/// # Ok::<(), sinew_protocols::basic::ArgumentError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) hostname: Word,
    pub(super) auth: Authenticator,
    pub(super) sessions: Sessions,
    pub(super) tls: ServerTls,
    pub(super) needs_tls: bool,
    pub(super) has_apop: bool,
    pub(super) is_exclusive: bool,
    pub(super) auth_tries_max: usize,
    pub(super) line_max: usize,
    pub(super) errors_max: usize,
    pub(super) login_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) finish_timeout: Duration,
}

impl ServerConfig {
    /// A server of this name, which it greets with, and of those users.
    ///
    /// # Errors
    ///
    /// The name has a space or a control character, or is empty.
    pub fn new(hostname: &str, auth: impl Into<Authenticator>) -> Result<Self, ArgumentError> {
        Ok(Self {
            hostname: Word::try_from(hostname)?,
            auth: auth.into(),
            sessions: Sessions::default(),
            tls: ServerTls::default(),
            needs_tls: false,
            has_apop: false,
            is_exclusive: true,
            auth_tries_max: 3,
            line_max: 512,
            errors_max: 10,
            login_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(10 * 60),
            response_timeout: Duration::from_secs(60 * 60),
            finish_timeout: Duration::from_secs(5 * 60),
        })
    }

    /// Lets clients log in over TLS only, by any mechanism. Default no: without TLS, the authenticator offers what shows no password.
    pub fn tls_required(mut self, needs_tls: bool) -> Self {
        self.needs_tls = needs_tls;
        self
    }

    /// Offers APOP. Default no: it is [weak](crate::pop3::codec::Timestamp), and the checker must be able to tell
    /// [the password itself](sinew_auth::Ability::TellPassword).
    pub fn apop(mut self, has_apop: bool) -> Self {
        self.has_apop = has_apop;
        self
    }

    /// Whether a user can have one session at a time only (RFC 1939 4); another login is refused with `[IN-USE]`. Default yes. Switch it
    /// off only where [`open`](super::Pop3Handler::open) locks what several users share.
    pub fn exclusive(mut self, is_exclusive: bool) -> Self {
        self.is_exclusive = is_exclusive;
        self
    }

    /// Counts the sessions among these, which several servers may share: what ends those of a user there, ends them here, too. By default
    /// they are those of this configuration and its clones.
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = sessions;
        self
    }

    /// Most logins of a session that fail. Default 3.
    pub fn auth_tries_max(mut self, tries: usize) -> Self {
        self.auth_tries_max = tries;
        self
    }

    /// Longest command, in bytes without its CRLF. Default 512: clients need 255 (RFC 2449 4).
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Most commands of a session that are unknown, malformed or out of order. Default 10.
    pub fn errors_max(mut self, errors: usize) -> Self {
        self.errors_max = errors;
        self
    }

    /// Time in which a client has to log in, from the connection on. Default 60 s.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// Time in which the next command has to be complete, from the response before it; and how long a client may receive nothing of a
    /// response. Default 10 minutes, which is the least that RFC 1939 3 allows. Nothing is deleted at this end of a session.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Time in which a client has to receive a list or a message, with the time that the maildrop takes. Default 1 hour.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How long QUIT may take. Default 5 minutes.
    pub fn finish_timeout(mut self, timeout: Duration) -> Self {
        self.finish_timeout = timeout;
        self
    }

    /// The longest line that is read.
    pub(super) fn line_limit(&self) -> usize {
        self.line_max.max(LINE_MAX)
    }
}
