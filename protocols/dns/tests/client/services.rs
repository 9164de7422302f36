//! Connections to services by their SRV records.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_dns::{
    client::register,
    codec::{RData, rdata::SRV},
    testing::TestServer,
};
use sinew_transports::{Peer, Protocol, ReactorTcp, Transport, endpoint::Kinds};

use crate::support::{World, asking};

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Connects, and returns the peer or the error.
fn connect(world: &World, endpoint: &str) -> Result<String, String> {
    let mut kinds = Kinds::default();
    register(&mut kinds);
    let endpoint = kinds.client_endpoint(endpoint).unwrap();
    let result = Rc::<RefCell<Option<Result<String, String>>>>::default();
    let of_callback = result.clone();
    endpoint.connect(&world.reactor(), |_: &Peer| Quiet).then(move |_, made| {
        let made = made.map(|connection| connection.transport().peer().to_string());
        of_callback.replace(Some(made.map_err(|error| error.to_string())));
    });
    world.network.run_until(Duration::from_secs(60), || result.borrow().is_some()).unwrap();
    result.take().unwrap()
}

fn world(seed: u64) -> (World, String) {
    let world = World::new(seed);
    let web = world.network.host("web");
    web.boot(|reactor| drop(reactor.listen_tcp("0.0.0.0:5222", |_: &Peer| Quiet).unwrap()));
    let empty = world.network.host("empty");
    empty.boot(|_| {});
    let srv =
        |priority, target: &str| RData::SRV(SRV::new(priority, 1, 5222, target.parse().unwrap()));
    let server = TestServer::new()
        .addr("web.example", web.addr())
        .addr("empty.example", empty.addr())
        .addr("plain.example", web.addr())
        .data("_xmpp._tcp.example", srv(1, "empty.example."))
        .data("_xmpp._tcp.example", srv(2, "nowhere.example."))
        .data("_xmpp._tcp.example", srv(3, "web.example."))
        .data("_bad._tcp.example", srv(1, "empty.example."))
        .data("_no._tcp.example", srv(1, "."))
        .zone("example", 60);
    let host = world.server("server", &server);
    world.resolver(asking(&[&host])).install();
    let peer = format!("{}:5222", web.addr());
    (world, peer)
}

#[test]
fn the_next_server_of_a_service() {
    let (world, web) = world(1);
    assert_eq!(connect(&world, "srv:_xmpp._tcp.example").unwrap(), web);
    let error = connect(&world, "srv:_bad._tcp.example").unwrap_err();
    assert!(error.contains("refused"), "{error}");
    let error = connect(&world, "srv:_no._tcp.example:default=5222").unwrap_err();
    assert!(error.contains("not offered"), "{error}");
}

#[test]
fn a_service_without_records() {
    let (world, web) = world(2);
    let error = connect(&world, "srv:_xmpp._tcp.plain.example").unwrap_err();
    assert!(error.contains("does not exist"), "{error}");
    assert_eq!(connect(&world, "srv:_xmpp._tcp.plain.example:default=5222").unwrap(), web);
}

#[test]
fn strings_that_are_no_services() {
    let mut kinds = Kinds::default();
    register(&mut kinds);
    for text in ["srv:", "srv:example.org", "srv:_xmpp._tcp.a:default=xyz", "srv:_a._tcp.b:c"] {
        assert!(kinds.client_endpoint(text).is_err(), "{text}");
    }
}

#[test]
fn a_connection_that_is_given_up() {
    let (world, _) = world(3);
    let mut kinds = Kinds::default();
    register(&mut kinds);
    let endpoint = kinds.client_endpoint("srv:_xmpp._tcp.example").unwrap();
    drop(endpoint.connect(&world.reactor(), |_: &Peer| Quiet));
    world.pass(1);
    assert_eq!(world.client.descriptors(), 0);
}
