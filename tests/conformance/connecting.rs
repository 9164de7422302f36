//! Connecting: refused, timed out, cancelled at every moment, by name, from a local address, and rejected by the
//! factory.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::{prelude::*, reactor::Failure, transports::Destination};

use crate::support::{
    Callback, Echo, EndState, Event, Lost, RemoteEnd, Script, Sink, Traces, Watched, Width, World,
    sockets::{full_backlog, listener, refusing_address},
    table,
};

table! {
    ports:
        a_connection_is_given_with_its_protocol,
        a_connection_may_be_awaited,
        connection_refused,
        tcp_self_connect_is_refused,
        connect_times_out,
        the_timeout_covers_the_whole_attempt,
        dropping_the_handle_cancels_nothing,
        the_factory_refuses,
        the_factory_panics,
        connection_made_panics,
        names_are_resolved,
        a_name_that_cannot_be_resolved,
        invalid_destinations,
        link_local_addresses,
        names_in_errors_are_shortened_and_escaped,
        destinations_are_understood,
        connecting_from_a_chosen_address,
        connecting_from_a_foreign_address_fails,
        a_typed_handle_reaches_the_protocol,
        a_typed_handle_outlives_its_connection,
        the_reactor_stops_while_connecting,
        input_that_arrives_with_the_connection_is_delivered;
}

pub(super) fn echo(world: &World) -> impl FnMut(&Peer) -> Watched<Echo> + use<> {
    let traces = world.traces.clone();
    move |_| traces.watch(Echo)
}

pub(super) fn settled<P: Protocol>(
    world: &World,
    connecting: &Connecting<P>,
) -> Result<Connection<P>, ConnectError> {
    world.until("the attempt to settle", || connecting.is_settled());
    connecting.take().expect("nobody has taken it").map(OwnedConnection::detach)
}

