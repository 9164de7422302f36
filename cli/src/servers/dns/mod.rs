//! `sinew dns`: a name server for zones from files and from other servers, which forwards questions about all
//! other names, or asks the servers that are responsible.
//!
//! | file | |
//! |---|---|
//! | `values.rs` | values of the options, pure |
//! | `keys.rs` | the file with the keys of TSIG |
//! | `sources.rs` | zone files and lists of names, read again when they change |
//! | `service.rs` | the service: UDP sockets beside the ports, secondary zones |

mod keys;
mod service;
mod sources;
mod values;

use std::{collections::HashSet, path::PathBuf};

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    dns::{
        client::{DnsConfig, DnsResolver},
        codec::{Name, tsig::TsigKey},
        recursive::{RecursiveConfig, RecursiveResolver, RootHints},
        server::{
            Acl, Chain, DnsServer, Forward, Recursive, SecondaryConfig, ServerConfig,
            TransferAccess, Zones,
        },
        zone::text_of_name,
    },
    prelude::Reactor,
    transports::reactors::Shard,
};

use crate::{
    quantity::Interval,
    run::{Context, ServerCommand},
};
use service::{DnsService, Secondaries};
use sources::{Blocked, Sources};
pub(crate) use values::Network;
use values::{Server, Upstream, ZoneFile, ZoneServers};

/// Equal responses to one network in a second, unless another limit is given.
const RESPONSES_PER_SECOND: u32 = 20;

/// Versions of each zone whose changes are kept for incremental transfers, if transfers are allowed.
const JOURNAL: usize = 10;

/// The arguments of `sinew dns`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dns {
    /// Serve a zone from a file, as example.org=example.org.zone; $INCLUDE reads files in its folder. May be repeated
    #[arg(long, value_name = "NAME=FILE", help_heading = "Zones")]
    pub(crate) zone: Vec<ZoneFile>,
    /// How often zone files and lists are looked at; those that have changed are read again. SIGHUP reads all at once
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION", help_heading = "Zones")]
    pub(crate) watch: Interval,
    /// Serve a zone as it is on other servers, as example.org=192.0.2.1 or example.org=192.0.2.1:53,tls:192.0.2.2#ns.example.org. May
    /// be repeated
    #[arg(long, value_name = "NAME=ADDRESS", help_heading = "Zones")]
    pub(crate) secondary: Vec<ZoneServers>,
    /// The folder where secondary zones are stored, so that they are served at once after a restart
    #[arg(long, value_name = "DIR", help_heading = "Zones")]
    pub(crate) store: Option<PathBuf>,
    /// Send whole zones to these addresses, as 192.0.2.0/24. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Zones")]
    pub(crate) transfer: Vec<Network>,
    /// Send whole zones only if the question is signed with the key of this name; to all addresses, if no subnet is given.
    /// Notifications are signed with it
    #[arg(long, value_name = "NAME", help_heading = "Zones")]
    pub(crate) transfer_key: Option<String>,
    /// Tell these servers when a zone has changed. May be repeated
    #[arg(long, value_name = "ADDRESS", help_heading = "Zones")]
    pub(crate) notify: Vec<Server>,
    /// Sign transfers of secondary zones with the key of this name; transfers and notifications have to be signed then
    #[arg(long, value_name = "NAME", help_heading = "Zones")]
    pub(crate) secondary_key: Option<String>,
    /// Keys (TSIG): a file that only its owner may read, with a line ALGORITHM:NAME:SECRET for each, as hmac-sha256:key.example:c2VjcmV0
    #[arg(long, value_name = "FILE", help_heading = "Zones")]
    pub(crate) keys: Option<PathBuf>,
    /// Pass questions about other names to a server, as 192.0.2.53, tcp:192.0.2.53:53 or tls:192.0.2.53#dns.example; or, by the word
    /// system, to those of /etc/resolv.conf. May be repeated
    #[arg(long, value_name = "ADDRESS", help_heading = "Other names")]
    pub(crate) forward: Vec<Upstream>,
    /// Ask the servers that are responsible about other names, from the root servers of the internet on
    #[arg(long, help_heading = "Other names")]
    pub(crate) recursive: bool,
    /// Begin at this root server instead of those of the internet, as 192.0.2.1 or 192.0.2.1:5300. May be repeated
    #[arg(long, value_name = "ADDRESS", help_heading = "Other names")]
    pub(crate) root: Vec<Server>,
    /// Who may ask about other names, besides this machine, as 192.168.0.0/16. May be repeated
    #[arg(long, value_name = "SUBNET", help_heading = "Other names")]
    pub(crate) allow: Vec<Network>,
    /// Names with fixed addresses, and names that do not exist: a hosts file. Names with the address 0.0.0.0 or ::, and those alone in a
    /// line, are blocked with all below them. May be repeated
    #[arg(long, value_name = "FILE", help_heading = "Other names")]
    pub(crate) block: Vec<PathBuf>,
    /// How many equal responses a network gets in a second over UDP; 0 for no limit
    #[arg(long, default_value_t = RESPONSES_PER_SECOND, value_name = "N")]
    pub(crate) responses_per_second: u32,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            zone: Vec::new(),
            watch: Interval::seconds(5),
            secondary: Vec::new(),
            store: None,
            transfer: Vec::new(),
            transfer_key: None,
            notify: Vec::new(),
            secondary_key: None,
            keys: None,
            forward: Vec::new(),
            recursive: false,
            root: Vec::new(),
            allow: Vec::new(),
            block: Vec::new(),
            responses_per_second: RESPONSES_PER_SECOND,
        }
    }
}

