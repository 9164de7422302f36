//! What a client is told: [`IrcConfig`], with its limits.

use std::time::Duration;

use sinew_auth::ClientLogin;

use super::DccConfig;
use crate::irc::codec::{BuildError, MESSAGE_MAX, MessageBuf};

/// Capabilities that are asked for where a server has them.
const CAPABILITIES: [&str; 17] = [
    "account-notify",
    "account-tag",
    "away-notify",
    "batch",
    "cap-notify",
    "chghost",
    "echo-message",
    "extended-join",
    "invite-notify",
    "labeled-response",
    "message-tags",
    "multi-prefix",
    "sasl",
    "server-time",
    "setname",
    "standard-replies",
    "userhost-in-names",
];

/// How a client introduces itself, and its limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`registration_timeout`](Self::registration_timeout): from the connection to the welcome | 60 s | [`IrcError::TimedOut`](super::IrcError::TimedOut) |
/// | [`ping_after`](Self::ping_after): silence, then a PING | 90 s | |
/// | [`pong_within`](Self::pong_within): silence after it | 60 s | [`IrcError::Silent`](super::IrcError::Silent) |
/// | [`rate`](Self::rate): lines at once; then one in | 5; 2 s | they wait |
/// | [`queue_max`](Self::queue_max): lines that wait | 1,000 | [`SendError::QueueFull`](super::SendError::QueueFull) |
/// | [`ctcp_interval`](Self::ctcp_interval): answers to CTCP | one in 2 s | no answer |
/// | [`reply_timeout`](Self::reply_timeout): replies to a command | 60 s | [`CommandError::TimedOut`](super::CommandError::TimedOut) |
/// | [`replies_max`](Self::replies_max): entries of one reply | 20,000 | [`CommandError::TooLong`](super::CommandError::TooLong) |
/// | bytes of one reply, fixed | 16 MiB | [`CommandError::TooLarge`](super::CommandError::TooLarge) |
/// | [`requests_max`](Self::requests_max): commands that wait for replies | 256 | [`CommandError::TooMany`](super::CommandError::TooMany) |
/// | [`members_max`](Self::members_max): members of all channels | 100,000 | more are not listed |
/// | [`line_max`](Self::line_max): a line of the server, tags (8,191 bytes) apart | 4,096 bytes | the line is ignored |
/// | capabilities of a server; channels; keys of 005 | 512; 1,000; 512 | more are ignored |
/// | a nick of somebody in a channel | 256 bytes | not listed |
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::client::IrcConfig;
///
/// let config = IrcConfig::new("sinewbot")?.real_name("a bot")?.join("#sinew")?;
/// # drop(config);
/// # Ok::<(), sinew_chat::irc::codec::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct IrcConfig {
    pub(super) nick: String,
    pub(super) user: String,
    pub(super) real_name: String,
    pub(super) password: Option<String>,
    pub(super) login: Option<ClientLogin>,
    pub(super) capabilities: Vec<String>,
    pub(super) channels: Vec<(String, Option<String>)>,
    pub(super) version: Option<String>,
    pub(super) dcc: Option<DccConfig>,
    pub(super) rejoins: bool,
    pub(super) registration_timeout: Duration,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    pub(super) burst: u32,
    pub(super) interval: Duration,
    pub(super) queue_max: usize,
    pub(super) ctcp_interval: Duration,
    pub(super) reply_timeout: Duration,
    pub(super) replies_max: usize,
    pub(super) requests_max: usize,
    pub(super) members_max: usize,
    pub(super) line_max: usize,
}

impl IrcConfig {
    /// A client with this nick, which is its user name as well.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is not a word.
    pub fn new(nick: &str) -> Result<Self, BuildError> {
        word(nick)?;
        let user: String = nick.chars().filter(char::is_ascii_alphanumeric).take(9).collect();
        Ok(Self {
            nick: nick.to_owned(),
            user: if user.is_empty() { "user".to_owned() } else { user },
            real_name: nick.to_owned(),
            password: None,
            login: None,
            capabilities: CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
            channels: Vec::new(),
            version: Some("sinew".to_owned()),
            dcc: None,
            rejoins: true,
            registration_timeout: Duration::from_secs(60),
            ping_after: Duration::from_secs(90),
            pong_within: Duration::from_secs(60),
            burst: 5,
            interval: Duration::from_secs(2),
            queue_max: 1_000,
            ctcp_interval: Duration::from_secs(2),
            reply_timeout: Duration::from_secs(60),
            replies_max: 20_000,
            requests_max: 256,
            members_max: 100_000,
            line_max: 4_096,
        })
    }

    /// The user name, which others see before the host.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is not a word.
    pub fn user(mut self, user: &str) -> Result<Self, BuildError> {
        word(user)?;
        self.user = user.to_owned();
        Ok(self)
    }

