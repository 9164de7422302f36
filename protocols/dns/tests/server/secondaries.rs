//! Secondary zones: refreshed by timers and notifications, stored, expired.

use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::{Question, RecordType, ResponseCode},
    server::{
        Acl, Chain, DnsServer, Secondary, SecondaryConfig, SecondaryState, TransferAccess, Zones,
    },
};
use sinew_testkit::sim::Host;

use crate::{
    serving::{name, serve, zone},
    support::World,
    watchdog,
};

/// Refresh 60 s, retry 30 s, expire 300 s.
fn text(serial: u32) -> String {
    format!(
        "$TTL 60\n@ SOA ns root {serial} 60 30 300 30\n@ NS ns\nns A 192.0.2.1\nv TXT \"{serial}\"\n"
    )
}

struct Pair {
    world: World,
    primary: Host,
    secondary: Host,
    /// Of the primary server.
    zones: Rc<RefCell<Option<Zones>>>,
    state: Rc<RefCell<Option<Secondary>>>,
}

impl Pair {
    fn new(seed: u64, store: Option<PathBuf>) -> Self {
        let world = World::new(seed);
        let zones = Rc::<RefCell<Option<Zones>>>::default();
        let of_boot = zones.clone();
        let (primary, at) = serve(&world, "primary", move |_| {
            let zones = Zones::new();
            zones.insert(zone(&text(1)));
            zones.journal(4);
            zones.allow_transfers(TransferAccess::new(Acl::everybody()));
            of_boot.replace(Some(zones.clone()));
            DnsServer::new(zones)
        });
        let state = Rc::<RefCell<Option<Secondary>>>::default();
        let of_boot = state.clone();
        let (secondary, _) = serve(&world, "secondary", move |reactor| {
            let resolver = DnsResolver::new(reactor, DnsConfig::default().servers([at]));
            let zones = Zones::new();
            let mut config = SecondaryConfig::new([NameServer::new(at)]);
            if let Some(store) = &store {
                config = config.store(store);
            }
            let secondary = Secondary::start(reactor, &resolver, &zones, name("example."), config);
            of_boot.replace(Some(secondary.clone()));
            DnsServer::new(Chain::new().then(secondary).then(zones))
        });
        Self { world, primary, secondary, zones, state }
    }

    /// What the secondary server answers: the version, or the code.
    fn version(&self) -> Result<String, ResponseCode> {
        let at = NameServer::new((self.secondary.addr(), 53));
        let resolver = self.world.resolver(DnsConfig::default().servers([at.addr()]));
        let question = Question::new(name("v.example."), RecordType::TXT);
        let message = self.world.get(resolver.query_server(&at, question)).unwrap();
        match message.answers.first() {
            Some(record) => Ok(record.data.to_string()),
            None => Err(message.metadata.response_code),
        }
    }

    fn state(&self) -> SecondaryState {
        self.state.borrow().as_ref().unwrap().state()
    }

    fn publish(&self, serial: u32) {
        self.zones.borrow().as_ref().unwrap().insert(zone(&text(serial)));
    }
}

#[test]
fn refreshed_by_the_timers() {
    watchdog::watch_this_test();
    let pair = Pair::new(1, None);
    pair.world.pass(5);
    assert_eq!((pair.version(), pair.state()), (Ok("1".to_owned()), SecondaryState::Fresh));
    pair.publish(2);
    pair.world.pass(50);
    assert_eq!(pair.version().as_deref(), Ok("1"), "not before its time");
    pair.world.pass(12);
    assert_eq!(pair.version().as_deref(), Ok("2"));
}

#[test]
fn notified() {
    watchdog::watch_this_test();
    let pair = Pair::new(2, None);
    pair.world.pass(5);
    pair.publish(2);
    let to = NameServer::new((pair.secondary.addr(), 53));
    let from = |host: &Host| {
        let resolver = DnsResolver::new(&host.reactor(), DnsConfig::default().servers([to.addr()]));
        pair.world.get(resolver.notify(&to, "example", None, None))
    };
    assert!(from(&pair.world.client).is_err(), "not from everybody");
    pair.world.pass(2);
    assert_eq!(pair.version().as_deref(), Ok("1"));
    assert!(from(&pair.primary).is_ok());
    pair.world.pass(2);
    assert_eq!(pair.version().as_deref(), Ok("2"));
}

#[test]
fn expires_and_comes_back() {
    watchdog::watch_this_test();
    let pair = Pair::new(3, None);
    pair.world.pass(5);
    pair.primary.power_off();
    pair.world.pass(200);
    assert_eq!((pair.version(), pair.state()), (Ok("1".to_owned()), SecondaryState::Stale));
    pair.world.pass(150);
    assert_eq!(
        (pair.version(), pair.state()),
        (Err(ResponseCode::Refused), SecondaryState::Expired)
    );
    assert!(pair.state.borrow().as_ref().unwrap().failure().is_some());
    pair.primary.restart();
    pair.world.pass(400);
    assert_eq!((pair.version(), pair.state()), (Ok("1".to_owned()), SecondaryState::Fresh));
}

#[test]
fn stored_across_a_restart() {
    watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-dns-secondary-{}", std::process::id()));
    let pair = Pair::new(4, Some(folder.clone()));
    // The file is written by a thread of the pool, which virtual time does not wait for.
    let file = folder.join("example.zone");
    let moment = || pair.world.network.run_for(Duration::from_millis(1)).unwrap();
    while !file.exists() {
        moment();
    }
    pair.primary.power_off();
    pair.secondary.restart();
    moment();
    while pair.state() == SecondaryState::Missing {
        moment();
    }
    assert_eq!((pair.version(), pair.state()), (Ok("1".to_owned()), SecondaryState::Stale));
    pair.world.network.run_for(Duration::from_secs(400)).unwrap();
    assert_eq!(pair.version(), Err(ResponseCode::Refused));
    let _ = std::fs::remove_dir_all(&folder);
}
