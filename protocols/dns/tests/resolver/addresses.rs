//! Addresses of hosts: both families, search domains, special names, and connections that use the resolver.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_dns::{
    client::{DnsResolver, LookupError},
    codec::RecordType,
    testing::{Reaction, TestServer},
};
use sinew_transports::{
    Peer, Protocol, ReactorTcp, Transport,
    names::{ReactorNames, ResolveError},
};

use crate::support::{World, asking, ip, ips};

fn server() -> TestServer {
    TestServer::new()
        .addr("both.example", [192, 0, 2, 1])
        .addr("both.example", ip("2001:db8::1"))
        .addr("four.example", [192, 0, 2, 4])
        .addr("six.example", ip("2001:db8::6"))
        .zone("example", 60)
}

#[test]
fn both_families_side_by_side() {
    let world = World::new(1);
    let server = server();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let get = |host: &str| world.get(resolver.addresses(host)).map(|addrs| ips(&addrs));
    let mut both = get("both.example").unwrap();
    both.sort();
    assert_eq!(both, ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(get("four.example").unwrap(), ["192.0.2.4"]);
    assert_eq!(get("six.example").unwrap(), ["2001:db8::6"]);
    assert_eq!(server.asked().len(), 6);
    // From the cache.
    get("BOTH.example.").unwrap();
    get("both.example").unwrap();
    assert_eq!(server.asked().len(), 6);
    assert!(matches!(get("none.example"), Err(LookupError::NoSuchName { .. })));
    assert!(matches!(get("example"), Err(LookupError::NoRecord { .. })));
}

#[test]
fn ipv4_only() {
    let world = World::new(2);
    let server = server();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).ipv4_only(true));
    assert_eq!(ips(&world.get(resolver.addresses("both.example")).unwrap()), ["192.0.2.1"]);
    assert!(server.asked().iter().all(|asked| asked.record_type() == RecordType::A));
}

