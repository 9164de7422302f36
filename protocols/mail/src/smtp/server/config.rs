//! Limits and rules of a server: [`ServerConfig`].

use std::time::Duration;

use sinew_auth::{Authenticator, Sessions};
use sinew_protocols::basic::{ArgumentError, Word};
use sinew_transports::starttls::ServerTls;

use super::auth::LINE_MAX;

/// Limits of what clients may do, and rules. Connections are limited by [`ListenConfig`](sinew_transports::ListenConfig).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`line_max`](Self::line_max) | 2,048 bytes | 500, and the rest of the line is skipped |
/// | [`size_max`](Self::size_max): a message | 25 MiB | 552 |
/// | [`recipients_max`](Self::recipients_max) | 100 a message | 452 |
/// | [`hops_max`](Self::hops_max): `Received` lines | 100 | 554, a loop |
/// | [`errors_max`](Self::errors_max): commands that are wrong | 10 a connection | 421, closed |
/// | [`refusals_max`](Self::refusals_max): senders and recipients that are refused for good | 20 without a message that is accepted | 421, closed |
/// | [`idle_commands_max`](Self::idle_commands_max): commands that are for no message | 100 without a message that is accepted | 421, closed |
/// | [`auth_tries_max`](Self::auth_tries_max): failed logins | 3 a connection | 421, closed |
/// | [`command_timeout`](Self::command_timeout): a command, in total | 5 min | 421, closed |
/// | [`data_timeout`](Self::data_timeout): silence in a message | 3 min | 421, closed |
/// | [`message_timeout`](Self::message_timeout): a message, in total | 1 h | 421, closed |
/// | [`verdict_timeout`](Self::verdict_timeout): the handler | 5 min | 421, closed |
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::server::ServerConfig;
///
/// let config = ServerConfig::new("mail.example.org")?.size_max(10 << 20).recipients_max(1_000);
/// # drop(config);
/// # Ok::<(), sinew_protocols::basic::ArgumentError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) hostname: Word,
    pub(super) is_lmtp: bool,
    pub(super) tls: ServerTls,
    pub(super) needs_tls: bool,
    pub(super) auth: Option<Authenticator>,
    pub(super) sessions: Sessions,
    pub(super) needs_auth: bool,
    pub(super) auth_tries_max: usize,
    pub(super) line_max: usize,
    pub(super) size_max: u64,
    pub(super) recipients_max: usize,
    pub(super) hops_max: usize,
    pub(super) errors_max: usize,
    pub(super) refusals_max: usize,
    pub(super) idle_commands_max: usize,
    pub(super) greeting_delay: Duration,
    pub(super) command_timeout: Duration,
    pub(super) data_timeout: Duration,
    pub(super) message_timeout: Duration,
    pub(super) verdict_timeout: Duration,
    pub(super) has_received_line: bool,
}

impl ServerConfig {
    /// A server of this name, which it greets with.
    ///
    /// # Errors
    ///
    /// The name has a space or a control character, or is empty.
    pub fn new(hostname: &str) -> Result<Self, ArgumentError> {
        Ok(Self {
            hostname: Word::try_from(hostname)?,
            is_lmtp: false,
            tls: ServerTls::default(),
            needs_tls: false,
            auth: None,
            sessions: Sessions::default(),
            needs_auth: false,
            auth_tries_max: 3,
            line_max: 2_048,
            size_max: 25 << 20,
            recipients_max: 100,
            hops_max: 100,
            errors_max: 10,
            refusals_max: 20,
            idle_commands_max: 100,
            greeting_delay: Duration::ZERO,
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(3 * 60),
            message_timeout: Duration::from_secs(60 * 60),
            verdict_timeout: Duration::from_secs(5 * 60),
            has_received_line: true,
        })
    }

    /// Speaks LMTP (RFC 2033): LHLO, and a reply for each recipient at the end of a message. Not for port 25.
    pub fn lmtp(mut self, is_lmtp: bool) -> Self {
        self.is_lmtp = is_lmtp;
        self
    }

