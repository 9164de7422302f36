//! Limits and rules of a server: [`ServerConfig`].

use std::{rc::Rc, time::Duration};

use sinew_auth::{Authenticator, Sessions};
use sinew_transports::starttls::ServerTls;

use crate::store::Store;

/// Limits of what clients may do, and rules. Connections are limited by [`ListenConfig`](sinew_transports::ListenConfig), mailboxes and
/// messages by the [store](crate::store::StoreLimits).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`login_line_max`](Self::login_line_max): a command before the login | 1,024 bytes | `BAD` |
/// | [`line_max`](Self::line_max): a command after it, with its literals | 64 KiB | `BAD` |
/// | [`login_literal_max`](Self::login_literal_max): a literal before the login | 0 bytes | `NO [TOOBIG]` |
/// | [`append_max`](Self::append_max): a message | 64 MiB | `NO [TOOBIG]`, before it is sent |
/// | [`errors_max`](Self::errors_max): commands that are wrong, one after the other | 20 | `BYE`, closed |
/// | [`login_tries_max`](Self::login_tries_max): failed logins | 3 a connection | `BYE`, closed |
/// | [`login_timeout`](Self::login_timeout): until the login, in total | 60 s | `BYE`, closed |
/// | [`idle_timeout`](Self::idle_timeout): silence between commands | 30 min | `BYE`, closed |
/// | [`append_timeout`](Self::append_timeout): silence in a command or a message | 3 min | `BYE`, closed |
/// | [`command_timeout`](Self::command_timeout): a command, in total | 2 h | `BYE`, closed |
/// | [`send_timeout`](Self::send_timeout): a client that receives nothing | 5 min | closed |
/// | [`search_timeout`](Self::search_timeout): a search | 5 min | `NO [LIMIT]` |
#[derive(Clone)]
#[must_use]
pub struct ServerConfig {
    pub(super) authenticator: Authenticator,
    pub(super) sessions: Sessions,
    pub(super) store: Rc<dyn Store>,
    pub(super) tls: ServerTls,
    pub(super) login_line_max: usize,
    pub(super) line_max: usize,
    pub(super) login_literal_max: u64,
    pub(super) append_max: u64,
    pub(super) errors_max: u8,
    pub(super) login_tries_max: u8,
    pub(super) login_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) append_timeout: Duration,
    pub(super) command_timeout: Duration,
    pub(super) send_timeout: Duration,
    pub(super) search_timeout: Duration,
}

impl ServerConfig {
    /// A server for the mail in a store, of those whom the authenticator knows.
    pub fn new(authenticator: impl Into<Authenticator>, store: Rc<dyn Store>) -> Self {
        Self {
            authenticator: authenticator.into(),
            sessions: Sessions::default(),
            store,
            tls: ServerTls::default(),
            login_line_max: 1_024,
            line_max: 64 << 10,
            login_literal_max: 0,
            append_max: 64 << 20,
            errors_max: 20,
            login_tries_max: 3,
            login_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(30 * 60),
            append_timeout: Duration::from_secs(3 * 60),
            command_timeout: Duration::from_secs(2 * 60 * 60),
            send_timeout: Duration::from_secs(5 * 60),
            search_timeout: Duration::from_secs(5 * 60),
        }
    }

    /// Counts the sessions among these, which several servers may share: what ends those of a user there, ends them here, too. By default
    /// they are those of this configuration and its clones.
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = sessions;
        self
    }

    /// Longest command before the login, in bytes. Default 1,024. Responses of SASL may have 12,288.
    pub fn login_line_max(mut self, bytes: usize) -> Self {
        self.login_line_max = bytes;
        self
    }

    /// Longest command after the login, in bytes, and most bytes of its literals together. Default 64 KiB. Messages are not counted
    /// here.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// Longest literal before the login, in bytes. Default 0: names and passwords come in quotes. For clients that send passwords as
    /// literals, some hundred.
    pub fn login_literal_max(mut self, bytes: u64) -> Self {
        self.login_literal_max = bytes;
        self
    }

    /// Longest message that a client may add, in bytes; the store may allow less. Default 64 MiB.
    pub fn append_max(mut self, bytes: u64) -> Self {
        self.append_max = bytes;
        self
    }

    /// Most commands one after the other that cannot be read or are out of order. Default 20.
    pub fn errors_max(mut self, errors: u8) -> Self {
        self.errors_max = errors;
        self
    }

    /// Most logins of a connection that fail. Default 3.
    pub fn login_tries_max(mut self, tries: u8) -> Self {
        self.login_tries_max = tries;
        self
    }

    /// Time from the connection to the login. Default 60 seconds.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// How long a client that has logged in may say nothing, also in IDLE. Default 30 minutes, which is the least that RFC 3501 5.4
    /// allows.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long a client may say nothing inside of a command or of a message that it adds. Default 3 minutes.
    pub fn append_timeout(mut self, timeout: Duration) -> Self {
        self.append_timeout = timeout;
        self
    }

    /// Time for a command with its answer, or for a message that is added. Default 2 hours: a client on a slow line may fetch a whole
    /// mailbox at once.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long a client may receive nothing while more than 64 KiB wait to be sent. Default 5 minutes.
    pub fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = timeout;
        self
    }

    /// Time for a search. Default 5 minutes.
    pub fn search_timeout(mut self, timeout: Duration) -> Self {
        self.search_timeout = timeout;
        self
    }
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig")
            .field("authenticator", &self.authenticator)
            .field("tls", &self.tls)
            .field("append_max", &self.append_max)
            .finish_non_exhaustive()
    }
}