pub(super) fn failed<P: Protocol>(world: &World, connecting: &Connecting<P>) -> ConnectError {
    match settled(world, connecting) {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

fn a_connection_is_given_with_its_protocol(world: &World) {
    let listener = listener(Width::Wide);
    let addr = listener.local_addr().unwrap();
    let connecting = world.reactor().connect_tcp(addr, echo(world));
    assert!(!connecting.is_settled());
    let connection = settled(world, &connecting).unwrap();
    assert!(world.traces.last().is_made(), "before the one who asked is told");
    assert_eq!(connection.transport().peer(), Peer::Inet(addr));
    let mut remote = accept(world, &listener);
    remote.send(b"hello");
    assert_eq!(world.receive(&mut remote, 5), b"hello");
    remote.end();
    assert_eq!(world.lost(&world.traces.last()), Lost::Done);
    assert_eq!(world.reactor().stats().timers, 0, "the timeout was taken back");

    let callbacks = Rc::new(Cell::new(false));
    let flag = callbacks.clone();
    world.reactor().connect_tcp(addr, echo(world)).then(move |_, connection| {
        assert!(connection.is_ok());
        flag.set(true);
    });
    assert!(!callbacks.get());
    world.until("the callback", || callbacks.get());
}

pub(super) fn accept(world: &World, listener: &TcpListener) -> RemoteEnd {
    let mut accepted = None;
    world.until("a client", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    RemoteEnd::socket(accepted.unwrap().0)
}

fn a_connection_may_be_awaited(world: &World) {
    let listener = listener(Width::Wide);
    let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
    let connection = world.reactor().run_until(connecting).unwrap().unwrap();
    assert!(connection.with(|_, _| ()).is_none(), "the run is over, and its connections are");
    assert_eq!(world.traces.last().lost(), Some(Lost::Shutdown));
}

fn connection_refused(world: &World) {
    let (_socket, addr) = refusing_address();
    let error = failed(world, &world.reactor().connect_tcp(addr, echo(world)));
    assert!(error.is_refused(), "{error}");
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    assert_eq!(world.traces.len(), 0, "no protocol was built");
    assert_eq!(
        (world.reactor().stats().handlers, world.reactor().stats().timers),
        (0, 0),
        "handlers, timers that are left"
    );
}

fn tcp_self_connect_is_refused(world: &World) {
    if !cfg!(target_os = "linux") {
        return; // Other systems have no unused loopback address.
    }
    let (socket, addr) = refusing_address();
    drop(socket);
    let addr: SocketAddr = ([127, 0, 0, 77], addr.port()).into();
    let config = ConnectConfig::default().bind(addr);
    let error = failed(world, &world.reactor().connect_tcp_with(addr, config, echo(world)));
    assert!(error.is_refused(), "{error}");
    assert_eq!(world.traces.len(), 0, "protocols that were built");
}

fn connect_times_out(world: &World) {
    let full_backlog = full_backlog();
    let config = ConnectConfig::default().timeout(Duration::from_millis(40));
    let start = Instant::now();
    let error =
        failed(world, &world.reactor().connect_tcp_with(full_backlog.addr, config, echo(world)));
    assert!(start.elapsed() >= Duration::from_millis(40), "not early");
    let is_connecting = matches!(&error, ConnectError::TimedOut { phase, .. } if *phase == sinew::transports::ConnectPhase::Connecting);
    assert!(is_connecting, "{error}");
    assert_eq!(
        error.to_string(),
        format!("could not connect to {} within 40ms", full_backlog.addr)
    );
    assert_eq!(
        (world.traces.len(), world.reactor().stats().handlers),
        (0, 0),
        "protocols that were built, handlers"
    );
    world.assert_asleep();
}

fn the_timeout_covers_the_whole_attempt(world: &World) {
    let config = ConnectConfig::default().timeout(Duration::ZERO);
    let connecting = world.reactor().connect_tcp_with("localhost:1", config, echo(world));
    let error = failed(world, &connecting);
    // The name may be resolved before the timer fires, but then the connection is refused.
    let is_either = matches!(error, ConnectError::TimedOut { .. }) || error.is_refused();
    assert!(is_either, "{error}");
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn dropping_the_handle_cancels_nothing(world: &World) {
    let listener = listener(Width::Wide);
    world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world)).detach();
    let mut remote = accept(world, &listener);
    remote.send(b"x");
    world.receive(&mut remote, 1);
}

/// A factory that rejects every connection.
struct Refuses;

impl Factory for Refuses {
    type Protocol = Sink;

    fn build_protocol(&mut self, _: &Peer) -> Option<Sink> {
        None
    }
}

fn the_factory_refuses(world: &World) {
    let listener = listener(Width::Wide);
    let addr = listener.local_addr().unwrap();
    let error = failed(world, &world.reactor().connect_tcp(addr, Refuses));
    assert!(matches!(&error, ConnectError::NoProtocol(Peer::Inet(at)) if *at == addr), "{error}");
    assert_ne!(world.receive_to_end(&mut accept(world, &listener)).1, EndState::Open);
    let stats = world.reactor().stats();
    assert_eq!(
        (stats.connections, stats.handlers, stats.timers),
        (0, 0, 0),
        "connections, handlers, timers that are left"
    );
}

fn the_factory_panics(world: &World) {
    let listener = listener(Width::Wide);
    let addr = listener.local_addr().unwrap();
    let factory = |_: &Peer| -> Sink { panic!("not today") };
    let error = failed(world, &world.reactor().connect_tcp(addr, factory));
    assert!(matches!(error, ConnectError::NoProtocol(_)), "{error}");
    assert_ne!(world.receive_to_end(&mut accept(world, &listener)).1, EndState::Open);
    let stats = world.reactor().stats();
    assert_eq!(
        (stats.connections, stats.handlers, stats.timers),
        (0, 0, 0),
        "connections, handlers, timers that are left"
    );
}

fn connection_made_panics(world: &World) {
    let listener = listener(Width::Wide);
    let traces = world.traces.clone();
    let connecting =
        world.reactor().connect_tcp(listener.local_addr().unwrap(), move |_: &Peer| {
            traces.watch(Script(|_: &Transport, what: Event<'_>| {
                assert!(!matches!(what, Event::Made), "at the start");
            }))
        });
    let connection = settled(world, &connecting);
    let expected = Lost::Panicked("at the start".to_owned());
    assert_eq!(world.lost(&world.traces.last()), expected);
    // It was connected for a moment.
    assert!(connection.unwrap().with(|_, _| ()).is_none());
}

fn names_are_resolved(world: &World) {
    let listener = listener(Width::Wide);
    let port = listener.local_addr().unwrap().port();
    // If the name has addresses of both families, the wrong one is refused and the next one is tried.
    for to in [Destination::from(("localhost", port)), format!("localhost:{port}").into()] {
        let connection = settled(world, &world.reactor().connect_tcp(to, echo(world))).unwrap();
        let peer = connection.transport().peer();
        assert_eq!(peer, Peer::Inet(listener.local_addr().unwrap()));
        let mut remote = accept(world, &listener);
        remote.send(b"x");
        world.receive(&mut remote, 1);
    }
    let (_socket, addr) = refusing_address();
    let error =
        failed(world, &world.reactor().connect_tcp(("localhost", addr.port()), echo(world)));
    assert!(error.is_refused(), "{error}");
}

fn a_name_that_cannot_be_resolved(world: &World) {
    // An empty label, which is invalid without asking a name server.
    let error = failed(world, &world.reactor().connect_tcp(("no..name", 80), echo(world)));
    assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "no..name"), "{error}");
    assert_eq!(
        (world.traces.len(), world.reactor().stats().timers),
        (0, 0),
        "protocols that were built, timers that are left"
    );
}

