//! DNS over TLS: only to a server whose certificate is for its name.

use std::net::SocketAddr;

use sinew_dns::{
    client::{LookupError, NameServer, ServerError},
    codec::RecordType,
    testing::TestServer,
};
use sinew_testkit::sim::Host;
use sinew_transports::tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots};

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