#[test]
fn one_family_does_not_hold_up_the_other() {
    let world = World::new(3);
    let server = server().react(|asked| {
        if asked.record_type() == RecordType::AAAA { Reaction::Drop } else { Reaction::Usual }
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let (addrs, took) = world.wait(resolver.addresses("both.example"));
    assert_eq!(ips(&addrs.unwrap()), ["192.0.2.1"]);
    assert!((2000..2200).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn search_domains_and_ndots() {
    let world = World::new(4);
    let server = server();
    let host = world.server("server", &server);
    let search = ["other.".parse().unwrap(), "example.".parse().unwrap()];
    let resolver = world.resolver(asking(&[&host]).search(search));
    assert_eq!(ips(&world.get(resolver.addresses("four")).unwrap()), ["192.0.2.4"]);
    let names: Vec<_> = server.asked().iter().map(|asked| asked.name()).collect();
    assert_eq!(names, ["four.other.", "four.other.", "four.example.", "four.example."]);
    // A dot at the end, or enough dots before.
    assert!(world.get(resolver.addresses("four.")).is_err());
    world.get(resolver.addresses("four.example")).unwrap();
    let names: Vec<_> = server.asked().iter().skip(4).map(|asked| asked.name()).collect();
    assert_eq!(names, ["four.", "four."]);
    // Records are not searched for.
    assert!(world.get(resolver.lookup("four", RecordType::A)).is_err());
}

#[test]
fn a_server_that_fails_ends_the_search() {
    let world = World::new(5);
    let server = server().react(|asked| {
        if asked.name() == "four.other." { Reaction::Drop } else { Reaction::Usual }
    });
    let host = world.server("server", &server);
    let search = ["other.".parse().unwrap(), "example.".parse().unwrap()];
    let resolver = world.resolver(asking(&[&host]).search(search));
    let error = world.get(resolver.addresses("four")).unwrap_err();
    assert!(matches!(error, LookupError::Failed { .. }), "{error}");
}

#[test]
fn special_names_are_not_asked_for() {
    let world = World::new(6);
    let server = server();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let get = |host: &str| world.get(resolver.addresses(host)).map(|addrs| ips(&addrs));
    let mut localhost = get("a.LocalHost").unwrap();
    localhost.sort();
    assert_eq!(localhost, ["127.0.0.1", "::1"]);
    assert!(matches!(get("printer.local"), Err(LookupError::NotInDns { .. })));
    assert!(matches!(get("a.onion."), Err(LookupError::NotInDns { .. })));
    assert!(matches!(get("a.invalid"), Err(LookupError::NoSuchName { .. })));
    assert!(matches!(get("127.1"), Err(LookupError::NoSuchName { .. })));
    assert!(matches!(get("a b"), Err(LookupError::BadName { .. })));
    assert_eq!(get("192.0.2.9").unwrap(), ["192.0.2.9"]);
    assert_eq!(get("2001:db8::9").unwrap(), ["2001:db8::9"]);
    let lookup = |name: &str| world.get(resolver.lookup(name, RecordType::A));
    assert_eq!(lookup("localhost").unwrap().records().len(), 1);
    assert!(matches!(lookup("a.onion"), Err(LookupError::NotInDns { .. })));
    assert!(server.asked().is_empty());
}

#[test]
fn hosts_before_servers() {
    let world = World::new(7);
    let server = server();
    let host = world.server("server", &server);
    let hosts = "192.0.2.99 four.example printer.local\n2001:db8::99 four.example\n";
    let resolver = world.resolver(asking(&[&host]).hosts_text(hosts));
    for _ in 0..2 {
        let mut addrs = ips(&world.get(resolver.addresses("FOUR.example")).unwrap());
        addrs.sort();
        assert_eq!(addrs, ["192.0.2.99", "2001:db8::99"]);
    }
    assert_eq!(ips(&world.get(resolver.addresses("printer.local")).unwrap()), ["192.0.2.99"]);
    let names = world.get(resolver.ptr(ip("192.0.2.99"))).unwrap();
    assert_eq!(names[0].to_ascii(), "four.example.");
    assert!(server.asked().is_empty());
}

#[test]
fn connections_to_names() {
    struct Quiet;

    impl Protocol for Quiet {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    let world = World::new(8);
    let web = world.network.host("web");
    web.boot(|reactor| drop(reactor.listen_tcp("0.0.0.0:80", |_: &Peer| Quiet).unwrap()));
    let server = TestServer::new().addr("www.example", web.addr()).zone("example", 60);
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    resolver.install();
    assert_eq!(DnsResolver::of(&world.reactor()).servers(), resolver.servers());
    let peer = Rc::<RefCell<Option<String>>>::default();
    let of_callback = peer.clone();
    world.reactor().connect_tcp("www.example:80", |_: &Peer| Quiet).then(move |_, connection| {
        of_callback.replace(Some(connection.unwrap().transport().peer().to_string()));
    });
    world.network.run_until(Duration::from_secs(5), || peer.borrow().is_some()).unwrap();
    assert_eq!(peer.take().unwrap(), format!("{}:80", web.addr()));
    let error = world.get(world.reactor().resolve("none.example")).unwrap_err();
    assert!(matches!(error, ResolveError::NoSuchName), "{error}");
    let error = world.get(world.reactor().resolve("www.local")).unwrap_err();
    assert!(error.to_string().contains("RFC 6762"), "{error}");
}

#[test]
fn typed_records() {
    use sinew_dns::codec::{RData, rdata};

    let world = World::new(9);
    let name = |text: &str| text.parse().unwrap();
    let server = server()
        .data("example", RData::MX(rdata::MX::new(20, name("b.example."))))
        .data("example", RData::MX(rdata::MX::new(10, name("a.example."))))
        .data("_x._tcp.example", RData::SRV(rdata::SRV::new(2, 0, 80, name("b.example."))))
        .data("_x._tcp.example", RData::SRV(rdata::SRV::new(1, 0, 81, name("a.example."))))
        .data("_no._tcp.example", RData::SRV(rdata::SRV::new(0, 0, 0, name("."))))
        .data("example", RData::TXT(rdata::TXT::new(vec!["a".repeat(255), "b".to_owned()])))
        .data("example", RData::NS(rdata::NS(name("ns.example."))))
        .data("1.2.0.192.in-addr.arpa", RData::PTR(rdata::PTR(name("both.example."))));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let mx = world.get(resolver.mx("example")).unwrap();
    assert_eq!(mx.iter().map(|mx| mx.preference).collect::<Vec<_>>(), [10, 20]);
    let srv = world.get(resolver.srv("_x._tcp.example")).unwrap();
    assert_eq!(srv.iter().map(|srv| srv.port).collect::<Vec<_>>(), [81, 80]);
    assert!(world.get(resolver.srv("_no._tcp.example")).unwrap().is_empty());
    assert_eq!(world.get(resolver.txt("example")).unwrap()[0].len(), 256);
    assert_eq!(world.get(resolver.ns("example.")).unwrap()[0].to_ascii(), "ns.example.");
    assert_eq!(world.get(resolver.soa("example")).unwrap().minimum, 60);
    assert_eq!(world.get(resolver.ptr(ip("192.0.2.1"))).unwrap()[0].to_ascii(), "both.example.");
    assert!(world.get(resolver.caa("example")).unwrap_err().is_negative());
}
