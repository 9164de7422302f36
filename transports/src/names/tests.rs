//! Resolvers on a simulated reactor, whose clock the test advances.

use std::{cell::RefCell, time::Duration};

use super::*;

type Queried = Rc<RefCell<Vec<String>>>;

/// Nothing may be left, and no callback may have panicked.
#[track_caller]
fn assert_clean(reactor: &Reactor) {
    assert_eq!(
        (reactor.leak_report().to_string(), reactor.stats().panics),
        ("nothing".to_owned(), 0)
    );
}

const SECOND: Duration = Duration::from_secs(1);

/// A resolver that takes a second for each lookup, and knows all names except those that begin with "no".
fn slow_resolver(queried: &Queried) -> impl Resolve + use<> {
    let queried = queried.clone();
    move |reactor: &Reactor, host: &str| {
        queried.borrow_mut().push(host.to_owned());
        let (promise, lookup) = reactor.promise();
        let host = host.to_owned();
        let promise = Rc::new(RefCell::new(Some(promise)));
        let later = promise.clone();
        let timer = reactor.call_later(SECOND, move |_| {
            let promise: sinew_reactor::Promise<_, _> = later.take().expect("not settled before");
            promise.settle(if host.starts_with("no") {
                Err(ResolveError::NoSuchName)
            } else {
                Ok(vec![([192, 0, 2, host.len() as u8], 0).into()])
            });
        });
        let slot = promise.borrow();
        slot.as_ref().expect("it is there").on_cancel(move |_| {
            timer.cancel();
        });
        drop(slot);
        lookup
    }
}

