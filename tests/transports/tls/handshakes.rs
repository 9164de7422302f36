//! Handshakes: accepted and rejected certificates, negotiated parameters, and failed handshakes.

use std::{cell::Cell, io::Write, rc::Rc, sync::Arc, time::Duration};

use sinew::{
    prelude::*,
    testing::assert_clean,
    transports::{
        TlsError,
        tls::{self, TlsInfo, TlsVersion},
    },
};

use crate::support::{
    Echo, EndState, Link, RemoteEnd, Sink, Watchdog, Width, World,
    certs::{self, Authority, authority, localhost, remote_client_with},
    sockets::{any_port, dial},
};

fn world() -> World {
    World::new(Engine::Mio, Link::TlsAccepted)
}

/// Connects the client to the server under test, and returns the result.
fn meet(
    world: &World,
    server: &TlsServerConfig,
    client: &TlsClientConfig,
) -> Result<(TlsInfo, TlsInfo), ConnectError> {
    let port = world.reactor().listen_tls(any_port(), server, world.watched(|| Echo)).unwrap();
    let met = meet_at(world, port.local(), client);
    port.stop_listening();
    met
}

fn meet_at(
    world: &World,
    addr: std::net::SocketAddr,
    client: &TlsClientConfig,
) -> Result<(TlsInfo, TlsInfo), ConnectError> {
    let before = world.traces.len();
    let connecting = world.reactor().connect_tls(addr, client, world.watched(|| Sink));
    let mut result = None;
    world.until("a result", || {
        result = result.take().or_else(|| connecting.take());
        result.is_some()
    });
    let transport = result.unwrap()?.detach().transport().clone();
    // The client's handshake completes first.
    world.until("both to be done, or one to fail", || {
        let all = world.traces.all();
        all.len() == before + 2 || all[before..].iter().any(|trace| trace.is_lost())
    });
    let near = transport.tls_info();
    let theirs = world.traces.all()[before..]
        .iter()
        .map(|trace| trace.transport())
        .find(|other| *other != transport)
        .and_then(|other| other.tls_info());
    transport.lose_connection();
    let ended = || world.traces.all()[before..].iter().all(|trace| trace.is_lost());
    world.until("the end", ended);
    match (near, theirs) {
        (Some(near), Some(theirs)) => {
            // What logins are bound to.
            assert_eq!(near.server_certificate.as_ref(), near.peer_certificates.first());
            assert_eq!(near.server_certificate, theirs.server_certificate);
            Ok((near, theirs))
        }
        _ => Err(ConnectError::BadServerName("the server did not agree".to_owned())),
    }
}

