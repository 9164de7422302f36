//! The state of a resolver: [`Shared`]. What its handles, its tasks and its timers have in common.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_transports::reactor::{Reactor, WeakReactor};

use super::{
    Answer, DnsConfig, LookupError,
    address_cache::AddressCache,
    asker::Asker,
    cache::{Cache, CacheLimits, Key},
    files::Files,
    flights::Flights,
    hosts::HostsTable,
    servers::Servers,
    settings::Settings,
    store::StoreLimits,
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
    pub(super) flights: Rc<Flights<Key, Answer, LookupError>>,
    pub(super) asker: Asker,
    pub(super) stats: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) lookups: Cell<u64>,
    pub(super) cache_hits: Cell<u64>,
    pub(super) merged: Cell<u64>,
    pub(super) failures: Cell<u64>,
}

impl Shared {
    /// Its files are not read yet.
    pub(super) fn new(reactor: &Reactor, config: DnsConfig) -> Rc<Self> {
        let limits = CacheLimits {
            store: StoreLimits {
                entries_max: config.cache_entries_max,
                bytes_max: config.cache_bytes_max,
                stale_max: config.stale_max,
            },
            positive_max: config.positive_max,
            negative_max: config.negative_max,
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
            flights: Flights::new(),
            asker: Asker::new(reactor.downgrade(), config.asking.clone()),
            stats: Counters::default(),
            config,
        });
        shared.servers.set(reactor, &settings.servers);
        shared
    }

    pub(super) fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }
}
