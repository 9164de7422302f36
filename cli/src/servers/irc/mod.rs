//! `sinew irc`: a server of IRC with accounts, registered channels, a message of the day and bans from files. `service.rs` is the service:
//! SIGHUP, and the end.

mod service;

use std::{
    error::Error,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use serde::Deserialize;
use sinew::{
    application::{MultiService, Service, StartError},
    auth::{Authenticator, AuthenticatorConfig, PasswordFile},
    chat::irc::server::{IrcServer, ServerConfig},
    http::server::{HttpServer, TrustedProxies},
    prelude::{ListenConfig, StreamConfig},
    transports::{endpoint::ServerEndpoint, proxy::Subnet},
};

use crate::{
    arguments::Endpoint,
    quantity::{Interval, Size},
    run::{Context, ServerCommand, TlsUse, Wanted},
    servers::secret_file::secret,
};
use service::IrcService;

/// Where it listens by default.
const LISTEN: &str = "tcp:127.0.0.1:6667";
/// The name of the server, unless another is given.
const NAME: &str = "irc.localhost";
/// Clients of one network, unless another limit is given.
const PER_NETWORK: usize = 16;
/// Connections of one network in a time, unless it may have more clients than that.
const CONNECTS_MIN: u32 = 20;
const CONNECTS_WITHIN: Duration = Duration::from_secs(60);

/// The arguments of `sinew irc`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Irc {
    /// The name of the server, which clients see
    #[arg(long, default_value = NAME, value_name = "NAME")]
    pub(crate) name: String,
    /// The name of the network
    #[arg(long, default_value = "IRC", value_name = "NAME")]
    pub(crate) network: String,
    /// The message of the day. SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub(crate) motd: Option<PathBuf>,
    /// Bans from the server: on each line user@host and a reason. Operators change it by KLINE; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub(crate) bans: Option<PathBuf>,
    /// Where registered channels are stored
    #[arg(long, value_name = "FILE")]
    pub(crate) channels: Option<PathBuf>,
    /// Accounts: a file with a line NAME:HASH for each, which `sinew password` or `htpasswd -B` makes. Clients log in by SASL
    #[arg(long, value_name = "FILE", help_heading = "Logins")]
    pub(crate) accounts: Option<PathBuf>,
    /// Let in only clients that have logged in
    #[arg(long, help_heading = "Logins")]
    pub(crate) account_required: bool,
    /// Who may become an operator of the server, by OPER: a file of the same kind
    #[arg(long, value_name = "FILE", help_heading = "Logins")]
    pub(crate) operators: Option<PathBuf>,
    /// Let clients send passwords over connections that are not encrypted
    #[arg(long, help_heading = "Logins")]
    pub(crate) plaintext_logins: bool,
    /// A file with the password that clients have to say to connect (PASS)
    #[arg(long, value_name = "FILE", help_heading = "Logins")]
    pub(crate) password_file: Option<PathBuf>,
    /// Show names in place of addresses, made with the secret in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) cloak: Option<PathBuf>,
    /// Where clients connect by WebSocket, as tls:8443:cert=c.pem:key=k.pem: browsers. May be repeated
    #[arg(long, value_name = "ENDPOINT", help_heading = "WebSocket")]
    pub(crate) websocket: Vec<Endpoint>,
    /// Let pages of this origin connect, as https://chat.example.org, and not only those of the server's own address. May be repeated
    #[arg(long, value_name = "ORIGIN", requires = "websocket", help_heading = "WebSocket")]
    pub(crate) origin: Vec<String>,
    /// Believe what proxies in this network say of a client's address (X-Forwarded-For). May be repeated
    #[arg(long, value_name = "NETWORK", requires = "websocket", help_heading = "WebSocket")]
    pub(crate) trusted_proxy: Vec<String>,
    /// Most clients of one IPv4 address, or of one /64 of IPv6
    #[arg(long, default_value_t = PER_NETWORK, value_name = "N")]
    pub(crate) per_network: usize,
    /// Drop a client for which so much waits to be sent: one that does not read
    #[arg(long, default_value_t = Size(256 << 10), value_name = "SIZE")]
    pub(crate) max_unread: Size,
}

impl Default for Irc {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            network: "IRC".to_owned(),
            motd: None,
            bans: None,
            channels: None,
            accounts: None,
            account_required: false,
            operators: None,
            plaintext_logins: false,
            password_file: None,
            cloak: None,
            websocket: Vec::new(),
            origin: Vec::new(),
            trusted_proxy: Vec::new(),
            per_network: PER_NETWORK,
            max_unread: Size(256 << 10),
        }
    }
}