fn refused(met: Result<(TlsInfo, TlsInfo), ConnectError>) -> TlsError {
    match met {
        Err(ConnectError::Tls { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn negotiated_parameters_are_available() {
    let world = world();
    let server = certs::server().alpn(["h2", "x/1"]).unwrap();
    let client = certs::client().alpn(["x/1"]).unwrap().server_name("localhost").unwrap();
    let (near, theirs) = meet(&world, &server, &client).unwrap();
    for info in [&near, &theirs] {
        assert_eq!(info.version, TlsVersion::Tls13);
        assert!(info.cipher.starts_with("TLS13_"), "{}", info.cipher);
        assert_eq!(info.alpn.as_deref(), Some(&b"x/1"[..]));
        assert_eq!(info.server_name.as_deref(), Some("localhost"));
        assert!(!info.is_resumed);
    }
    assert_eq!((near.peer_certificates.len(), theirs.peer_certificates.len()), (1, 0));
    world.end();
}

#[test]
fn only_valid_trusted_certificates_for_the_name_are_accepted() {
    let world = world();
    let client = certs::client();
    let stranger = Authority::new("a stranger").issue(&["127.0.0.1"]);
    for (certificate, why) in [
        (authority().issue_expired(&["127.0.0.1"]), "expired"),
        (authority().issue(&["elsewhere.example"]), "not valid for name"),
        (stranger, "UnknownIssuer"),
    ] {
        let server = TlsServerConfig::new(certificate.identity());
        match refused(meet(&world, &server, &client)) {
            TlsError::BadCertificate(text) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?} instead of {why}"),
        }
        let careless = TlsClientConfig::insecure_without_verification();
        assert!(meet(&world, &server, &careless).is_ok(), "{why}");
    }
    world.end();
}

#[test]
fn client_certificates_can_be_required() {
    let world = world();
    let guests = Authority::new("the guests");
    let guest = guests.issue(&["guest"]).identity();
    let stranger = authority().issue(&["stranger"]).identity();
    let must = certs::server().require_client_certificates(guests.roots());
    let may = certs::server().accept_client_certificates(guests.roots());
    let known = certs::client().identity(guest);
    for server in [&must, &may] {
        let (_, theirs) = meet(&world, server, &known).unwrap();
        assert_eq!(theirs.peer_certificates.len(), 1);
        assert!(meet(&world, server, &certs::client().identity(stranger.clone())).is_err());
    }
    assert!(meet(&world, &must, &certs::client()).is_err());
    let (_, theirs) = meet(&world, &may, &certs::client()).unwrap();
    assert!(theirs.peer_certificates.is_empty());
    world.end();
}

#[test]
fn without_a_common_protocol_there_is_no_connection() {
    let world = world();
    let server = certs::server().alpn(["h2"]).unwrap();
    let client = certs::client().alpn(["x/1"]).unwrap();
    let error = refused(meet(&world, &server, &client));
    assert!(
        matches!(&error, TlsError::AlertReceived(why) if why == "no application protocol"),
        "{error:?}"
    );
    // Clients without ALPN are accepted.
    let (near, _) = meet(&world, &server, &certs::client()).unwrap();
    assert_eq!(near.alpn, None);
    world.end();
}

#[test]
fn sessions_are_resumed_unless_disabled() {
    let world = world();
    for (server, client, is_resumed) in [
        (certs::server(), certs::client(), true),
        (certs::server().resumption(false), certs::client(), false),
        (certs::server(), certs::client().resumption(false), false),
    ] {
        let port = world.reactor().listen_tls(any_port(), &server, world.watched(|| Echo)).unwrap();
        let (first, _) = meet_at(&world, port.local(), &client).unwrap();
        let (near, theirs) = meet_at(&world, port.local(), &client).unwrap();
        port.stop_listening();
        let resumed = (first.is_resumed, near.is_resumed, theirs.is_resumed);
        assert_eq!(resumed, (false, is_resumed, is_resumed));
    }
    world.end();
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let world = world();
    let server = TlsServerConfig::new(localhost().identity())
        .identity(authority().issue(&["*.example.org"]).identity());
    let client = |name| certs::client().server_name(name).unwrap();
    assert!(meet(&world, &server, &client("localhost")).is_ok());
    let (_, theirs) = meet(&world, &server, &client("www.example.org")).unwrap();
    assert_eq!(theirs.server_name.as_deref(), Some("www.example.org"));
    // For an unknown name the server presents the first certificate, which the client may reject.
    let error = refused(meet(&world, &server, &client("example.net")));
    assert!(matches!(error, TlsError::BadCertificate(_)), "{error:?}");
    let strict = server.only_known_names(true);
    let error = refused(meet(&world, &strict, &client("example.net")));
    assert!(matches!(error, TlsError::AlertReceived(_)), "{error:?}");
    assert!(meet(&world, &strict, &client("www.example.org")).is_ok());
    world.end();
}

#[test]
fn certificates_can_be_changed_while_connections_are_open() {
    let world = world();
    let server = certs::server();
    let port = world.reactor().listen_tls(any_port(), &server, world.watched(|| Echo)).unwrap();
    let mut remote = RemoteEnd::secured(dial(port.local(), Width::Wide), certs::remote_client());
    world.until("the handshake", || remote.pump() && world.traces.len() == 1);
    let (before, _) = meet_at(&world, port.local(), &certs::client()).unwrap();
    assert!(server.reload([]).is_err(), "a server needs a certificate");
    server.reload([authority().issue(&["127.0.0.1"]).identity()]).unwrap();
    let (after, _) = meet_at(&world, port.local(), &certs::client()).unwrap();
    assert_ne!(before.peer_certificates, after.peer_certificates);
    remote.send(b"still here");
    assert_eq!(world.receive(&mut remote, 10), b"still here");
    world.end();
}

#[test]
fn plaintext_clients_build_no_protocol() {
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let port = port.unwrap();
    let noise = crate::support::noise(5000);
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &noise, b"\x16\x03\x01\xff\xff"] {
        let mut remote = RemoteEnd::socket(dial(port.local(), Width::Wide));
        remote.send(garbage);
        remote.end();
        world.until("the end", || remote.end_state() != EndState::Open);
        world.until("nothing to be left", || port.connections() == 0);
    }
    assert_eq!((world.traces.len(), world.reactor().stats().timers), (0, 0));
    port.stop_listening();
    world.until("nothing to be left", || world.reactor().leak_report().is_empty());
    assert_clean(world.reactor());
    world.end();
}

#[test]
fn idle_and_faulty_clients_are_disconnected() {
    for engine in Engine::ALL {
        if engine.check().is_err() {
            continue;
        }
        let world = World::new(*engine, Link::TlsAccepted);
        let server = certs::server().handshake_timeout(Duration::from_millis(30));
        let factory = world.watched(|| Echo);
        let port = world.reactor().listen_tls(any_port(), &server, factory).unwrap();
        let silent = RemoteEnd::socket(dial(port.local(), Width::Wide));
        let mut slow = RemoteEnd::socket(dial(port.local(), Width::Wide));
        slow.send(b"\x16\x03\x01");
        for mut remote in [silent, slow] {
            world.until("the end", || remote.end_state() != EndState::Open);
        }
        world.until("nothing to be left", || port.connections() == 0);
        assert_eq!((world.traces.len(), world.reactor().stats().timers), (0, 0), "{engine}");
        world.end();
    }
}

#[test]
fn a_client_times_out() {
    let world = world();
    let listener = crate::support::sockets::listener(Width::Wide);
    let addr = listener.local_addr().unwrap();
    let after = Duration::from_millis(20);
    let client = certs::client().handshake_timeout(after);
    let error = refused(meet_at(&world, addr, &client));
    assert_eq!(error, TlsError::TimedOut { after });
    // The timeout of the whole attempt covers the handshake, and so does cancelling.
    let config = ConnectConfig::default().timeout(after);
    let slow = world.reactor().connect_tls_with(addr, config, &certs::client(), |_: &Peer| Sink);
    world.until("the timeout", || slow.is_settled());
    let error = slow.take().expect("it is settled").expect_err("nobody answers");
    let is_handshaking = matches!(&error, ConnectError::TimedOut { phase, .. } if *phase == sinew::transports::ConnectPhase::Handshaking);
    assert!(is_handshaking, "{error:?}");
    assert!(
        error.to_string().ends_with("within 20ms: the TLS handshake was not complete by then"),
        "{error}"
    );
    let given_up = world.reactor().connect_tls(addr, &certs::client(), |_: &Peer| Sink);
    world.until("a handshake under way", || world.reactor().stats().connections == 1);
    given_up.cancel();
    world.until("nothing to be left", || world.reactor().leak_report().is_empty());
    assert!(matches!(given_up.take(), Some(Err(ConnectError::GivenUp(_)))));
    world.end();
}

#[test]
fn an_invalid_name_is_a_separate_error() {
    let world = world();
    let connecting = world.reactor().connect_tls("a b:443", &certs::client(), |_: &Peer| Sink);
    world.until("a result", || connecting.is_settled());
    let error = connecting.take().unwrap().unwrap_err();
    assert!(matches!(&error, ConnectError::BadServerName(name) if name == "a b"), "{error:?}");
    world.end();
}

/// Many simultaneous handshakes are limited per turn (handshake limiter), and all complete in the end.
#[test]
fn handshakes_are_limited_per_turn() {
    const CROWD: usize = 30;
    let world = world();
    let server = certs::server().handshakes_per_turn(2);
    let port = world.reactor().listen_tls(any_port(), &server, world.watched(|| Echo)).unwrap();
    let config = Arc::new(certs::remote_client_config(None));
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let session = remote_client_with(config.clone());
            let mut remote = RemoteEnd::secured(dial(port.local(), Width::Wide), session);
            remote.pump();
            remote
        })
        .collect();
    let most = Rc::new(Cell::new(0));
    world.until("all to be let in", || {
        let before = world.traces.len();
        world.reactor().turn(Some(Duration::ZERO)).unwrap();
        most.set(most.get().max(world.traces.len() - before));
        crowd.iter_mut().filter_map(|remote| remote.pump().then_some(())).count() == CROWD
            && world.traces.len() == CROWD
    });
    // Handshakes of the last turn.
    assert!(most.get() <= 4, "{} in one turn", most.get());
    for remote in &mut crowd {
        remote.send(b"hi");
        assert_eq!(world.receive(remote, 2), b"hi");
    }
    world.end();
}