fn invalid_destinations(world: &World) {
    let cases = [
        ("", "it is empty; write HOST:PORT"),
        ("host", "host has no port; write host:PORT"),
        (":80", "the host is missing; write HOST:80"),
        ("host:port", r#""port" is not a port: neither 0 to 65535 nor a service name"#),
        ("host:99999", "port 99999 is above 65535"),
        ("a:b:80", "there are several colons; write HOST:PORT"),
        ("::1", "an IPv6 address must be in brackets before its port, as in [::1]:8000"),
    ];
    for (text, why) in cases {
        let error = failed(world, &world.reactor().connect_tcp(text, echo(world)));
        assert!(matches!(&error, ConnectError::BadDestination(bad) if bad == text), "{error}");
        assert_eq!(error.to_string(), format!("{text:?} is not host:port: {why}"));
        let error = world.reactor().listen_tcp(text, |_: &Peer| Echo).unwrap_err();
        let expected = format!("could not resolve the address to listen on, {text}: {why}");
        assert_eq!(error.to_string(), expected);
    }
    let nowhere: &[SocketAddr] = &[];
    let error = failed(world, &world.reactor().connect_tcp(nowhere, echo(world)));
    assert_eq!(error.to_string(), "the list of addresses to connect to is empty");
}

#[cfg(target_os = "linux")]
struct Deaf;

#[cfg(target_os = "linux")]
impl DatagramProtocol for Deaf {
    fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
}

/// An unassigned link-local address with the scope of the loopback: errors print it with its scope, however that was
/// given.
#[cfg(target_os = "linux")]
fn link_local_addresses(world: &World) {
    let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
    let index = index.trim();
    let addr: SocketAddr = format!("[fe80::1:2:3%{index}]:9").parse().unwrap();
    let texts = [format!("[fe80::1:2:3%{index}]:9"), "[fe80::1:2:3%lo]:9".to_owned()];
    let pairs = [("fe80::1:2:3%lo", 9), ("[fe80::1:2:3%lo]", 9)];
    let destinations = texts.map(Destination::from).into_iter().chain(pairs.map(Destination::from));
    for to in destinations {
        // Its text form parses as the same address.
        assert_eq!(Destination::from(to.to_string()), to);
        let error = failed(world, &world.reactor().connect_tcp(to.clone(), echo(world)));
        let ConnectError::Connect { addr: tried, .. } = &error else { panic!("{to}: {error}") };
        assert_eq!(*tried, addr, "{to}");
        assert!(error.to_string().contains(&format!("[fe80::1:2:3%{index}]:9")), "{error}");
        let error = world.reactor().listen_tcp(to.clone(), |_: &Peer| Echo).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("could not listen on {addr}: ")), "{to}: {text}");
        let error = world.reactor().listen_udp(to.clone(), Deaf).unwrap_err();
        assert_eq!(error.to_string(), text, "{to}");
        let error = world.reactor().connect_udp(to.clone(), Deaf).unwrap_err();
        assert!(error.to_string().contains(&addr.to_string()), "{to}: {error}");
    }
    // Without an interface its scope is ambiguous.
    let why = "a link-local address needs its interface, as in fe80::1:2:3%eth0";
    let error = failed(world, &world.reactor().connect_tcp("[fe80::1:2:3]:9", echo(world)));
    assert_eq!(error.to_string(), format!("could not connect to [fe80::1:2:3]:9: {why}"));
    let error = world.reactor().listen_tcp("[fe80::1:2:3]:9", |_: &Peer| Echo).unwrap_err();
    assert_eq!(error.to_string(), format!("could not listen on [fe80::1:2:3]:9: {why}"));
    for to in ["[fe80::1%nowhere9]:9", "[::1%nowhere9]:9"] {
        let error = failed(world, &world.reactor().connect_tcp(to, echo(world)));
        let why = "there is no interface nowhere9 for this address";
        let host = to.trim_start_matches('[').split(']').next().unwrap();
        assert_eq!(error.to_string(), format!("could not resolve {host}: {why}"));
        let error = world.reactor().listen_tcp(to, |_: &Peer| Echo).unwrap_err();
        let expected = format!("could not resolve the address to listen on, {to}: {why}");
        assert_eq!(error.to_string(), expected);
    }
}