impl ServerCommand for Dns {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        self.check().map_err(StartError::other)?;
        let keys = match &self.keys {
            Some(file) => keys::read(file).map_err(StartError::other)?,
            None => Vec::new(),
        };
        let transfer_key = match &self.transfer_key {
            Some(name) => Some(keys::named(&keys, name)?.clone()),
            None => None,
        };
        let reactor = context.reactor();
        let zones = Zones::new();
        self.allow_transfers(&zones, transfer_key.as_ref());
        let blocked = Blocked::default();
        let resolver = DnsResolver::new(reactor, DnsConfig::default());
        let sources = Sources {
            zones: zones.clone(),
            zone_files: self.zone.clone(),
            lists: self.block.clone(),
            blocked: blocked.clone(),
            notify: self.notify.iter().map(|server| server.0.clone()).collect(),
            notify_key: transfer_key,
            resolver: resolver.clone(),
            speaks: !context.is_check()
                && Shard::of(reactor).is_none_or(|shard| shard.index() == 0),
            service: context.name().to_owned(),
            every: self.watch.0,
        };
        let sources = sources.load().map_err(StartError::other)?;
        let secondaries = Secondaries::new(resolver, &zones, self.secondary_configs(&keys)?);
        let chain = Chain::new().then(blocked).then(secondaries.clone()).then(zones);
        let server =
            DnsServer::with_config(self.other_names(reactor, chain), self.config(context, keys));
        let service = DnsService::new(context, server, sources, secondaries)?;
        Ok(Box::new(service))
    }

    /// A secondary zone is received once.
    fn on_all_reactors(&self) -> bool {
        self.secondary.is_empty()
    }
}

impl Dns {
    /// What does not go together.
    fn check(&self) -> Result<(), String> {
        let has_zones = !self.zone.is_empty() || !self.secondary.is_empty();
        if !has_zones && self.block.is_empty() && self.forward.is_empty() && !self.recursive {
            return Err("there is nothing to answer: give a zone, a secondary zone, a list of names, a server to forward to, or say that it is recursive".to_owned());
        }
        if self.recursive && !self.forward.is_empty() {
            return Err("forward questions to other servers, or be recursive, not both".to_owned());
        }
        if !self.recursive && !self.root.is_empty() {
            return Err("root servers are for a server that is recursive".to_owned());
        }
        let mut origins = HashSet::new();
        let all = self.zone.iter().map(|zone| &zone.origin);
        for origin in all.chain(self.secondary.iter().map(|zone| &zone.origin)) {
            if !origins.insert(origin.to_lowercase()) {
                return Err(format!("the zone {} is given twice", text_of_name(origin)));
            }
        }
        if self.forward.len() > 1 && self.forward.contains(&Upstream::System) {
            return Err(
                "forward to the servers of the system, or to those that you name".to_owned()
            );
        }
        Ok(())
    }

    fn allow_transfers(&self, zones: &Zones, key: Option<&TsigKey>) {
        if self.transfer.is_empty() && key.is_none() {
            return;
        }
        let acl = match self.transfer.is_empty() {
            true => Acl::everybody(),
            false => allowing(Acl::nobody(), &self.transfer),
        };
        let mut access = TransferAccess::new(acl);
        if let Some(key) = key {
            access = access.key(key.name().clone());
        }
        zones.allow_transfers(access);
        zones.journal(JOURNAL);
    }

    fn secondary_configs(
        &self,
        keys: &[TsigKey],
    ) -> Result<Vec<(Name, SecondaryConfig)>, StartError> {
        let key = self.secondary_key.as_deref().map(|name| keys::named(keys, name)).transpose()?;
        let config = |zone: &ZoneServers| {
            let mut config = SecondaryConfig::new(zone.servers.clone());
            if let Some(key) = key {
                config = config.key(key.clone());
            }
            if let Some(folder) = &self.store {
                config = config.store(folder);
            }
            (zone.origin.clone(), config)
        };
        Ok(self.secondary.iter().map(config).collect())
    }

    /// The handler for names of no zone: the only place where other servers are asked for clients.
    fn other_names(&self, reactor: &Reactor, chain: Chain) -> Chain {
        let acl = allowing(Acl::loopback(), &self.allow);
        if self.recursive {
            let mut config = RecursiveConfig::default();
            if !self.root.is_empty() {
                config = config.hints(RootHints::at(self.root.iter().map(|root| root.0.addr())));
            }
            return chain.then(Recursive::new(RecursiveResolver::new(reactor, config)).acl(acl));
        }
        if self.forward.is_empty() {
            return chain;
        }
        let config =
            self.forward.iter().fold(DnsConfig::default(), |config, upstream| match upstream {
                Upstream::System => DnsConfig::system(),
                Upstream::Server(server) => config.server(server.clone()),
            });
        chain.then(Forward::new(DnsResolver::new(reactor, config)).acl(acl))
    }

    fn config(&self, context: &Context, keys: Vec<TsigKey>) -> ServerConfig {
        let limit = self.responses_per_second;
        let mut config = ServerConfig::default().responses_per_second((limit > 0).then_some(limit));
        if let Some(Interval(timeout)) = context.limits().idle_timeout {
            config = config.idle_timeout(timeout);
        }
        if let Some(max) = context.limits().max_per_ip {
            config = config.connections_per_address_max(max);
        }
        keys.into_iter().fold(config, ServerConfig::key)
    }
}

pub(super) fn allowing(acl: Acl, networks: &[Network]) -> Acl {
    networks.iter().fold(acl, |acl, network| acl.allow(network.0))
}