/// Draining a listener waits for handshakes, and drain_requested is called right after connection_made.
#[test]
fn a_drain_applies_to_pending_handshakes() {
    let _watchdog = Watchdog::new("a drain in a handshake");
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let port = port.unwrap();
    let mut remote = RemoteEnd::secured(dial(port.local(), Width::Wide), certs::remote_client());
    world.until("it to be accepted", || port.connections() == 1);
    let drained = port.drain(Duration::from_secs(1000));
    world.until("the end", || {
        remote.pump();
        remote.end_state() != EndState::Open
    });
    remote.close();
    world.until("the drain", || drained.is_settled());
    assert_eq!(world.traces.len(), 1);
    world.end();
}

/// A certificate chain larger than the send buffer: the protocol has nothing queued, but its TLS layer has, and needs
/// write interest on level-triggered engines.
#[test]
fn a_blocked_handshake_continues_when_writable() {
    // Unrelated certificates to make the chain long: three quarters of PEM are certificate, and a handshake message
    // is limited to 64 KiB.
    let certificate = localhost();
    let voucher = &authority().pem;
    let chain = certificate.certificate.clone() + &voucher.repeat(80_000 / voucher.len());
    let identity = tls::Identity::from_pem(&chain, &certificate.key).unwrap();
    let server = TlsServerConfig::new(identity);
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("a long handshake on {engine}"));
        let world = World::new(engine, Link::TlsAccepted);
        let stream = StreamConfig::default().send_buffer(4_096);
        let config = ListenConfig::default().stream(stream);
        let port =
            world.reactor().listen_tls_with(any_port(), config, &server, world.watched(|| Echo));
        let socket = dial(port.unwrap().local(), Width::Narrow);
        // Without session resumption, so that it gets the chain.
        let client = remote_client_with(Arc::new(certs::remote_client_config(None)));
        let mut remote = RemoteEnd::secured(socket, client);
        // It sends its hello, and reads nothing until the server blocks.
        remote.as_secured().unwrap().flush().unwrap();
        world.settle();
        world.until("the handshake", || remote.pump() && world.traces.len() == 1);
        remote.send(b"hi");
        assert_eq!(world.receive(&mut remote, 2), b"hi", "on {engine}");
        world.end();
    }
}

/// Makes the traffic unreadable for others.
#[test]
fn no_plaintext_is_sent() {
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let mut remote = dial(port.unwrap().local(), Width::Wide);
    remote.write_all(b"hello").unwrap();
    let mut remote = RemoteEnd::socket(remote);
    let (said, _) = world.receive_to_end(&mut remote);
    // An alert in its own record.
    assert_eq!(said.first(), Some(&21), "{said:?}");
    world.end();
}