#[cfg(not(target_os = "linux"))]
fn link_local_addresses(_: &World) {}

fn names_in_errors_are_shortened_and_escaped(world: &World) {
    let long = "a".repeat(70_000);
    let texts = [
        long.clone(),
        format!("{long}:80"),
        format!("host:{long}"),
        format!("[{long}]:80"),
        "a\u{1b}[2J..example:80".to_owned(),
        "a\n..b:80".to_owned(),
        "a\u{202e}..b:80".to_owned(),
        "\0:80".to_owned(),
    ];
    for text in texts {
        let connecting = world.reactor().connect_tcp(text.as_str(), echo(world));
        let error = failed(world, &connecting).to_string();
        let listening = world.reactor().listen_tcp(text.as_str(), |_: &Peer| Echo);
        let other = listening.map(|_| ()).unwrap_err().to_string();
        for said in [error, other] {
            assert!(said.len() < 1000, "{} bytes", said.len());
            let is_plain = |c: char| !c.is_control() && c != '\u{202e}';
            assert!(said.chars().all(is_plain), "{said:?}");
        }
    }
}

fn destinations_are_understood(_: &World) {
    let v4: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let v6: SocketAddr = "[::1]:80".parse().unwrap();
    let name = Destination::Name("example.org".to_owned(), 80);
    let cases = [
        (Destination::from("127.0.0.1:80"), Destination::Addr(v4)),
        ("[::1]:80".into(), Destination::Addr(v6)),
        ("example.org:80".into(), name.clone()),
        ("example.org:80".to_owned().into(), name.clone()),
        (("example.org", 80).into(), name.clone()),
        (("::1", 80).into(), Destination::Addr(v6)),
        ((v4.ip(), 80).into(), Destination::Addr(v4)),
        (v6.into(), Destination::Addr(v6)),
        ("::1:80".into(), Destination::Bad("::1:80".to_owned())),
    ];
    for (destination, expected) in cases {
        assert_eq!(destination, expected);
    }
    assert_eq!(name.to_string(), "example.org:80");
}

fn connecting_from_a_chosen_address(world: &World) {
    if !cfg!(target_os = "linux") {
        return; // Other systems have a single loopback address.
    }
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let config = ConnectConfig::default().bind("127.0.0.3:0".parse().unwrap());
    let connection =
        settled(world, &world.reactor().connect_tcp_with(to, config, echo(world))).unwrap();
    let local = connection.transport().local().unwrap();
    assert_eq!(local.ip().to_string(), "127.0.0.3");
    assert_eq!(accept(world, &listener).as_socket().unwrap().peer_addr().unwrap(), local);
}

