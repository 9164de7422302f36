//! Limits and rules of a server: [`ServerConfig`].

use std::{path::PathBuf, time::Duration};

use sinew_auth::{Authenticator, Secret};

use crate::irc::codec::{BuildError, MessageBuf};

/// What a server is called, whom it lets in, and its limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | a message; tags of a client, fixed | 512 bytes; 4,096 bytes | 417 |
/// | [`clients_max`](Self::clients_max) | 5,000 | ERROR |
/// | [`clients_per_network_max`](Self::clients_per_network_max): of an IPv4 address, or of a /64 | 16 | ERROR |
/// | [`connects`](Self::connects): of the same, in a time | 20 in 60 s | ERROR |
/// | [`registration_timeout`](Self::registration_timeout) | 30 s in all | ERROR |
/// | [`ping_after`](Self::ping_after), [`pong_within`](Self::pong_within): silence | 90 s; 60 s | "Ping timeout" |
/// | [`flood`](Self::flood): commands at once; a second | 10; 2 | they wait |
/// | [`waiting_max`](Self::waiting_max): commands that wait; their bytes, fixed | 64; 64 KiB | "Excess Flood" |
/// | [`send_queue_max`](Self::send_queue_max) | 256 KiB | "SendQ exceeded" |
/// | [`channels_per_client_max`](Self::channels_per_client_max) | 50 | 405 |
/// | [`channels_max`](Self::channels_max) | 10,000 | 405 |
/// | [`members_max`](Self::members_max): of a channel | 10,000 | 471 |
/// | [`lists_max`](Self::lists_max): bans, exceptions and invitations of a channel | 100 of each | 478 |
/// | [`registered_channels_max`](Self::registered_channels_max); of an account | 10,000; 20 | refused |
/// | [`logins_max`](Self::logins_max): failed logins of a connection | 5 | closed |
/// | a nick; a channel; a topic, a reason, an away message; a key | 30; 64; 390; 32 bytes | 432; 403; cut; 696 |
/// | MONITOR; WHOWAS; targets of a message; modes of a message, fixed | 100; 1,000; 4; 12 | 734; forgotten; 407; ignored |
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::server::ServerConfig;
///
/// let config = ServerConfig::new("irc.example.net")?.network("Example")?.clients_max(1_000);
/// # drop(config);
/// # Ok::<(), sinew_chat::irc::codec::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) name: String,
    pub(super) network: String,
    pub(super) description: String,
    pub(super) password: Option<Secret>,
    pub(super) accounts: Option<Authenticator>,
    pub(super) needs_account: bool,
    pub(super) operators: Option<Authenticator>,
    pub(super) cloak: Option<Secret>,
    pub(super) motd_file: Option<PathBuf>,
    pub(super) bans_file: Option<PathBuf>,
    pub(super) channels_file: Option<PathBuf>,
    pub(super) clients_max: usize,
    pub(super) clients_per_network_max: usize,
    pub(super) connects: u32,
    pub(super) connects_within: Duration,
    pub(super) registration_timeout: Duration,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    pub(super) burst: u32,
    pub(super) interval: Duration,
    pub(super) waiting_max: usize,
    pub(super) send_queue_max: usize,
    pub(super) channels_per_client_max: usize,
    pub(super) channels_max: usize,
    pub(super) members_max: usize,
    pub(super) lists_max: usize,
    pub(super) registered_channels_max: usize,
    pub(super) logins_max: usize,
}

/// Most registered channels of one account.
pub(super) const CHANNELS_PER_ACCOUNT_MAX: usize = 20;

impl ServerConfig {
    /// A server of this name, which looks like that of a host.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is not a word.
    pub fn new(name: &str) -> Result<Self, BuildError> {
        MessageBuf::new("A")?.param(name)?.encode()?;
        Ok(Self {
            name: name.to_owned(),
            network: "IRC".to_owned(),
            description: "an IRC server".to_owned(),
            password: None,
            accounts: None,
            needs_account: false,
            operators: None,
            cloak: None,
            motd_file: None,
            bans_file: None,
            channels_file: None,
            clients_max: 5_000,
            clients_per_network_max: 16,
            connects: 20,
            connects_within: Duration::from_secs(60),
            registration_timeout: Duration::from_secs(30),
            ping_after: Duration::from_secs(90),
            pong_within: Duration::from_secs(60),
            burst: 10,
            interval: Duration::from_millis(500),
            waiting_max: 64,
            send_queue_max: 256 * 1_024,
            channels_per_client_max: 50,
            channels_max: 10_000,
            members_max: 10_000,
            lists_max: 100,
            registered_channels_max: 10_000,
            logins_max: 5,
        })
    }