impl ServerCommand for Irc {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let accounts = self.accounts.as_deref().map(users).transpose()?;
        let config = self.config(context, accounts.clone())?;
        let server = IrcServer::open(context.reactor(), config)
            .map_err(|error| StartError::other(with_cause(&error)))?;
        let ports = MultiService::new();
        let (config, stream) = (ListenConfig::default(), StreamConfig::default());
        let (lines, web) = (context.endpoints(LISTEN)?, self.websockets());
        let (config_of_web, stream_of_web) = (config.clone(), stream.clone());
        context.serve_group(&ports, "", lines, config, stream, server.clone(), |_, port| port)?;
        context.serve_group(
            &ports,
            "websocket",
            web,
            config_of_web,
            stream_of_web,
            self.site(&server)?,
            |_, port| port,
        )?;
        Ok(Box::new(IrcService::new(Box::new(ports), server, accounts)))
    }

    /// There is one network.
    fn on_all_reactors(&self) -> bool {
        false
    }

    /// Nobody connects to the default name, and browsers connect to the host of a page.
    fn tls(&self, listen: &[Endpoint]) -> TlsUse {
        let name = (self.name != NAME).then(|| Wanted::new("name", &self.name));
        TlsUse::default().endpoints(listen, name).endpoints(&self.websocket, None)
    }
}

impl Irc {
    fn websockets(&self) -> Vec<ServerEndpoint> {
        self.websocket.iter().map(|websocket| websocket.endpoint.clone()).collect()
    }

    /// The server behind WebSockets, at all paths.
    fn site(&self, server: &IrcServer) -> Result<HttpServer, StartError> {
        let mut upgrade = server.websocket();
        for text in &self.origin {
            if !is_origin(text) {
                let example = "a scheme and a host, as https://chat.example.org";
                return Err(StartError::other(format!("origin {text}: not {example}")));
            }
            upgrade = upgrade.origin(text);
        }
        let subnets: Result<Vec<Subnet>, _> =
            self.trusted_proxy.iter().map(|text| text.parse()).collect();
        let subnets = subnets.map_err(StartError::other)?;
        Ok(HttpServer::new(TrustedProxies::new(upgrade).trust(subnets)))
    }

    fn config(
        &self,
        context: &Context,
        accounts: Option<Rc<PasswordFile>>,
    ) -> Result<ServerConfig, StartError> {
        let config = ServerConfig::new(&self.name)
            .map_err(|error| StartError::other(format!("name {:?}: {error}", self.name)))?;
        let mut config = config
            .network(&self.network)
            .map_err(|error| StartError::other(format!("network {:?}: {error}", self.network)))?;
        if self.account_required && self.accounts.is_none() {
            return Err(StartError::other("account_required needs accounts, or nobody gets in"));
        }
        if self.websocket.is_empty() && !(self.origin.is_empty() && self.trusted_proxy.is_empty()) {
            return Err(StartError::other("origin and trusted_proxy are for websocket"));
        }
        if let Some(motd) = &self.motd {
            config = config.motd_file(motd);
        }
        if let Some(bans) = &self.bans {
            config = config.bans_file(bans);
        }
        if let Some(channels) = &self.channels {
            config = config.channels_file(channels);
        }
        if let Some(accounts) = accounts {
            config = config
                .accounts(self.authenticator(accounts))
                .account_required(self.account_required);
        }
        if let Some(operators) = &self.operators {
            config = config.operators(self.authenticator(users(operators)?));
        }
        if let Some(file) = &self.password_file {
            config = config.password(secret(file)?);
        }
        if let Some(file) = &self.cloak {
            config = config.cloak(secret(file)?);
        }
        if let Some(Interval(timeout)) = context.limits().idle_timeout {
            config = config.ping_after(timeout);
        }
        if let Some(max) = context.limits().max_connections {
            config = config.clients_max(max);
        }
        let max_unread = usize::try_from(self.max_unread.0).unwrap_or(usize::MAX);
        // All of a network can come back at once, as after a restart of the server.
        let connects = u32::try_from(self.per_network).unwrap_or(u32::MAX).max(CONNECTS_MIN);
        let config = config.connects(connects, CONNECTS_WITHIN);
        Ok(config.clients_per_network_max(self.per_network).send_queue_max(max_unread))
    }

    fn authenticator(&self, users: Rc<PasswordFile>) -> Authenticator {
        let rules = AuthenticatorConfig::default().allow_plaintext(self.plaintext_logins);
        Authenticator::with(users, rules)
    }
}

fn users(file: &Path) -> Result<Rc<PasswordFile>, StartError> {
    PasswordFile::open(file).map(Rc::new).map_err(StartError::other)
}

/// An error with its cause, such as that of a file that cannot be read.
fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether it is an origin as browsers send it (RFC 6454 6.2). Any other text, such as one with a path, would never be equal to one.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_sent = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let has_default_port = match scheme {
        "http" => host.ends_with(":80"),
        "https" => host.ends_with(":443"),
        _ => false,
    };
    !scheme.is_empty()
        && !host.is_empty()
        && !has_default_port
        && !host.contains(['/', '?', '#', '@'])
        && text.bytes().all(is_sent)
}