    /// Takes mail and logins over TLS only: MAIL and AUTH before it are refused with 530. Not for servers that other servers send to (RFC 3207 section 4).
    pub fn tls_required(mut self, needs_tls: bool) -> Self {
        self.needs_tls = needs_tls;
        self
    }

    /// Offers AUTH (RFC 4954): clients may log in. Passwords are asked for over TLS only, unless the authenticator says otherwise.
    pub fn auth(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.auth = Some(authenticator.into());
        self
    }

    /// Takes mail only from clients that have logged in: MAIL before it is refused with 530. For submission (RFC 6409), not for servers
    /// that other servers send to.
    pub fn auth_required(mut self, needs_auth: bool) -> Self {
        self.needs_auth = needs_auth;
        self
    }

    /// Counts the sessions among these, which several servers may share: what ends those of a user there, ends them here, too. By default
    /// they are those of this configuration and its clones.
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = sessions;
        self
    }

    /// Most logins of a connection that fail. Default 3.
    pub fn auth_tries_max(mut self, tries: usize) -> Self {
        self.auth_tries_max = tries;
        self
    }

    /// Longest command, in bytes without its CRLF. Default 2,048. Where AUTH is offered, at least 12,288 (RFC 4954).
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Longest message, in bytes as its lines are sent, without what this server adds. Default 25 MiB.
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = bytes;
        self
    }

    /// Most recipients of a message. Default 100, which is the least that RFC 5321 4.5.3.1.8 allows.
    pub fn recipients_max(mut self, recipients: usize) -> Self {
        self.recipients_max = recipients;
        self
    }

    /// Most `Received` lines of a message: one with more is in a loop (RFC 5321 6.3). Default 100.
    pub fn hops_max(mut self, hops: usize) -> Self {
        self.hops_max = hops;
        self
    }

    /// Most commands of a connection that are unknown, malformed or out of order, without those that are pipelined behind a sender or
    /// recipients that were refused. Default 10.
    pub fn errors_max(mut self, errors: usize) -> Self {
        self.errors_max = errors;
        self
    }

    /// Most senders and recipients of a connection that are refused with 5yz, as those that do not exist, before a message is accepted, with
    /// which the count begins anew: who tries many addresses wants to know which exist. Clients that have logged in, and those of LMTP, are
    /// not counted. Default 20.
    pub fn refusals_max(mut self, refusals: usize) -> Self {
        self.refusals_max = refusals;
        self
    }

    /// Most commands of a connection that do nothing for a message (HELO, EHLO, LHLO, RSET, NOOP, HELP, VRFY), before a message is accepted,
    /// with which the count begins anew. Default 100.
    pub fn idle_commands_max(mut self, commands: usize) -> Self {
        self.idle_commands_max = commands;
        self
    }

    /// How long the greeting is held back, to catch clients that do not wait for it: they are disconnected. Default 0, where only those
    /// are caught that talk while [`connected`](super::SmtpHandler::connected) is undecided.
    pub fn greeting_delay(mut self, delay: Duration) -> Self {
        self.greeting_delay = delay;
        self
    }

    /// Time in which a command has to be complete, from the reply before it. Default 5 minutes (RFC 5321 4.5.3.2.7).
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long a client may send nothing inside of a message. Default 3 minutes (RFC 5321 4.5.3.2.5).
    pub fn data_timeout(mut self, timeout: Duration) -> Self {
        self.data_timeout = timeout;
        self
    }

    /// Time in which a message, or a chunk of one, has to be complete, with the time for which verdicts about its pieces are open.
    /// Default 1 hour.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// How long a verdict of the handler may be open. Default 5 minutes.
    pub fn verdict_timeout(mut self, timeout: Duration) -> Self {
        self.verdict_timeout = timeout;
        self
    }

    /// The longest line that is read.
    pub(super) fn line_limit(&self) -> usize {
        match self.auth {
            Some(_) => self.line_max.max(LINE_MAX),
            None => self.line_max,
        }
    }

    /// Whether a `Received` line is put in front of each message. Default yes: only servers that send mail on in the same session, as
    /// proxies do, may leave it out.
    pub fn received_line(mut self, has_received_line: bool) -> Self {
        self.has_received_line = has_received_line;
        self
    }
}
