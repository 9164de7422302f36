//! Handshakes: who is let in, who is believed, what was settled, and what those leave behind that fail.

use std::{cell::Cell, io::Write, rc::Rc, sync::Arc, time::Duration};

use sinew::{
    prelude::*,
    transports::{
        TlsError,
        testing::assert_clean,
        tls::{self, TlsInfo, TlsVersion},
    },
};

use crate::support::{
    Echo, Far, Fate, Link, Sink, Watchdog, Width, World,
    certs::{self, Authority, authority, far_client_with, localhost},
    sockets::{any_port, dial},
};

fn world() -> World {
    World::new(Engine::Mio, Link::TlsAccepted)
}

/// Connects our client to our server, and gives back what became of it.
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
    let transport = result.unwrap()?.transport().clone();
    // The client is done first.
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
        (Some(near), Some(theirs)) => Ok((near, theirs)),
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
fn what_was_settled_is_known_at_both_ends() {
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
fn only_a_certificate_for_the_name_from_somebody_trusted_in_its_time_is_accepted() {
    let world = world();
    let client = certs::client();
    let stranger = Authority::new("a stranger").vouch_for(&["127.0.0.1"]);
    for (papers, why) in [
        (authority().vouched_for_once(&["127.0.0.1"]), "expired"),
        (authority().vouch_for(&["elsewhere.example"]), "not valid for name"),
        (stranger, "UnknownIssuer"),
    ] {
        let server = TlsServerConfig::new(papers.identity());
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
fn clients_may_have_to_show_who_they_are() {
    let world = world();
    let guests = Authority::new("the guests");
    let guest = guests.vouch_for(&["guest"]).identity();
    let stranger = authority().vouch_for(&["stranger"]).identity();
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
        matches!(&error, TlsError::Refused(why) if why == "no application protocol"),
        "{error:?}"
    );
    // Who does not speak of it is let in.
    let (near, _) = meet(&world, &server, &certs::client()).unwrap();
    assert_eq!(near.alpn, None);
    world.end();
}

#[test]
fn a_session_is_taken_up_again_unless_it_must_not_be() {
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
fn each_name_is_shown_its_certificate() {
    let world = world();
    let server = TlsServerConfig::new(localhost().identity())
        .identity(authority().vouch_for(&["*.example.org"]).identity());
    let client = |name| certs::client().server_name(name).unwrap();
    assert!(meet(&world, &server, &client("localhost")).is_ok());
    let (_, theirs) = meet(&world, &server, &client("www.example.org")).unwrap();
    assert_eq!(theirs.server_name.as_deref(), Some("www.example.org"));
    // Who asks for another is shown the first, and may not like it.
    let error = refused(meet(&world, &server, &client("example.net")));
    assert!(matches!(error, TlsError::BadCertificate(_)), "{error:?}");
    let strict = server.only_known_names(true);
    let error = refused(meet(&world, &strict, &client("example.net")));
    assert!(matches!(error, TlsError::Refused(_)), "{error:?}");
    assert!(meet(&world, &strict, &client("www.example.org")).is_ok());
    world.end();
}

#[test]
fn certificates_can_be_changed_while_connections_are_open() {
    let world = world();
    let server = certs::server();
    let port = world.reactor().listen_tls(any_port(), &server, world.watched(|| Echo)).unwrap();
    let mut far = Far::secured(dial(port.local(), Width::Wide), certs::far_client());
    world.until("the handshake", || far.pump() && world.traces.len() == 1);
    let (before, _) = meet_at(&world, port.local(), &certs::client()).unwrap();
    assert!(server.reload([]).is_err(), "a server needs a certificate");
    server.reload([authority().vouch_for(&["127.0.0.1"]).identity()]).unwrap();
    let (after, _) = meet_at(&world, port.local(), &certs::client()).unwrap();
    assert_ne!(before.peer_certificates, after.peer_certificates);
    far.send(b"still here");
    assert_eq!(world.receive(&mut far, 10), b"still here");
    world.end();
}

#[test]
fn what_is_not_tls_builds_no_protocol() {
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let port = port.unwrap();
    let noise = crate::support::noise(5000);
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &noise, b"\x16\x03\x01\xff\xff"] {
        let mut far = Far::socket(dial(port.local(), Width::Wide));
        far.send(garbage);
        far.end();
        world.until("the end", || far.fate() != Fate::Open);
        world.until("nothing to be left", || port.connections() == 0);
    }
    assert_eq!((world.traces.len(), world.reactor().stats().timers), (0, 0));
    port.stop_listening();
    world.until("nothing to be left", || world.reactor().leak_report().is_empty());
    assert_clean(world.reactor());
    world.end();
}

#[test]
fn who_does_not_come_to_the_point_is_sent_away() {
    for engine in Engine::ALL {
        if engine.check().is_err() {
            continue;
        }
        let world = World::new(*engine, Link::TlsAccepted);
        let server = certs::server().handshake_timeout(Duration::from_millis(30));
        let factory = world.watched(|| Echo);
        let port = world.reactor().listen_tls(any_port(), &server, factory).unwrap();
        let silent = Far::socket(dial(port.local(), Width::Wide));
        let mut slow = Far::socket(dial(port.local(), Width::Wide));
        slow.send(b"\x16\x03\x01");
        for mut far in [silent, slow] {
            world.until("the end", || far.fate() != Fate::Open);
        }
        world.until("nothing to be left", || port.connections() == 0);
        assert_eq!((world.traces.len(), world.reactor().stats().timers), (0, 0), "{engine}");
        world.end();
    }
}

#[test]
fn a_client_does_not_wait_for_ever() {
    let world = world();
    let listener = crate::support::sockets::listener(Width::Wide);
    let addr = listener.local_addr().unwrap();
    let after = Duration::from_millis(20);
    let client = certs::client().handshake_timeout(after);
    let error = refused(meet_at(&world, addr, &client));
    assert_eq!(error, TlsError::TimedOut { after });
    // The timeout of the whole attempt goes on, too, and so does its cancellation.
    let config = ConnectConfig::default().timeout(after);
    let slow = world.reactor().connect_tls_with(addr, config, &certs::client(), |_: &Peer| Sink);
    world.until("the timeout", || slow.is_settled());
    let error = slow.take().expect("it is settled").expect_err("nobody answers");
    let is_securing = matches!(&error, ConnectError::TimedOut { phase, .. } if *phase == sinew::transports::ConnectPhase::Securing);
    assert!(is_securing, "{error:?}");
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
fn a_name_that_is_none_is_an_error_of_its_own() {
    let world = world();
    let connecting = world.reactor().connect_tls("a b:443", &certs::client(), |_: &Peer| Sink);
    world.until("a result", || connecting.is_settled());
    let error = connecting.take().unwrap().unwrap_err();
    assert!(matches!(&error, ConnectError::BadServerName(name) if name == "a b"), "{error:?}");
    world.end();
}

/// A crowd that all says hello at once is let in a few at a time, and all of it in the end.
#[test]
fn a_crowd_is_let_in_a_few_at_a_time() {
    const CROWD: usize = 30;
    let world = world();
    let server = certs::server().handshakes_per_turn(2);
    let port = world.reactor().listen_tls(any_port(), &server, world.watched(|| Echo)).unwrap();
    let config = Arc::new(certs::far_client_config(None));
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let session = far_client_with(config.clone());
            let mut far = Far::secured(dial(port.local(), Width::Wide), session);
            far.pump();
            far
        })
        .collect();
    let most = Rc::new(Cell::new(0));
    world.until("all to be let in", || {
        let before = world.traces.len();
        world.reactor().turn(Some(Duration::ZERO)).unwrap();
        most.set(most.get().max(world.traces.len() - before));
        crowd.iter_mut().filter_map(|far| far.pump().then_some(())).count() == CROWD
            && world.traces.len() == CROWD
    });
    // What was called in the last turn, and what passed in this one.
    assert!(most.get() <= 4, "{} in one turn", most.get());
    for far in &mut crowd {
        far.send(b"hi");
        assert_eq!(world.receive(far, 2), b"hi");
    }
    world.end();
}

/// A port that is drained waits for a handshake, and has the protocol told at once.
#[test]
fn a_drain_reaches_who_is_in_the_middle_of_a_handshake() {
    let _watchdog = Watchdog::new("a drain in a handshake");
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let port = port.unwrap();
    let mut far = Far::secured(dial(port.local(), Width::Wide), certs::far_client());
    world.until("it to be accepted", || port.connections() == 1);
    let drained = port.drain(Duration::from_secs(1000));
    world.until("the end", || {
        far.pump();
        far.fate() != Fate::Open
    });
    far.close();
    world.until("the drain", || drained.is_settled());
    assert_eq!(world.traces.len(), 1);
    world.end();
}

/// A server whose papers are more than the system takes at once: the protocol has nothing queued, but its layer has, and waits for
/// room. An engine that has to be asked for that is asked.
#[test]
fn a_handshake_goes_on_when_there_is_room_again() {
    // Vouchers that nobody asks for, for the length of it: three quarters of PEM are certificate, and a message has 64 KiB at most.
    let papers = localhost();
    let voucher = &authority().pem;
    let chain = papers.certificate.clone() + &voucher.repeat(80_000 / voucher.len());
    let identity = tls::Identity::from_pem(&chain, &papers.key).unwrap();
    let server = TlsServerConfig::new(identity);
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("a long handshake on {engine}"));
        let world = World::new(engine, Link::TlsAccepted);
        let stream = StreamConfig::default().send_buffer(4_096);
        let config = ListenConfig::default().stream(stream);
        let port =
            world.reactor().listen_tls_with(any_port(), config, &server, world.watched(|| Echo));
        let socket = dial(port.unwrap().local(), Width::Narrow);
        // One that has not been here before, and so is shown the papers.
        let client = far_client_with(Arc::new(certs::far_client_config(None)));
        let mut far = Far::secured(socket, client);
        // It says what it wants, and reads nothing until the server cannot go on.
        far.as_secured().unwrap().flush().unwrap();
        world.settle();
        world.until("the handshake", || far.pump() && world.traces.len() == 1);
        far.send(b"hi");
        assert_eq!(world.receive(&mut far, 2), b"hi", "on {engine}");
        world.end();
    }
}

/// Keeps what goes over the socket from being read by anybody.
#[test]
fn nothing_is_said_in_the_clear() {
    let world = world();
    let port = world.reactor().listen_tls(any_port(), &certs::server(), world.watched(|| Echo));
    let mut far = dial(port.unwrap().local(), Width::Wide);
    far.write_all(b"hello").unwrap();
    let mut far = Far::socket(far);
    let (said, _) = world.receive_to_end(&mut far);
    // An alert, in a record of its own.
    assert_eq!(said.first(), Some(&21), "{said:?}");
    world.end();
}
