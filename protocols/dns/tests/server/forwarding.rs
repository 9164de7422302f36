//! A server that asks another, for those who may.

use std::time::Duration;

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::{Message, Question, RecordType, ResponseCode},
    server::{Acl, Chain, DnsServer, Forward, Overrides},
    testing::TestServer,
};

use crate::{
    serving::{name, serve},
    support::World,
    watchdog,
};

fn ask(world: &World, at: &NameServer, asked: &str, record_type: RecordType) -> Message {
    let resolver = world.resolver(
        DnsConfig::default()
            .servers([at.addr()])
            .timeout(Duration::from_secs(20))
            .total(Duration::from_secs(60)),
    );
    world.get(resolver.query_server(at, Question::new(name(asked), record_type))).unwrap()
}

#[test]
fn forwarded_with_a_cache() {
    watchdog::watch_this_test();
    let world = World::new(1);
    let upstream =
        TestServer::new().addr("a.test", [192, 0, 2, 1]).addr("blocked.test", [192, 0, 2, 2]);
    let host = world.server("upstream", &upstream);
    let to = std::net::SocketAddr::new(host.addr(), 53);
    let (_host, at) = serve(&world, "forwarder", move |reactor| {
        let resolver = DnsResolver::new(reactor, DnsConfig::default().servers([to]));
        let overrides = Overrides::new();
        overrides.block(&name("blocked.test."));
        DnsServer::new(
            Chain::new().then(overrides).then(Forward::new(resolver).acl(Acl::everybody())),
        )
    });
    let at = NameServer::new(at);
    for _ in 0..3 {
        let answer = ask(&world, &at, "a.test.", RecordType::A);
        assert_eq!(answer.answers[0].data.to_string(), "192.0.2.1");
        assert!(answer.metadata.recursion_available && !answer.metadata.authoritative);
        world.pass(1);
    }
    assert_eq!(upstream.asked().len(), 1, "the rest is from the cache");
    let code = |asked, record_type| ask(&world, &at, asked, record_type).metadata.response_code;
    assert_eq!(code("none.test.", RecordType::A), ResponseCode::NXDomain);
    assert_eq!(code("a.test.", RecordType::MX), ResponseCode::NoError);
    assert_eq!(code("blocked.test.", RecordType::A), ResponseCode::NXDomain);
    host.power_off();
    assert_eq!(code("other.test.", RecordType::A), ResponseCode::ServFail);
}

#[test]
fn not_for_everybody() {
    watchdog::watch_this_test();
    let world = World::new(2);
    let upstream = TestServer::new().addr("a.test", [192, 0, 2, 1]);
    let host = world.server("upstream", &upstream);
    let to = std::net::SocketAddr::new(host.addr(), 53);
    let (_host, at) = serve(&world, "forwarder", move |reactor| {
        let resolver = DnsResolver::new(reactor, DnsConfig::default().servers([to]));
        DnsServer::new(Forward::new(resolver))
    });
    let answer = ask(&world, &NameServer::new(at), "a.test.", RecordType::A);
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
    assert!(upstream.asked().is_empty());
}
