//! Three servers that feed one another in a simulated network with faults (cuts, resets, pauses, kills), each from two sides: every
//! article arrives everywhere exactly once.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "each test binary uses a part of this")]
#[path = "support/mod.rs"]
mod support;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, UNIX_EPOCH},
};

use sinew_news::{
    nntp::{
        client::{ClientConfig, FeedConfig, Feeder, Security, post},
        codec::Range,
        server::{Access, NewsServer, ServerConfig, Session},
    },
    store::{MemoryStore, NewsStore},
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

const NAMES: [&str; 3] = ["one", "two", "three"];
/// How often an article is posted, and how long; then what is open has time to arrive.
const INTERVAL: Duration = Duration::from_secs(3);
const POSTING: Duration = Duration::from_secs(90);
const ENDING: Duration = Duration::from_secs(1_800);

/// A server with its feeds to the two others, on a store that survives it, as one on disk does.
fn serve(reactor: &Reactor, name: &'static str, store: &MemoryStore) {
    let config = ServerConfig::new(name).unwrap().command_timeout(Duration::from_secs(60));
    let access = |_: &Session| Access::read_and_post().feeding();
    let server = NewsServer::new(config, store.clone(), access);
    drop(reactor.listen_tcp("0.0.0.0:119", server).unwrap());
    let client = ClientConfig::default().security(Security::None);
    let client = client.response_timeout(Duration::from_secs(30));
    let feeders: Vec<_> = NAMES
        .into_iter()
        .filter(|peer| *peer != name)
        .map(|peer| {
            let feed = FeedConfig::new(peer, format!("{peer}:119").as_str());
            let feed = feed.client(client.clone()).window(3).later(Duration::from_secs(5));
            Feeder::start(reactor, store.clone(), feed)
        })
        .collect();
    // They live as long as the process.
    reactor.call_every(Duration::from_secs(3_600), move |_| assert_eq!(feeders.len(), 2));
}

/// Returns how many articles there are.
fn run(network: &Network, faults: Option<RandomFaults>) -> usize {
    let stores = Rc::new(RefCell::new(BTreeMap::<&str, MemoryStore>::new()));
    for name in NAMES {
        let stores = Rc::clone(&stores);
        let host = network.host(name);
        host.boot(move |reactor| {
            let mut stores = stores.borrow_mut();
            let store = stores.entry(name).or_insert_with(|| support::store(reactor.wall_clock()));
            serve(reactor, name, store);
        });
    }
    let posted = Rc::new(Cell::new(0));
    let count = Rc::clone(&posted);
    network.host("client").boot(move |reactor| {
        let (end, count) = (reactor.now() + POSTING, Rc::clone(&count));
        reactor.call_every(INTERVAL, move |reactor| {
            if reactor.now() >= end {
                return;
            }
            let number = count.get();
            count.set(number + 1);
            let body = "x\n".repeat(number * 97 % 3_000);
            let text =
                format!("From: ann@example.net\nNewsgroups: a.open\nSubject: {number}\n\n{body}");
            let to = format!("{}:119", NAMES[number % 3]);
            let config = ClientConfig::default().security(Security::None);
            // Whether it was posted is not always known: what counts is that all servers agree.
            post(reactor, to.as_str(), config, text).then(|_, _| ());
        });
    });
    network.set_random_faults(faults);
    network.run_for(POSTING).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    check(&stores.borrow())
}

/// All stores have the same articles, each once.
fn check(stores: &BTreeMap<&str, MemoryStore>) -> usize {
    let reactor = Reactor::new().unwrap();
    let mut all = BTreeMap::new();
    for (name, store) in stores {
        let arrivals = store.arrivals(&reactor, 0, UNIX_EPOCH, 10_000);
        let arrivals = reactor.run_until(arrivals).unwrap().unwrap();
        let mut ids: Vec<_> = arrivals.into_iter().map(|arrival| arrival.id).collect();
        ids.sort();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} has an article twice");
        let lines = store.overview(&reactor, &support::group("a.open"), Range::all(), 10_000);
        let lines = reactor.run_until(lines).unwrap().unwrap();
        assert!(lines.iter().map(|line| line.number()).eq(1..=count as u64), "{name} has gaps");
        all.insert(*name, ids);
    }
    let mut different = all.values();
    let first = different.next().expect("there are three");
    assert!(different.all(|ids| ids == first), "the servers have different articles: {all:#?}");
    first.len()
}

#[test]
fn without_faults_every_article_arrives_everywhere() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        let count = run(network, None);
        assert!((29..=30).contains(&count), "{count} articles");
    });
}

#[test]
fn every_article_arrives_everywhere_exactly_once_under_faults() {
    watchdog::watch_this_test();
    let count = Cell::new(0);
    simulate(0..20, |network| {
        let faults = RandomFaults::every(Duration::from_secs(3));
        let faults = faults.lasting(Duration::from_secs(10)).cuts().kills().pauses().resets();
        count.set(count.get() + run(network, Some(faults)));
    });
    // With a seed given there is one run.
    assert!(count.get() > 0, "the faults leave nothing");
}
