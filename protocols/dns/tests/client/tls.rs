//! TLS: DNS over it, only to a server whose certificate is for its name; and services that have it from the start.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use sinew_dns::{
    client::{LookupError, NameServer, ServerError, SrvConnector},
    codec::{RData, RecordType, rdata::SRV},
    testing::TestServer,
};
use sinew_testkit::sim::Host;
use sinew_transports::{
    Peer, Protocol, Transport,
    endpoint::ClientEndpoint,
    tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use crate::support::{World, asking};

/// A host that serves over TLS with a certificate for `dns.example`, and what trusts that.
fn serve(world: &World, server: &TestServer) -> (Host, TlsClientConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(&cert, &key).unwrap();
    let tls = TlsClientConfig::new(TrustedRoots::from_pem(&cert).unwrap());
    let (host, server) = (world.network.host("secure"), server.clone());
    host.boot(move |reactor| {
        let config = TlsServerConfig::new(identity.clone());
        drop(reactor.listen_tls("0.0.0.0:853", &config, server.factory()).unwrap());
    });
    (host, tls)
}

#[test]
fn over_tls_by_name() {
    let world = World::new(1);
    let server = TestServer::new().addr("a.example", [192, 0, 2, 1]);
    let (host, tls) = serve(&world, &server);
    let at = SocketAddr::new(host.addr(), 853);
    let config = asking(&[]).server(NameServer::tls(at, "dns.example")).tls(tls.clone());
    let resolver = world.resolver(config);
    let answer = world.get(resolver.lookup("a.example", RecordType::A)).unwrap();
    assert_eq!(answer.records().len(), 1);
    assert!(server.asked()[0].over_tcp);
    // Another name: nothing is asked.
    let config = asking(&[]).server(NameServer::tls(at, "other.example")).tls(tls);
    let error = world.get(world.resolver(config).lookup("a.example", RecordType::A)).unwrap_err();
    let LookupError::Failed { servers, .. } = error else { panic!("{error}") };
    assert!(matches!(servers[0].cause, ServerError::Connection(_)), "{}", servers[0]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_unknown_authority_is_not_asked() {
    let world = World::new(2);
    let server = TestServer::new().addr("a.example", [192, 0, 2, 1]);
    let (host, _) = serve(&world, &server);
    let (_, other) = serve(&World::new(3), &server);
    let at = SocketAddr::new(host.addr(), 853);
    let config = asking(&[]).server(NameServer::tls(at, "dns.example")).tls(other);
    let error = world.get(world.resolver(config).lookup("a.example", RecordType::A)).unwrap_err();
    assert!(!error.is_negative() && server.asked().is_empty(), "{error}");
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A host that has TLS from the start, with a certificate for this name.
fn secure(world: &World, host: &str, name: &str) -> (Host, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(&cert, &key).unwrap();
    let host = world.network.host(host);
    host.boot(move |reactor| {
        let config = TlsServerConfig::new(identity.clone()).alpn(["xmpp-client"]).unwrap();
        drop(reactor.listen_tls("0.0.0.0:5223", &config, |_: &Peer| Quiet).unwrap());
    });
    (host, cert)
}

#[test]
fn a_service_with_tls_from_the_start() {
    let world = World::new(4);
    // The best server has a certificate for its own name only; the certificate of the next is for the domain.
    let (wrong, wrong_cert) = secure(&world, "wrong", "wrong.example");
    let (right, right_cert) = secure(&world, "right", "example");
    let refuses = world.network.host("refuses");
    refuses.boot(|_| {});
    let srv = |priority, port, target: &str| {
        RData::SRV(SRV::new(priority, 0, port, target.parse().unwrap()))
    };
    let server = TestServer::new()
        .addr("wrong.example", wrong.addr())
        .addr("right.example", right.addr())
        .addr("refuses.example", refuses.addr())
        .data("_xmpps-client._tcp.example", srv(1, 5223, "wrong.example."))
        .data("_xmpp-client._tcp.example", srv(2, 5222, "refuses.example."))
        .data("_xmpps-client._tcp.example", srv(3, 5223, "right.example."))
        .zone("example", 60);
    let host = world.server("server", &server);
    world.resolver(asking(&[&host])).install();
    let roots = TrustedRoots::from_pem(format!("{wrong_cert}{right_cert}")).unwrap();
    let tls = TlsClientConfig::new(roots).alpn(["xmpp-client"]).unwrap();
    let service = SrvConnector::new("_xmpp-client._tcp.example").default_port(5222);
    let endpoint = ClientEndpoint::new(service.or_tls("_xmpps-client._tcp.example", tls).unwrap());
    let made = Rc::<RefCell<Option<_>>>::default();
    let of_callback = Rc::clone(&made);
    endpoint.connect(&world.reactor(), |_: &Peer| Quiet).then(move |_, connected| {
        let connection = connected.unwrap();
        let transport = connection.transport();
        let protocol = transport.tls_info().unwrap().alpn.map(|alpn| alpn.to_vec());
        of_callback.replace(Some((transport.peer().to_string(), protocol)));
    });
    world.network.run_until(Duration::from_secs(60), || made.borrow().is_some()).unwrap();
    let expected = (format!("{}:5223", right.addr()), Some(b"xmpp-client".to_vec()));
    assert_eq!(made.take(), Some(expected));
    // Given up in the middle, nothing is left of it.
    drop(endpoint.connect(&world.reactor(), |_: &Peer| Quiet));
    world.pass(1);
}
