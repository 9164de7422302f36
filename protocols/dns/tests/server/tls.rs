//! A server over TLS, and our own resolver, which knows it by its name.

use std::net::SocketAddr;

use sinew_dns::{
    client::{LookupError, NameServer, ServerError},
    codec::RecordType,
    server::{DnsServer, Zones},
    zone::Zone,
};
use sinew_transports::tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots};

use crate::{
    support::{World, asking},
    watchdog,
};

#[test]
fn over_tls_by_name() {
    watchdog::watch_this_test();
    let world = World::new(1);
    let made = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(&cert, &key).unwrap();
    let host = world.network.host("server");
    host.boot(move |reactor| {
        let zones = Zones::new();
        let text = "@ 60 SOA ns root 1 1 1 1 1\nwww 60 A 192.0.2.1\n";
        zones.insert(Zone::parse(text, &"example.".parse().unwrap()).unwrap());
        let config = TlsServerConfig::new(identity.clone());
        drop(reactor.listen_tls("0.0.0.0:853", &config, DnsServer::new(zones)).unwrap());
    });
    let tls = TlsClientConfig::new(TrustedRoots::from_pem(&cert).unwrap());
    let look_up = |name: &str| {
        let at = NameServer::tls(SocketAddr::new(host.addr(), 853), name);
        let resolver = world.resolver(asking(&[]).server(at).tls(tls.clone()));
        world.get(resolver.lookup("www.example", RecordType::A))
    };
    let answer = look_up("dns.example").unwrap();
    assert_eq!(answer.records()[0].data.to_string(), "192.0.2.1");
    let error = look_up("other.example").unwrap_err();
    let LookupError::Failed { servers, .. } = error else { panic!("{error}") };
    assert!(matches!(servers[0].cause, ServerError::Connection(_)), "{}", servers[0]);
}