    /// The real name, or any text.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it has CR, LF or NUL.
    pub fn real_name(mut self, name: &str) -> Result<Self, BuildError> {
        text(name)?;
        self.real_name = name.to_owned();
        Ok(self)
    }

    /// The password of the server (PASS); not that of an account.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it has CR, LF or NUL.
    pub fn password(mut self, password: &str) -> Result<Self, BuildError> {
        text(password)?;
        self.password = Some(password.to_owned());
        Ok(self)
    }

    /// Logs in to an account by SASL before the welcome. Without success there is no connection.
    pub fn login(mut self, login: ClientLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// Joins a channel after the welcome. Can be called several times.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is not a word.
    pub fn join(mut self, channel: &str) -> Result<Self, BuildError> {
        channel_name(channel)?;
        no_zero(channel.as_bytes())?;
        self.channels.push((channel.to_owned(), None));
        Ok(self)
    }

    /// Joins a channel with a key after the welcome.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: either is not a word.
    pub fn join_with_key(mut self, channel: &str, key: &str) -> Result<Self, BuildError> {
        channel_name(channel)?;
        no_zero(channel.as_bytes())?;
        channel_name(key)?;
        self.channels.push((channel.to_owned(), Some(key.to_owned())));
        Ok(self)
    }

    /// The capabilities to ask for, of those that a server has. By default all that the client understands.
    pub fn capabilities(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.capabilities = names.into_iter().map(Into::into).collect();
        self
    }

    /// What is answered to the CTCP question VERSION. Default `sinew`. `None`: CTCP is not answered at all, not even PING.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it has CR, LF or NUL.
    pub fn version(mut self, version: Option<&str>) -> Result<Self, BuildError> {
        version.map(text).transpose()?;
        self.version = version.map(str::to_owned);
        Ok(self)
    }

    /// Allows files and conversations without the server (DCC), with these rules. Off by default.
    pub fn dcc(mut self, dcc: DccConfig) -> Self {
        self.dcc = Some(dcc);
        self
    }

    /// Whether a client that has reconnected joins the channels again that it was in. Default yes.
    pub fn rejoin(mut self, rejoins: bool) -> Self {
        self.rejoins = rejoins;
        self
    }

    /// How long the registration may take, from the connection to the welcome. Default 60 s.
    pub fn registration_timeout(mut self, timeout: Duration) -> Self {
        self.registration_timeout = timeout;
        self
    }

    /// After how much silence of the server it is asked whether it is there. Default 90 s.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// How long the server may then be silent. Default 60 s.
    pub fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }

    /// How many lines are sent at once, and the time between those that follow. Default 5 and 2 s: servers disconnect clients that
    /// send more. No server says what it allows.
    pub fn rate(mut self, burst: u32, interval: Duration) -> Self {
        self.burst = burst.max(1);
        self.interval = interval;
        self
    }

    /// Most lines that wait to be sent. Default 1,000.
    pub fn queue_max(mut self, lines: usize) -> Self {
        self.queue_max = lines;
        self
    }

    /// The time between answers to CTCP, so that nobody can have the client flood. Default 2 s.
    pub fn ctcp_interval(mut self, interval: Duration) -> Self {
        self.ctcp_interval = interval;
        self
    }

    /// How long the replies to a command may take. Default 60 s.
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// Most entries of the reply to one command: channels of LIST, members of NAMES. Default 20,000.
    pub fn replies_max(mut self, entries: usize) -> Self {
        self.replies_max = entries;
        self
    }

    /// Most commands that wait for their replies. Default 256.
    pub fn requests_max(mut self, requests: usize) -> Self {
        self.requests_max = requests;
        self
    }

    /// Most members of all channels together that are remembered. Default 100,000.
    pub fn members_max(mut self, members: usize) -> Self {
        self.members_max = members;
        self
    }

    /// Longest line that is accepted of a server, in bytes without its tags. Default 4,096: some servers send more than 512.
    pub fn line_max(mut self, bytes: usize) -> Self {
        self.line_max = bytes.max(MESSAGE_MAX);
        self
    }
}

/// Checks a parameter that is not the last.
pub(super) fn word(word: &str) -> Result<(), BuildError> {
    MessageBuf::new("A")?.param(word).map(drop)
}

/// Checks a parameter that is one of several with commas between them.
pub(super) fn channel_name(name: &str) -> Result<(), BuildError> {
    word(name)?;
    match name.find(',') {
        Some(at) => Err(BuildError::Forbidden { byte: b',', at }),
        None => Ok(()),
    }
}

/// JOIN 0 leaves all channels (RFC 2812 3.2.1).
pub(super) fn no_zero(channel: &[u8]) -> Result<(), BuildError> {
    match channel {
        b"0" => Err(BuildError::Forbidden { byte: b'0', at: 0 }),
        _ => Ok(()),
    }
}

fn text(text: &str) -> Result<(), BuildError> {
    MessageBuf::new("A")?.text(text).map(drop)
}
