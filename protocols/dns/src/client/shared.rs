//! The state of a resolver: [`Shared`]. What its handles, its tasks and its timers have in common.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_transports::{
    endpoint::{ClientEndpoint, TcpClient},
    reactor::{Reactor, WeakReactor},
};

use super::{
    DnsConfig, NameServer, ServerError,
    address_cache::AddressCache,
    cache::{Cache, CacheLimits},
    files::Files,
    flights::Flights,
    hosts::HostsTable,
    server::Over,
    servers::Servers,
    settings::Settings,
    slots::Slots,
};
#[cfg(feature = "tls")]
use {
    sinew_transports::{endpoint::TlsClient, tls::TlsClientConfig},
    std::cell::OnceCell,
};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) reactor: WeakReactor,
    pub(super) config: DnsConfig,
    /// Replaced by a reload.
    pub(super) settings: RefCell<Rc<Settings>>,
    pub(super) hosts: RefCell<Rc<HostsTable>>,
    pub(super) files: Files,
    pub(super) servers: Servers,
    pub(super) cache: RefCell<Cache>,
    pub(super) addresses: RefCell<AddressCache>,
    pub(super) flights: RefCell<Flights>,
    pub(super) sockets: Rc<Slots>,
    pub(super) stats: Counters,
    #[cfg(feature = "tls")]
    tls: OnceCell<TlsClientConfig>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) lookups: Cell<u64>,
    pub(super) cache_hits: Cell<u64>,
    pub(super) merged: Cell<u64>,
    pub(super) udp: Cell<u64>,
    pub(super) tcp: Cell<u64>,
    pub(super) wrong: Cell<u64>,
    pub(super) failures: Cell<u64>,
}

pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Shared {
    /// Its files are not read yet.
    pub(super) fn new(reactor: &Reactor, config: DnsConfig) -> Rc<Self> {
        let limits = CacheLimits {
            entries_max: config.cache_entries_max,
            bytes_max: config.cache_bytes_max,
            positive_max: config.positive_max,
            negative_max: config.negative_max,
            stale_max: config.stale_max,
        };
        let settings = config.settings();
        let shared = Rc::new(Self {
            reactor: reactor.downgrade(),
            settings: RefCell::new(Rc::new(settings.clone())),
            hosts: RefCell::default(),
            files: Files::new(&config, reactor.now()),
            servers: Servers::default(),
            cache: RefCell::new(Cache::new(limits)),
            addresses: RefCell::new(AddressCache::new(config.cache_entries_max)),
            flights: RefCell::default(),
            sockets: Slots::new(reactor.downgrade(), config.sockets_max),
            stats: Counters::default(),
            #[cfg(feature = "tls")]
            tls: config.tls.clone().map_or_else(OnceCell::new, OnceCell::from),
            config,
        });
        shared.servers.set(reactor, &settings.servers);
        shared
    }

    pub(super) fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }

    /// Where to connect.
    pub(super) fn endpoint(&self, server: &NameServer) -> Result<ClientEndpoint, ServerError> {
        let to = TcpClient::new(server.addr());
        match &server.over {
            Over::Udp | Over::Tcp => Ok(ClientEndpoint::new(to)),
            #[cfg(feature = "tls")]
            Over::Tls(name) => {
                let failed = |error| ServerError::Connection(format!("{error}").into());
                let tls = self.tls()?.server_name(name).map_err(failed)?;
                Ok(ClientEndpoint::new(TlsClient::new(to, tls)))
            }
        }
    }

    /// TLS towards servers. The system's roots are read with the first question over TLS.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Result<TlsClientConfig, ServerError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let system = TlsClientConfig::system();
        let tls = system.map_err(|error| ServerError::Connection(error.to_string().into()))?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}