    /// The name of the network, which clients show. Default `IRC`.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is not a word.
    pub fn network(mut self, name: &str) -> Result<Self, BuildError> {
        MessageBuf::new("A")?.param(name)?.encode()?;
        self.network = name.to_owned();
        Ok(self)
    }

    /// What WHOIS says of the server.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it has CR, LF or NUL.
    pub fn description(mut self, text: &str) -> Result<Self, BuildError> {
        MessageBuf::new("A")?.text(text)?.encode()?;
        self.description = text.to_owned();
        Ok(self)
    }

    /// Lets in only clients that say this password (PASS). Default: none.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Lets clients log in to accounts, by SASL. Passwords are asked for over TLS only, unless the authenticator says otherwise.
    pub fn accounts(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.accounts = Some(authenticator.into());
        self
    }

    /// Lets in only clients that have logged in. Default no.
    pub fn account_required(mut self, needs_account: bool) -> Self {
        self.needs_account = needs_account;
        self
    }

    /// Who may become an operator of the server, by OPER with a name and a password. Default: nobody.
    pub fn operators(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.operators = Some(authenticator.into());
        self
    }

    /// Shows others no addresses, but what is made of them and this secret: the same for the same address, and alike for addresses of
    /// one network, so that bans work. Default: addresses are shown.
    pub fn cloak(mut self, secret: impl Into<Secret>) -> Self {
        self.cloak = Some(secret.into());
        self
    }

    /// A file with the message of the day. Read by [`IrcServer::load`](super::IrcServer::load) and REHASH.
    pub fn motd_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.motd_file = Some(path.into());
        self
    }

    /// A file with bans from the server (k-lines): on each line a mask `user@host`, where the host may be a network
    /// (`*@2001:db8::/64`), and behind it a reason. It need not exist, but its folder. KLINE and UNKLINE of operators write it. A line
    /// that is no ban is an error, with its number.
    pub fn bans_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.bans_file = Some(path.into());
        self
    }

    /// A file with the registered channels. It need not exist, but its folder; each change is written to it, whole and on the disk before it takes the
    /// place of the old one. Without a file they are forgotten when the server ends.
    pub fn channels_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.channels_file = Some(path.into());
        self
    }

    /// Most clients. Default 5,000.
    pub fn clients_max(mut self, clients: usize) -> Self {
        self.clients_max = clients;
        self
    }

    /// Most clients of one network: of an IPv4 address, or of the first 64 bits of an IPv6 address. Default 16.
    pub fn clients_per_network_max(mut self, clients: usize) -> Self {
        self.clients_per_network_max = clients;
        self
    }

    /// Most connections of one network in a time. Default 20 in 60 s.
    pub fn connects(mut self, connects: u32, within: Duration) -> Self {
        self.connects = connects;
        self.connects_within = within;
        self
    }

    /// How long a client may take from the connection to its welcome. Default 30 s.
    pub fn registration_timeout(mut self, timeout: Duration) -> Self {
        self.registration_timeout = timeout;
        self
    }

    /// After how much silence a client is asked whether it is there. Default 90 s.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// How long it may then be silent. Default 60 s.
    pub fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }

    /// How many commands of a client are carried out at once, and the time between those that follow. JOIN and PART count once more for each
    /// 4 channels. Default 10 and 0.5 s.
    pub fn flood(mut self, burst: u32, interval: Duration) -> Self {
        self.burst = burst.max(1);
        self.interval = interval;
        self
    }

    /// Most commands of a client that wait. Default 64.
    pub fn waiting_max(mut self, commands: usize) -> Self {
        self.waiting_max = commands;
        self
    }

    /// Most bytes that wait to be sent to a client. Default 256 KiB.
    pub fn send_queue_max(mut self, bytes: usize) -> Self {
        self.send_queue_max = bytes;
        self
    }

    /// Most channels that a client is in. Default 50.
    pub fn channels_per_client_max(mut self, channels: usize) -> Self {
        self.channels_per_client_max = channels;
        self
    }

    /// Most channels. Default 10,000.
    pub fn channels_max(mut self, channels: usize) -> Self {
        self.channels_max = channels;
        self
    }

    /// Most members of a channel. Default 10,000.
    pub fn members_max(mut self, members: usize) -> Self {
        self.members_max = members;
        self
    }

    /// Most bans of a channel, and as many exceptions and invitations. Default 100.
    pub fn lists_max(mut self, masks: usize) -> Self {
        self.lists_max = masks;
        self
    }

    /// Most registered channels. Default 10,000.
    pub fn registered_channels_max(mut self, channels: usize) -> Self {
        self.registered_channels_max = channels;
        self
    }

    /// Most logins of a connection that fail. Default 5.
    pub fn logins_max(mut self, tries: usize) -> Self {
        self.logins_max = tries;
        self
    }
}
