//! What both stores do, and expiry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sinew_news::{
    nntp::codec::{OverviewLine, Range},
    store::{Direction, ExpiryRule, GroupStatus, MemoryStore, NewGroup, NewsStore, StoreError},
};
use sinew_transports::reactor::Reactor;

use super::folder::{Folder, create_groups, overview, put, read, wait};
use crate::support::{group, id, new_article};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn check(store: &impl NewsStore, reactor: &Reactor) {
    assert!(put(store, reactor, "<1@a>", &["a.one"], "one\r\n"));
    assert!(put(store, reactor, "<2@a>", &["a.one", "a.two", "no.such"], ".two\r\nlines\r\n"));
    assert!(!put(store, reactor, "<1@a>", &["a.two"], "other\r\n"), "it was here");
    let long = "0123456789\r\n".repeat(20_000);
    assert!(put(store, reactor, "<3@a>", &["a.one"], &long));
    let info = wait(reactor, store.group(reactor, &group("a.one"))).unwrap();
    assert_eq!((info.low, info.high, info.count, info.status), (1, 3, 3, GroupStatus::Open));
    assert_eq!(wait(reactor, store.numbers(reactor, &group("a.one"), Range::from(2), 10)), [2, 3]);
    assert_eq!(wait(reactor, store.numbers(reactor, &group("a.one"), Range::all(), 2)), [1, 2]);
    assert_eq!(wait(reactor, store.numbers(reactor, &group("no.such"), Range::all(), 2)), []);
    let lines = overview(store, reactor, "a.one");
    assert_eq!(lines.iter().map(OverviewLine::number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(lines[1].extra("Xref"), Some(&b"news.example a.one:2 a.two:1"[..]));
    assert_eq!(lines[1].lines(), Some(2));
    let text = read(store, reactor, "<3@a>").unwrap();
    assert_eq!(lines[2].bytes(), Some(text.len() as u64));
    assert!(text.ends_with(long.as_bytes()));
    assert_eq!(read(store, reactor, "<no@a>"), None);
    let of_id = wait(reactor, store.overview_of(reactor, &id("<2@a>"))).unwrap();
    assert_eq!((of_id.number(), of_id.fields()), (0, lines[1].fields()));
    let next = |number, direction| {
        let found = store.neighbour(reactor, &group("a.one"), number, direction);
        wait(reactor, found).map(|found| found.number)
    };
    assert_eq!(next(1, Direction::Next), Some(2));
    assert_eq!((next(3, Direction::Next), next(u64::MAX, Direction::Next)), (None, None));
    assert_eq!(
        (next(3, Direction::Last), next(1, Direction::Last), next(0, Direction::Last)),
        (Some(2), None, None)
    );
    let arrivals = |after, since| {
        let arrivals = wait(reactor, store.arrivals(reactor, after, since, 10));
        arrivals.iter().map(|arrival| arrival.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(arrivals(0, UNIX_EPOCH), ["<1@a>", "<2@a>", "<3@a>"]);
    assert_eq!(arrivals(2, UNIX_EPOCH), ["<3@a>"]);
    assert!(arrivals(0, reactor.wall_clock() + DAY).is_empty());
    wait(reactor, store.remember(reactor, &id("<bad@a>")));
    assert!(wait(reactor, store.has_seen(reactor, &id("<bad@a>"))));
    assert!(!wait(reactor, store.has_seen(reactor, &id("<good@a>"))));
    let peer = "../news.example.net";
    assert_eq!(wait(reactor, store.position(reactor, peer)), 0);
    wait(reactor, store.set_position(reactor, peer, 7));
    assert_eq!(wait(reactor, store.position(reactor, peer)), 7);
}

#[test]
fn stores_are_alike() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let memory = MemoryStore::new();
    for name in ["a.one", "a.two"] {
        memory.create_group(NewGroup::new(group(name)), reactor.wall_clock()).unwrap();
    }
    check(&memory, &reactor);
    let folder = Folder::new();
    let spool = folder.open().unwrap();
    create_groups(&spool, &reactor);
    check(&spool, &reactor);
    // And after it was closed.
    let before = overview(&spool, &reactor, "a.one");
    assert!(matches!(folder.open(), Err(StoreError::InUse { .. })));
    drop(spool);
    let spool = folder.open().unwrap();
    assert_eq!(overview(&spool, &reactor, "a.one"), before);
    assert!(wait(&reactor, spool.has_seen(&reactor, &id("<bad@a>"))));
    assert_eq!(wait(&reactor, spool.position(&reactor, "../news.example.net")), 7);
    assert!(!put(&spool, &reactor, "<1@a>", &["a.one"], "x\r\n"));
}

#[test]
fn articles_expire_and_their_numbers_do_not_come_again() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let folder = Folder::new();
    let spool = folder.open().unwrap();
    create_groups(&spool, &reactor);
    let put_at = |id: &str, groups: &[&str], now: SystemTime| {
        let new = new_article(id, groups, "x\r\n", now);
        assert!(wait(&reactor, spool.store(&reactor, new)).is_some());
    };
    let now = reactor.wall_clock();
    put_at("<1@a>", &["a.one"], now);
    put_at("<2@a>", &["a.one", "a.two"], now);
    let rules = [
        ExpiryRule::new("*".parse().unwrap(), DAY),
        ExpiryRule::new("a.two".parse().unwrap(), 3 * DAY),
    ];
    let nothing = spool.expire(&rules, now + DAY / 2).unwrap();
    assert_eq!((nothing.articles, nothing.forgotten), (0, 0));
    let one = spool.expire(&rules, now + 2 * DAY).unwrap();
    assert_eq!((one.articles, one.forgotten), (1, 0));
    assert_eq!(read(&spool, &reactor, "<1@a>"), None);
    assert!(read(&spool, &reactor, "<2@a>").is_some(), "one of its groups keeps it");
    assert!(!put(&spool, &reactor, "<1@a>", &["a.one"], "x\r\n"), "it is remembered");
    // Until it is so old that no server takes it.
    let all = spool.expire(&rules, now + 15 * DAY).unwrap();
    assert_eq!((all.articles, all.forgotten), (1, 2));
    for reopened in [false, true] {
        let info = spool.group_info(&group("a.one")).unwrap();
        assert_eq!((info.low, info.high, info.count), (3, 2, 0), "reopened: {reopened}");
    }
    drop(spool);
    let spool = folder.open().unwrap();
    let info = spool.group_info(&group("a.one")).unwrap();
    assert_eq!((info.low, info.high, info.count), (3, 2, 0));
}

#[test]
fn the_history_does_not_grow_without_end() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let folder = Folder::new();
    let spool = folder.open().unwrap();
    create_groups(&spool, &reactor);
    let rules = [ExpiryRule::new("*".parse().unwrap(), DAY)];
    for round in 0..4 {
        for at in 0..300 {
            assert!(put(&spool, &reactor, &format!("<{round}.{at}@a>"), &["a.one"], "x\r\n"));
        }
        assert_eq!(spool.expire(&rules, reactor.wall_clock() + 20 * DAY).unwrap().articles, 300);
    }
    let len = std::fs::metadata(folder.0.join("history")).unwrap().len();
    assert!(len < 1_000, "{len} bytes");
    assert!(put(&spool, &reactor, "<last@a>", &["a.one"], "x\r\n"));
    spool.set_status(&group("a.one"), GroupStatus::Closed).unwrap();
    drop(spool);
    let spool = folder.open().unwrap();
    let info = spool.group_info(&group("a.one")).unwrap();
    assert_eq!((info.low, info.high, info.status), (1_201, 1_201, GroupStatus::Closed));
    assert!(read(&spool, &reactor, "<last@a>").is_some());
    spool.remove_group(&group("a.one")).unwrap();
    assert_eq!(read(&spool, &reactor, "<last@a>"), None);
    drop(spool);
    let spool = folder.open().unwrap();
    assert_eq!(spool.group_info(&group("a.one")), None);
    assert!(matches!(spool.remove_group(&group("a.one")), Err(StoreError::NoGroup(_))));
}
