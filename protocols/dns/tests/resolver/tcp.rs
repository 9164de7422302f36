//! Questions over TCP: after a response that was cut, pipelined, on a connection that is kept.

use std::time::Duration;

use sinew_dns::{
    client::{LookupError, NameServer, ServerError},
    codec::RecordType,
    testing::{Reaction, TestServer},
};
use sinew_testkit::sim::Link;

use crate::support::{World, asking};

fn server() -> TestServer {
    TestServer::new().addr("a.example", [192, 0, 2, 1]).zone("example", 60)
}

#[test]
fn tc_then_tcp() {
    let world = World::new(1);
    let server = server().react(|_| Reaction::Truncate);
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let answer = world.get(resolver.lookup("a.example", RecordType::A)).unwrap();
    assert_eq!(answer.records().len(), 1);
    let over: Vec<_> = server.asked().iter().map(|asked| asked.over_tcp).collect();
    assert_eq!(over, [false, true]);
}

#[test]
fn a_long_response_comes_over_tcp() {
    let world = World::new(2);
    let server =
        (0..200).fold(server(), |server, last| server.addr("many.example", [192, 0, 2, last]));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let answer = world.get(resolver.lookup("many.example", RecordType::A)).unwrap();
    assert_eq!(answer.records().len(), 200);
    assert_eq!(resolver.stats().tcp_queries, 1);
}

#[test]
fn tc_then_silence() {
    let world = World::new(3);
    let silent =
        server().react(|asked| if asked.over_tcp { Reaction::Drop } else { Reaction::Truncate });
    let (first, second) = (world.server("first", &silent), world.server("second", &server()));
    let resolver = world.resolver(asking(&[&first, &second]));
    let (answer, took) = world.wait(resolver.lookup("a.example", RecordType::A));
    assert!(answer.is_ok());
    assert!((1000..1200).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn never_cache_tc() {
    let world = World::new(4);
    let silent =
        server().react(|asked| if asked.over_tcp { Reaction::Close } else { Reaction::Truncate });
    let host = world.server("server", &silent);
    let resolver = world.resolver(asking(&[&host]));
    for _ in 0..2 {
        let error = world.get(resolver.lookup("a.example", RecordType::A)).unwrap_err();
        assert!(!error.is_negative(), "{error}");
        assert_eq!(resolver.stats().cached, 0);
    }
}

#[test]
fn pipelined_out_of_order() {
    let world = World::new(5);
    let server = (0..20)
        .fold(server(), |server, at| server.addr(&format!("n{at}.example"), [192, 0, 2, at]));
    // The first ones are answered last.
    let server = server.react(|asked| {
        let at: u64 = asked.name()[1..].split('.').next().unwrap().parse().unwrap();
        Reaction::After(Duration::from_millis(500 - 20 * at), Box::new(Reaction::Usual))
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).tcp(true));
    let all: Vec<_> =
        (0..20).map(|at| resolver.lookup(&format!("n{at}.example"), RecordType::A)).collect();
    for (at, lookup) in all.into_iter().enumerate() {
        let answer = world.get(lookup).unwrap();
        assert_eq!(answer.records()[0].data.to_string(), format!("192.0.2.{at}"));
    }
    assert!(server.asked().iter().all(|asked| asked.over_tcp));
    // One connection, which is closed when it has been idle.
    assert_eq!(world.client.descriptors(), 1);
    world.pass(11);
    assert_eq!(world.client.descriptors(), 0);
    assert!(world.get(resolver.lookup("n1.example", RecordType::A)).is_ok());
}

#[test]
fn one_byte_tcp_pieces() {
    let world = World::new(6);
    // A segment carries one byte.
    world.network.set_link(Link::default().mtu(1));
    let host = world.server("server", &server());
    let resolver = world.resolver(asking(&[&host]).tcp(true).timeout(Duration::from_secs(8)));
    assert!(world.get(resolver.lookup("a.example", RecordType::A)).is_ok());
}

#[test]
fn a_connection_that_the_server_has_closed_is_replaced() {
    let world = World::new(7);
    let server = server().react(|_| Reaction::All(vec![Reaction::Usual, Reaction::Close]));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).tcp(true));
    for name in ["a.example", "b.example", "c.example"] {
        let found = world.get(resolver.lookup(name, RecordType::A));
        assert!(found.is_ok() || found.unwrap_err().is_negative());
    }
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn questions_in_flight_are_bounded() {
    let world = World::new(8);
    let server =
        server().react(|_| Reaction::After(Duration::from_millis(100), Box::new(Reaction::Usual)));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).tcp(true).tcp_in_flight_max(2));
    let all: Vec<_> =
        (0..6).map(|at| resolver.lookup(&format!("n{at}.example"), RecordType::A)).collect();
    world.network.run_for(Duration::from_millis(50)).unwrap();
    assert_eq!(server.asked().len(), 2);
    for lookup in all {
        assert!(world.get(lookup).unwrap_err().is_negative());
    }
}

#[test]
fn answers_to_other_questions_over_tcp() {
    let world = World::new(9);
    let server = server().react(|asked| {
        let mut bytes = asked.bytes.clone();
        bytes[2] |= 0x80;
        // The type of the question.
        let at = 12 + 11;
        bytes[at + 1] ^= 0xff;
        Reaction::Raw(vec![bytes])
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).tcp(true));
    let error = world.get(resolver.lookup("a.example", RecordType::A)).unwrap_err();
    let LookupError::Failed { servers, .. } = error else { panic!("{error}") };
    assert!(matches!(servers[0].cause, ServerError::Mismatch), "{}", servers[0]);
}

#[test]
fn a_server_without_tcp() {
    let world = World::new(10);
    let host = world.network.host("empty");
    host.boot(|_| {});
    let resolver = world.resolver(asking(&[]).server(NameServer::tcp((host.addr(), 53))));
    let error = world.get(resolver.lookup("a.example", RecordType::A)).unwrap_err();
    let LookupError::Failed { servers, .. } = error else { panic!("{error}") };
    assert!(matches!(servers[0].cause, ServerError::Connection(_)), "{}", servers[0]);
}
