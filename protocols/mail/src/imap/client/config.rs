//! What a client is told: [`ClientConfig`], with its limits.

use std::time::Duration;

use sinew_auth::ClientLogin;
use sinew_transports::starttls::ClientTls;

use crate::imap::codec::IdFields;

/// How a client protects itself and logs in, how long it waits and how much it takes.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`connect_timeout`](Self::connect_timeout): the greeting, and each answer until the login is done | 60 s | [`ImapError::Silent`](super::ImapError::Silent) |
/// | [`login_timeout`](Self::login_timeout): all of that, with the connection | 3 min | [`ImapError::TimedOut`](super::ImapError::TimedOut) |
/// | [`silence_timeout`](Self::silence_timeout): the server says nothing, or takes nothing, while an answer is due | 2 min | the connection ends, with [`ImapError::Lost`](super::ImapError::Lost) for all commands |
/// | [`command_timeout`](Self::command_timeout): the answer to a command, but for those that stream | 5 min | [`ImapError::TimedOut`](super::ImapError::TimedOut); the place in the order of answers is kept as long again, then the connection ends |
/// | [`idle_renewal`](Self::idle_renewal): how long one IDLE lasts | 28 min | it is renewed (RFC 2177: before 29 min) |
/// | [`line_max`](Self::line_max): the text of one response, without its literals | 1 MiB | the connection ends |
/// | [`literal_max`](Self::literal_max): a literal that is not streamed | 16 MiB | [`ImapError::TooLong`](super::ImapError::TooLong); it is read and dropped |
/// | [`reply_max`](Self::reply_max): all that is collected of the answer to one command | 64 MiB | the same |
/// | [`in_flight_max`](Self::in_flight_max): commands that are sent and not answered | 16 | later ones wait |
/// | [`queue_max`](Self::queue_max): commands that wait to be sent | 1,024 | [`ImapError::QueueFull`](super::ImapError::QueueFull) |
/// | [`events_max`](Self::events_max): events that nobody has taken | 1,024 | the oldest are dropped, which is an [event](super::Event::Missed) |
/// | [`events_bytes_max`](Self::events_bytes_max): their memory | 4 MiB | the same |
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    pub(super) security: Security,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "STARTTLS fails without it"))]
    pub(super) tls: ClientTls,
    pub(super) login: Option<ClientLogin>,
    pub(super) server_name: Option<String>,
    pub(super) id: Option<IdFields>,
    pub(super) uses_compression: bool,
    pub(super) connect_timeout: Duration,
    pub(super) login_timeout: Duration,
    pub(super) silence_timeout: Duration,
    pub(super) command_timeout: Duration,
    pub(super) idle_renewal: Duration,
    pub(super) line_max: usize,
    pub(super) literal_max: u64,
    pub(super) reply_max: u64,
    pub(super) in_flight_max: usize,
    pub(super) queue_max: usize,
    pub(super) events_max: usize,
    pub(super) events_bytes_max: u64,
}

/// When STARTTLS is used. With an endpoint that is TLS already, it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Security {
    /// Never.
    None,
    /// If the server offers it. Somebody on the path can take the offer away.
    IfOffered,
    /// Always: a server that does not offer it, or that says that the client is logged in already, is left. The default.
    #[default]
    Required,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            security: Security::default(),
            tls: ClientTls::default(),
            login: None,
            server_name: None,
            id: None,
            uses_compression: false,
            connect_timeout: Duration::from_secs(60),
            login_timeout: Duration::from_secs(3 * 60),
            silence_timeout: Duration::from_secs(2 * 60),
            command_timeout: Duration::from_secs(5 * 60),
            idle_renewal: Duration::from_secs(28 * 60),
            line_max: 1024 * 1024,
            literal_max: 16 * 1024 * 1024,
            reply_max: 64 * 1024 * 1024,
            in_flight_max: 16,
            queue_max: 1_024,
            events_max: 1_024,
            events_bytes_max: 4 * 1024 * 1024,
        }
    }
}

impl ClientConfig {
    /// Logs in, by the best mechanism that the server offers, or by LOGIN where it offers none and allows that. A password is sent as it
    /// is over TLS only, unless the login says otherwise. Default: the client does not log in.
    pub fn login(mut self, login: ClientLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// When STARTTLS is used.
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The name that the certificate of the server must have. Default: the host that is connected to, if the endpoint
    /// [has one](sinew_transports::endpoint::ClientEndpoint::host); without a name STARTTLS fails with
    /// [`ImapError::NoServerName`](super::ImapError::NoServerName).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// What the client says of itself, once it has logged in (RFC 2971). Default: nothing.
    pub fn id(mut self, fields: IdFields) -> Self {
        self.id = Some(fields);
        self
    }

    /// Compresses both directions, if the server offers `COMPRESS=DEFLATE` and this crate has the feature `compression`. Costs 300 KiB
    /// for each connection. Default no.
    pub fn compression(mut self, uses_compression: bool) -> Self {
        self.uses_compression = uses_compression;
        self
    }

    /// How long the greeting, and each answer until the login is done, may take. Default 60 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long all of it may take: the connection, the greeting, TLS and the login. Default 3 minutes.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// How long the server may say nothing while an answer is due, or take nothing of what is sent. Default 2 minutes. A server that
    /// has announced more than it sends is found by this: its answer is never guessed.
    pub fn silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout;
        self
    }

    /// How long the answer to a command may take. Default 5 minutes. Not of commands that stream: FETCH into a sink, and APPEND.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long one IDLE lasts, before it is renewed. Default 28 minutes: servers end connections after 29 to 30.
    pub fn idle_renewal(mut self, after: Duration) -> Self {
        self.idle_renewal = after;
        self
    }

    /// The text of one response, without its literals. Default 1 MiB: an answer to SEARCH has one line.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes;
        self
    }

    /// A literal that is not streamed. Default 16 MiB.
    pub fn literal_max(mut self, bytes: u64) -> Self {
        self.literal_max = bytes;
        self
    }

    /// All that is collected of the answer to one command, as it is received: in memory, short items take several times as much. Default 64 MiB.
    pub fn reply_max(mut self, bytes: u64) -> Self {
        self.reply_max = bytes;
        self
    }

    /// Commands that are sent and not answered. Default 16.
    pub fn in_flight_max(mut self, commands: usize) -> Self {
        self.in_flight_max = commands.max(1);
        self
    }

    /// Commands that wait to be sent. Default 1,024.
    pub fn queue_max(mut self, commands: usize) -> Self {
        self.queue_max = commands;
        self
    }

    /// Events that nobody has taken. Default 1,024.
    pub fn events_max(mut self, events: usize) -> Self {
        self.events_max = events.max(1);
        self
    }

    /// The memory of events that nobody has taken, about: one that tells of many UIDs may have a megabyte. Default 4 MiB.
    pub fn events_bytes_max(mut self, bytes: u64) -> Self {
        self.events_bytes_max = bytes;
        self
    }
}
