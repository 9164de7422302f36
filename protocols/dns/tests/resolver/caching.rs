//! What is cached, for how long, and what is used after its time.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_dns::{
    client::LookupError,
    codec::{RecordType, ResponseCode},
    testing::{Reaction, TestServer},
};

use crate::support::{World, asking};

fn server() -> TestServer {
    TestServer::new().addr("a.example", [192, 0, 2, 1]).zone("example", 60)
}

#[test]
fn answers_are_cached_by_their_ttl() {
    let world = World::new(1);
    let server = server();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let get = || world.get(resolver.lookup("A.Example", RecordType::A)).unwrap();
    assert_eq!(get().ttl(), 300);
    world.pass(100);
    let answer = get();
    assert!((199..=200).contains(&answer.ttl()) && !answer.is_stale());
    assert_eq!(server.asked().len(), 1);
    world.pass(200);
    assert_eq!(get().ttl(), 300);
    assert_eq!(server.asked().len(), 2);
    resolver.clear_cache();
    get();
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn that_there_is_nothing_is_cached() {
    let world = World::new(2);
    let server = server();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let get = |name: &str, record_type| world.get(resolver.lookup(name, record_type)).unwrap_err();
    for _ in 0..3 {
        assert!(matches!(get("a.example", RecordType::MX), LookupError::NoRecord { .. }));
        assert!(matches!(get("b.example", RecordType::A), LookupError::NoSuchName { .. }));
        // NXDOMAIN is so for every type.
        assert!(matches!(get("b.example", RecordType::MX), LookupError::NoSuchName { .. }));
    }
    assert_eq!(server.asked().len(), 2);
    world.pass(61);
    get("b.example", RecordType::A);
    assert_eq!(server.asked().len(), 3);
    // Without an SOA record it is not.
    get("a.other", RecordType::A);
    get("a.other", RecordType::A);
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn failures_are_not_cached() {
    let world = World::new(3);
    let server = server().react(|_| Reaction::Code(ResponseCode::ServFail));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    for _ in 0..2 {
        assert!(!world.get(resolver.lookup("a.example", RecordType::A)).unwrap_err().is_negative());
    }
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn aliases_are_followed() {
    let world = World::new(4);
    let server = server().alias("w.example", "x.example").alias("x.example", "a.example");
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let answer = world.get(resolver.lookup("w.example", RecordType::A)).unwrap();
    assert_eq!((answer.aliases().len(), answer.records().len()), (2, 1));
    assert_eq!(answer.canonical_name().to_ascii(), "a.example.");
    let name = world.get(resolver.canonical_name("w.example")).unwrap();
    assert_eq!(name.to_ascii(), "a.example.");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_alias_to_nothing_is_still_an_alias() {
    let world = World::new(9);
    let server = server().alias("w.example", "nothing.example");
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    for _ in 0..2 {
        let error = world.get(resolver.lookup("w.example", RecordType::A)).unwrap_err();
        assert!(matches!(error, LookupError::NoSuchName { .. }), "{error}");
    }
    assert_eq!(server.asked().len(), 1);
    let alias = world.get(resolver.lookup("w.example", RecordType::CNAME)).unwrap();
    assert_eq!(alias.records().len(), 1);
}

#[test]
fn a_server_that_tells_one_alias_at_a_time() {
    let world = World::new(5);
    let all = server().alias("w.example", "x.example").alias("x.example", "a.example");
    let of_reaction = all.clone();
    let server = all.react(move |asked| {
        let mut response = of_reaction.response(&asked.query);
        response.answers.truncate(1);
        Reaction::Message(Box::new(response))
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let answer = world.get(resolver.lookup("w.example", RecordType::A)).unwrap();
    assert_eq!((answer.aliases().len(), answer.records().len()), (2, 1));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn cname_loop() {
    let world = World::new(6);
    let server = TestServer::new().alias("x.example", "y.example").alias("y.example", "x.example");
    let of_reaction = server.clone();
    let server = server.react(move |asked| {
        let mut response = of_reaction.response(&asked.query);
        response.answers.truncate(1);
        Reaction::Message(Box::new(response))
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let error = world.get(resolver.lookup("x.example", RecordType::A)).unwrap_err();
    assert!(matches!(error, LookupError::ChainLoop { .. }), "{error}");
    assert_eq!((server.asked().len(), resolver.stats().cached), (2, 0));
}

/// A server that can be switched off.
fn switched() -> (TestServer, Rc<Cell<bool>>) {
    let is_off = Rc::new(Cell::new(false));
    let of_server = is_off.clone();
    let server =
        server().react(move |_| if of_server.get() { Reaction::Drop } else { Reaction::Usual });
    (server, is_off)
}

#[test]
fn old_answers_while_no_server_answers() {
    let world = World::new(7);
    let (server, is_off) = switched();
    let host = world.server("server", &server);
    let config = asking(&[&host]).stale_max(Duration::from_secs(3600));
    let resolver = world.resolver(config);
    let get = || world.wait(resolver.lookup("a.example", RecordType::A));
    assert!(!get().0.unwrap().is_stale());
    is_off.set(true);
    world.pass(301);
    let (answer, took) = get();
    let answer = answer.unwrap();
    assert_eq!((answer.is_stale(), answer.ttl()), (true, 30));
    assert!((1800..1900).contains(&took.as_millis()), "{took:?}");
    // Once the servers have failed, the next are answered at once for a while.
    world.pass(5);
    let (answer, took) = get();
    assert!(answer.unwrap().is_stale() && took < Duration::from_millis(10), "{took:?}");
    is_off.set(false);
    world.pass(31);
    assert!(!get().0.unwrap().is_stale());
    // Not for ever.
    is_off.set(true);
    world.pass(4000);
    assert!(get().0.is_err());
}

#[test]
fn old_answers_are_not_used_by_default() {
    let world = World::new(8);
    let (server, is_off) = switched();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    assert!(world.get(resolver.lookup("a.example", RecordType::A)).is_ok());
    is_off.set(true);
    world.pass(301);
    assert!(world.get(resolver.lookup("a.example", RecordType::A)).is_err());
}
