//! Limits and rules of a server: [`ServerConfig`].

use std::time::Duration;

use sinew_auth::{Authenticator, Sessions};
use sinew_protocols::basic::{ArgumentError, Word};
use sinew_transports::starttls::ServerTls;

use crate::nntp::codec::ArticleLimits;

/// Limits of what clients may do, and rules. Connections are limited by [`ListenConfig`](sinew_transports::ListenConfig).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`line_max`](Self::line_max) | 510 bytes; 12,288 in a login | 501, closed |
/// | [`article_limits`](Self::article_limits) | 1,000,000 bytes, a head of 64 KiB with 300 fields | the article is refused |
/// | [`errors_max`](Self::errors_max): commands that are wrong | 30 a connection | 400, closed |
/// | [`auth_tries_max`](Self::auth_tries_max): failed logins | 3 a connection | 400, closed |
/// | [`age_max`](Self::age_max): of an article | 10 days | the article is refused |
/// | [`command_timeout`](Self::command_timeout): a command, in total | 10 min | 400, closed |
/// | [`data_timeout`](Self::data_timeout): silence in an article, either way | 3 min | closed |
/// | [`article_timeout`](Self::article_timeout): an article that is received, in total | 30 min | closed |
/// | [`response_timeout`](Self::response_timeout): a response that is sent, in total | 2 h | closed |
/// | [`verdict_timeout`](Self::verdict_timeout): the decision of the handler | 5 min | the article is refused for now |
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) host: Word,
    pub(super) tls: ServerTls,
    pub(super) auth: Option<Authenticator>,
    pub(super) sessions: Sessions,
    pub(super) auth_tries_max: usize,
    pub(super) line_max: usize,
    pub(super) limits: ArticleLimits,
    pub(super) errors_max: usize,
    pub(super) age_max: Duration,
    pub(super) has_newnews: bool,
    pub(super) offers_compression: bool,
    pub(super) shows_clients: bool,
    pub(super) command_timeout: Duration,
    pub(super) data_timeout: Duration,
    pub(super) article_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) verdict_timeout: Duration,
}

/// RFC 4643 2.4.2: the longest line of an exchange.
const SASL_LINE_MAX: usize = 12_288;

impl ServerConfig {
    /// A server of this name, which it greets with and stands in `Path` with: the name of its host, or another that no other server
    /// has.
    ///
    /// # Errors
    ///
    /// The name has a space or a control character, or is empty. A `!`, which separates names in `Path`, counts as such.
    pub fn new(host: &str) -> Result<Self, ArgumentError> {
        if let Some(at) = host.find('!') {
            return Err(ArgumentError::Forbidden { byte: b'!', at });
        }
        Ok(Self {
            host: Word::try_from(host)?,
            tls: ServerTls::default(),
            auth: None,
            sessions: Sessions::default(),
            auth_tries_max: 3,
            line_max: 510,
            limits: ArticleLimits::default(),
            errors_max: 30,
            age_max: Duration::from_secs(10 * 24 * 60 * 60),
            has_newnews: true,
            offers_compression: true,
            shows_clients: false,
            command_timeout: Duration::from_secs(10 * 60),
            data_timeout: Duration::from_secs(3 * 60),
            article_timeout: Duration::from_secs(30 * 60),
            response_timeout: Duration::from_secs(2 * 60 * 60),
            verdict_timeout: Duration::from_secs(5 * 60),
        })
    }

    /// Offers AUTHINFO (RFC 4643): clients may log in. Passwords are asked for over TLS only, unless the authenticator says
    /// otherwise.
    pub fn auth(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.auth = Some(authenticator.into());
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

    /// Longest command, in bytes without its CRLF. Default 510 (RFC 3977 3.1).
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// How large an article may be.
    pub fn article_limits(mut self, limits: ArticleLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Most commands of a connection that are unknown, malformed or out of order. Default 30.
    pub fn errors_max(mut self, errors: usize) -> Self {
        self.errors_max = errors;
        self
    }

    /// How old an article may be when it arrives. Default 10 days. The store must remember identifiers for longer, or an article can
    /// arrive twice.
    pub fn age_max(mut self, age: Duration) -> Self {
        self.age_max = age;
        self
    }

    /// Whether NEWNEWS is offered. Default yes.
    pub fn newnews(mut self, has_newnews: bool) -> Self {
        self.has_newnews = has_newnews;
        self
    }

    /// Whether COMPRESS is offered (RFC 8054), to clients that may do anything. Default yes, with the feature `compression`. A client
    /// that uses it takes 50 KiB more, and 300 KiB while it gets a response. An article that inflates to more than twice the limit of
    /// articles and 1 MiB ends the connection.
    pub fn compress(mut self, offers_compression: bool) -> Self {
        self.offers_compression = offers_compression;
        self
    }

    /// Whether an article shows the address of the client that has posted it, in `Path` and `Injection-Info`. Default no. The name
    /// with which a client has logged in is shown in neither.
    pub fn show_clients(mut self, shows_clients: bool) -> Self {
        self.shows_clients = shows_clients;
        self
    }

    /// Time in which a command has to be complete, from the response before it. Default 10 minutes; RFC 3977 3.1 wants at least 3.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long a client may send nothing of an article, or take nothing of a response. Default 3 minutes.
    pub fn data_timeout(mut self, timeout: Duration) -> Self {
        self.data_timeout = timeout;
        self
    }

    /// Time in which an article has to be received. Default 30 minutes.
    pub fn article_timeout(mut self, timeout: Duration) -> Self {
        self.article_timeout = timeout;
        self
    }

    /// Time in which a response has to be taken, however long it is. Default 2 hours.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
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
            Some(_) => self.line_max.max(SASL_LINE_MAX),
            None => self.line_max,
        }
    }
}