/// The result of a lookup after two seconds.
fn found(reactor: &Reactor, lookup: &Lookup) -> String {
    reactor.advance(2 * SECOND).unwrap();
    match lookup.take().expect("it is settled") {
        Ok(addrs) => addrs.iter().map(|addr| addr.ip().to_string()).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn hosts_table() {
    let text =
        "# ours\n192.0.2.1 One one.example # and more\n\n2001:db8::1\tone\n  192.0.2.2 two.\n";
    let hosts = Hosts::parse(text).unwrap().with("none", []);
    let reactor = Reactor::simulated(0);
    reactor.set_resolver(hosts);
    let cases = [
        ("one", "192.0.2.1 2001:db8::1"),
        ("ONE.EXAMPLE.", "192.0.2.1"),
        ("two", "192.0.2.2"),
        ("three", "the name does not exist"),
        ("none", "the name has no address"),
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("fe80::9%7", "fe80::9"),
    ];
    for (name, expected) in cases {
        assert_eq!(found(&reactor, &reactor.resolve(name)), expected, "{name}");
    }
    assert_clean(&reactor);

    // Names that are too long reach no resolver.
    let long = "a".repeat(254);
    let expected = format!("invalid host name: \"{long}\" is longer than 253 bytes");
    assert_eq!(found(&reactor, &reactor.resolve(&long)), expected);
    let longest = format!("{}.", &long[..253]);
    assert_eq!(found(&reactor, &reactor.resolve(&longest)), "the name does not exist");
    for long in ["a".repeat(70_000), "ü".repeat(70_000)] {
        let message = found(&reactor, &reactor.resolve(&long));
        assert!(
            message.starts_with("invalid host name: ") && message.len() < 1000,
            "{}",
            message.len()
        );
    }
    assert_clean(&reactor);

    let bad = [
        ("one 192.0.2.1", "line 1: \"one\" is not an address"),
        ("\n192.0.2.1 # one", "line 2: 192.0.2.1 has no name"),
    ];
    for (text, expected) in bad {
        assert_eq!(Hosts::parse(text).unwrap_err().to_string(), expected);
    }
    assert!(matches!(Hosts::load("no such file"), Err(HostsError::Io(_))));
}

/// macOS has such an entry: `fe80::1%lo0 localhost`.
#[test]
fn link_local_addresses_have_a_scope() {
    let hosts = Hosts::parse("fe80::1%3 by-number\nfe80::1%nowhere9 nowhere\n").unwrap();
    let reactor = Reactor::new().unwrap();
    reactor.set_resolver(hosts);
    let look_up = |name: &str| reactor.run_until(reactor.resolve(name)).unwrap();
    let expected: SocketAddr = "[fe80::1%3]:0".parse().unwrap();
    for name in ["by-number", "fe80::1%3", "[fe80::1%3]"] {
        assert_eq!(look_up(name).unwrap(), [expected], "{name}");
    }
    for name in ["nowhere", "fe80::1%nowhere9"] {
        let error = look_up(name).unwrap_err().to_string();
        assert_eq!(error, "there is no interface nowhere9 for this address", "{name}");
    }
    #[cfg(target_os = "linux")]
    {
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let expected: SocketAddr = format!("[fe80::1%{}]:0", index.trim()).parse().unwrap();
        assert_eq!(look_up("fe80::1%lo").unwrap(), [expected]);
    }
}

#[test]
fn names_not_in_the_table_use_the_fallback() {
    let (reactor, queried) = (Reactor::simulated(0), Queried::default());
    reactor.set_resolver(
        Hosts::new().with("one", [[192, 0, 2, 1].into()]).fallback(slow_resolver(&queried)),
    );
    assert_eq!(found(&reactor, &reactor.resolve("one")), "192.0.2.1");
    assert_eq!(found(&reactor, &reactor.resolve("three")), "192.0.2.5");
    assert_eq!(*queried.borrow(), ["three"]);
}

#[test]
fn resolver_is_called_by_the_event_loop_only() {
    let (reactor, queried) = (Reactor::simulated(0), Queried::default());
    reactor.set_resolver(slow_resolver(&queried));
    let (lookup, other) = (reactor.resolve("one"), reactor.resolve("two"));
    assert!(queried.borrow().is_empty());
    other.cancel();
    assert_eq!(found(&reactor, &lookup), "192.0.2.3");
    assert_eq!(*queried.borrow(), ["one"], "the other was cancelled before");

    let lookup = reactor.resolve("three");
    reactor.advance(Duration::ZERO).unwrap();
    lookup.cancel();
    reactor.advance(Duration::ZERO).unwrap();
    assert_clean(&reactor);
}

#[test]
fn answers_are_cached_for_their_time() {
    let (reactor, queried) = (Reactor::simulated(0), Queried::default());
    reactor.set_resolver(Cached::new(slow_resolver(&queried)).keep(10 * SECOND));
    let ask = |name: &str| found(&reactor, &reactor.resolve(name));
    assert_eq!((ask("one"), ask("ONE.")), ("192.0.2.3".into(), "192.0.2.3".into()));
    assert_eq!(queried.borrow().len(), 1);
    reactor.advance(7 * SECOND).unwrap();
    ask("one");
    assert_eq!(queried.borrow().len(), 2, "ten seconds after it was found");
    ask("nobody");
    assert_eq!(ask("nobody"), "the name does not exist");
    assert_eq!(queried.borrow().len(), 4, "failures are not cached");

    // Longer than the clock can represent.
    queried.borrow_mut().clear();
    reactor.set_resolver(Cached::new(slow_resolver(&queried)).keep(Duration::MAX));
    ask("one");
    reactor.advance(1_000_000 * SECOND).unwrap();
    ask("one");
    assert_eq!(queried.borrow().len(), 1);

    queried.borrow_mut().clear();
    reactor.set_resolver(Cached::new(slow_resolver(&queried)).keep_failures(10 * SECOND));
    ask("nobody");
    assert_eq!(ask("nobody"), "the name does not exist");
    assert_eq!(queried.borrow().len(), 1);
    assert_clean(&reactor);
}

#[test]
fn cache_size_is_bounded() {
    let (reactor, queried) = (Reactor::simulated(0), Queried::default());
    let cached = Rc::new(Cached::new(slow_resolver(&queried)).names_max(2));
    let resolver = cached.clone();
    reactor.set_resolver(move |reactor: &Reactor, host: &str| resolver.resolve(reactor, host));
    for (name, len) in [("a", 1), ("b", 2), ("c", 2), ("b", 2), ("a", 2)] {
        found(&reactor, &reactor.resolve(name));
        assert_eq!(cached.len(), len, "{name}");
    }
    assert_eq!(*queried.borrow(), ["a", "b", "c", "a"], "the oldest was evicted");
    cached.clear();
    assert!(cached.is_empty());
}

#[test]
fn concurrent_lookups_of_a_name_share_a_query() {
    let (reactor, queried) = (Reactor::simulated(0), Queried::default());
    reactor.set_resolver(Cached::new(slow_resolver(&queried)));
    let lookups: Vec<_> = (0..3).map(|_| reactor.resolve("one")).collect();
    reactor.advance(SECOND / 2).unwrap();
    lookups[0].cancel();
    for lookup in &lookups[1..] {
        assert_eq!(found(&reactor, lookup), "192.0.2.3");
    }
    assert_eq!(queried.borrow().len(), 1);

    // When all are cancelled, the query is cancelled, and the next lookup starts another.
    let lookups: Vec<_> = (0..2).map(|_| reactor.resolve("two..")).collect();
    reactor.advance(SECOND / 2).unwrap();
    lookups.iter().for_each(Lookup::cancel);
    reactor.advance(Duration::ZERO).unwrap();
    assert_clean(&reactor);
    assert_eq!(found(&reactor, &reactor.resolve("two..")), "192.0.2.5");
    assert_eq!(queried.borrow().len(), 3);
}

#[test]
fn names_outside_ascii() {
    let reactor = Reactor::simulated(0);
    reactor.set_resolver(Hosts::new().with("xn--bcher-kva.example", [[192, 0, 2, 1].into()]));
    let answer = found(&reactor, &reactor.resolve("Bücher.example"));
    if cfg!(feature = "idna") {
        assert_eq!(answer, "192.0.2.1");
        assert!(found(&reactor, &reactor.resolve("ü\u{ffff}")).contains("UTS 46"));
    } else {
        assert!(answer.contains("is not ASCII"), "{answer}");
    }
}