fn connecting_from_a_foreign_address_fails(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    // 192.0.2.1 is reserved (RFC 5737); nothing is sent there.
    let config = ConnectConfig::default().bind("192.0.2.1:0".parse().unwrap());
    let error = failed(world, &world.reactor().connect_tcp_with(to, config, echo(world)));
    assert!(
        matches!(&error, ConnectError::Connect { addr, source } if *addr == to && source.kind() == io::ErrorKind::AddrNotAvailable),
        "{error}"
    );
    assert!(!error.is_refused());
}

fn a_typed_handle_reaches_the_protocol(world: &World) {
    struct Counts(usize);
    impl Protocol for Counts {
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            self.0 += data.len();
        }
    }
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let connecting = world.reactor().connect_tcp(to, |_: &Peer| Counts(0));
    let connection = settled(world, &connecting).unwrap();
    let mut remote = accept(world, &listener);
    remote.send(b"four");
    world.until("the bytes", || connection.with(|counts, _| counts.0) == Some(4));
    connection.with(|counts, transport| {
        counts.0 = 100;
        transport.write(b"from with");
        assert!(connection.with(|_, _| ()).is_none(), "it is in somebody's hands already");
    });
    assert_eq!(world.receive(&mut remote, 9), b"from with");
    let clone = connection.clone();
    connection.call(move |counts, transport| {
        assert_eq!(counts.0, 100, "bytes that were carried there");
        assert!(clone.with(|_, _| ()).is_none());
        counts.0 = 7;
        transport.write(b"from call");
    });
    assert_eq!(connection.with(|counts, _| counts.0), Some(100), "not at once");
    assert_eq!(world.receive(&mut remote, 9), b"from call");
    assert_eq!(connection.with(|counts, _| counts.0), Some(7));
    assert!(format!("{connection:?}").contains("peer"));
}

fn a_typed_handle_outlives_its_connection(world: &World) {
    let listener = listener(Width::Wide);
    let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
    let connection = settled(world, &connecting).unwrap();
    connection.transport().abort();
    let called = Rc::new(Cell::new(false));
    let flag = called.clone();
    assert!(connection.with(|_, _| ()).is_some(), "until connection_lost is told");
    world.lost(&world.traces.last());
    connection.call(move |_, _| flag.set(true));
    world.settle();
    assert!(!called.get() && connection.with(|_, _| ()).is_none());
    assert!(world.traces.all()[0].is_dropped());
}

fn the_reactor_stops_while_connecting(world: &World) {
    let (full_backlog, listener) = (full_backlog(), listener(Width::Wide));
    let waiting = world.reactor().connect_tcp(full_backlog.addr, echo(world));
    let fresh: Rc<RefCell<Option<Connecting<Watched<Echo>>>>> = Rc::default();
    let (slot, traces) = (fresh.clone(), Traces::clone(&world.traces));
    let addr = listener.local_addr().unwrap();
    world.reactor().call_later(Duration::from_millis(5), move |reactor| {
        slot.replace(Some(reactor.connect_tcp(addr, move |_: &Peer| traces.watch(Echo))));
        reactor.stop().unwrap();
    });
    world.reactor().run().unwrap();
    let given_up = |result| matches!(result, Some(Err(ConnectError::GivenUp(Failure::Abandoned))));
    assert!(given_up(waiting.take()));
    assert!(given_up(fresh.take().unwrap().take()));
    let stats = world.reactor().stats();
    assert_eq!(
        (world.traces.len(), stats.handlers, stats.timers),
        (0, 0, 0),
        "protocols that were built, handlers, timers that are left"
    );
}

fn input_that_arrives_with_the_connection_is_delivered(world: &World) {
    let listener = listener(Width::Wide);
    listener.set_nonblocking(false).unwrap();
    let addr = listener.local_addr().unwrap();
    // The greeting and EOF have arrived before the loop polls.
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        io::Write::write_all(&mut socket, b"220 hello\r\n").unwrap();
    });
    let connecting = world.reactor().connect_tcp(addr, echo(world));
    world.reactor().turn(Some(Duration::ZERO)).unwrap();
    server.join().unwrap();
    drop(settled(world, &connecting).unwrap());
    let trace = world.traces.last();
    world.until("the end", || trace.is_lost());
    assert_eq!(trace.data(), b"220 hello\r\n");
    assert_eq!(trace.callbacks()[0..3], [Callback::Made, Callback::Data(11), Callback::ReadClosed]);
}
