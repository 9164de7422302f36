//! The PROXY protocol with TLS: the header is sent in plaintext before the handshake, and may describe the client's
//! own TLS.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use sinew::{
    prelude::*,
    transports::{
        endpoint::ClientEndpoint,
        proxy::{ProxyConfig, ProxyHeader, ProxySsl, tlv},
    },
};

use crate::support::{Echo, Event, Link, Script, Sink, World, certs, sockets::any_port};

/// A TLS listener behind proxies, and its clients.
fn behind_a_proxy(world: &World) -> (SocketAddr, Rc<RefCell<Vec<Peer>>>) {
    let peers = Rc::<RefCell<Vec<Peer>>>::default();
    let (kept, traces) = (peers.clone(), world.traces.clone());
    let config = ListenConfig::default().proxy(ProxyConfig::default());
    let factory = move |peer: &Peer| {
        kept.borrow_mut().push(peer.clone());
        traces.watch(Echo)
    };
    let port = world.reactor().listen_tls_with(any_port(), config, &certs::server(), factory);
    (port.unwrap().local(), peers)
}

#[test]
fn the_header_goes_out_before_the_handshake() {
    for engine in Engine::available() {
        let world = World::new(engine, Link::TlsAccepted);
        let (to, peers) = behind_a_proxy(&world);
        let header = ProxyHeader::v2()
            .addresses("192.0.2.1:7".parse().unwrap(), "192.0.2.2:443".parse().unwrap())
            .authority("www.example")
            .unwrap();
        let config = ConnectConfig::default().proxy_header(header);
        let connecting =
            world.reactor().connect_tls_with(to, config, &certs::client(), world.watched(|| Sink));
        world.until("the connection", || connecting.is_settled() && peers.borrow().len() == 1);
        let connection = connecting.take().unwrap().unwrap();
        let peer = peers.borrow_mut().pop().unwrap();
        assert_eq!(peer.to_string(), "192.0.2.1:7", "{engine}");
        assert_eq!(peer.proxied().unwrap().tlv(tlv::AUTHORITY), Some(&b"www.example"[..]));
        connection.transport().write(b"hello");
        let trace = world
            .traces
            .all()
            .into_iter()
            .find(|trace| trace.transport() == *connection.transport());
        let trace = trace.unwrap();
        world.until("the echo", || trace.data() == b"hello");
        connection.transport().lose_connection();
        world.until("the end", || world.traces.all().iter().all(|trace| trace.is_lost()));
        world.end();
    }
}

#[test]
fn a_tls_endpoint_sends_the_header() {
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    let (to, peers) = behind_a_proxy(&world);
    let text =
        format!("tls:{}:{}:sendProxy=v1:insecure_without_verification=yes", to.ip(), to.port());
    let endpoint: ClientEndpoint = text.parse().unwrap();
    let connecting = endpoint.connect(world.reactor(), world.watched(|| Sink));
    world.until("the connection", || connecting.is_settled() && peers.borrow().len() == 1);
    let connection = connecting.take().unwrap().unwrap();
    let peer = peers.borrow_mut().pop().unwrap();
    assert_eq!(peer.proxied().unwrap().source(), connection.transport().local());
    connection.transport().abort();
    world.until("the end", || world.traces.all().iter().all(|trace| trace.is_lost()));
    world.end();
}

/// A proxy that terminates its client's TLS, and describes it in the header.
#[test]
fn negotiated_parameters_of_the_client_are_forwarded() {
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    let callbacks = Rc::<RefCell<Option<Peer>>>::default();
    let kept = callbacks.clone();
    let config = ListenConfig::default().proxy(ProxyConfig::default());
    let factory = move |peer: &Peer| {
        kept.replace(Some(peer.clone()));
        Sink
    };
    let to = world.reactor().listen_tcp_with(any_port(), config, factory).unwrap().local();
    let front = move |_: &Peer| {
        Script(move |transport: &Transport, what: Event<'_>| {
            let Event::Made = what else { return };
            let info = transport.tls_info().unwrap();
            let header = ProxyHeader::v2()
                .on_behalf_of(transport)
                .ssl(&ProxySsl::from(&info))
                .and_then(|header| header.alpn(info.alpn.as_deref().unwrap_or_default()))
                .and_then(|header| {
                    header.authority(info.server_name.as_deref().unwrap_or_default())
                })
                .unwrap();
            let config = ConnectConfig::default().proxy_header(header);
            transport.reactor().unwrap().connect_tcp_with(to, config, |_: &Peer| Sink).detach();
        })
    };
    let guests = certs::Authority::new("the guests");
    let server = certs::server().alpn(["x/1"]).unwrap().require_client_certificates(guests.roots());
    let port = world.reactor().listen_tls(any_port(), &server, front).unwrap();
    let client = certs::client()
        .alpn(["x/1"])
        .unwrap()
        .identity(guests.issue(&["guest"]).identity())
        .server_name("localhost")
        .unwrap();
    let connecting = world.reactor().connect_tls(port.local(), &client, |_: &Peer| Sink);
    world.until("the one behind to hear", || callbacks.borrow().is_some());
    let connection = connecting.take().unwrap().unwrap();
    let peer = callbacks.take().unwrap();
    let proxied = peer.proxied().unwrap();
    assert_eq!(proxied.source(), connection.transport().local());
    assert_eq!(proxied.destination(), Some(port.local()));
    assert_eq!(proxied.tlv(tlv::ALPN), Some(&b"x/1"[..]));
    assert_eq!(proxied.tlv(tlv::AUTHORITY), Some(&b"localhost"[..]));
    let ssl = proxied.ssl().unwrap();
    assert!(ssl.is_tls() && ssl.is_verified());
    assert_eq!(ssl.told_version(), Some("TLSv1.3"));
    assert!(ssl.told_cipher().unwrap().starts_with("TLS13_"), "{ssl:?}");
    drop(connection);
}
