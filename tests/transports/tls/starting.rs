//! STARTTLS at both ends, and attacks on it.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    rc::Rc,
    time::Duration,
};

use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
    testing::{Pair, for_seeds},
    transports::{TlsError, memory, tls::StartTlsError},
};

use crate::support::{
    EndState, Event, Link, Lost, RemoteEnd, Script, Width, World, certs,
    sockets::{any_port, dial},
};

/// A line protocol that starts TLS on request.
struct Server(TlsServerConfig, Rc<RefCell<Vec<String>>>);

impl LineHandler for Server {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        let is_secure = transport.tls_info().is_some();
        if line == "STARTTLS" {
            transport.write(b"220 go ahead\r\n");
            assert_eq!(transport.start_tls(&self.0), Ok(()));
            assert_eq!(transport.start_tls(&self.0), Err(StartTlsError::AlreadyTls));
            // For the protocol after the handshake.
            transport.write(b"250 welcome\r\n");
        } else {
            self.1.borrow_mut().push(format!("{line} {is_secure}"));
            transport.write(b"250 ok\r\n");
        }
    }
}

/// Requests TLS, then sends its name and closes.
struct Client(Vec<String>);

impl LineHandler for Client {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.write(b"HELO\r\n");
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        match line.as_str() {
            "250 ok" if transport.tls_info().is_none() => drop(transport.write(b"STARTTLS\r\n")),
            "250 ok" => transport.lose_connection(),
            "220 go ahead" => {
                transport.start_tls(certs::client().to("localhost").unwrap()).unwrap();
                assert!(!transport.is_reading());
            }
            _ => assert!(transport.tls_info().is_some(), "{line} in the clear"),
        }
        self.0.push(line);
    }

    fn tls_started(&mut self, transport: &mut LineTransport<'_>) {
        self.0.push("started".to_owned());
        transport.write(b"AUTH\r\n");
    }
}

#[test]
fn both_ends_upgrade_to_tls() {
    for_seeds(0..10, |_| {
        let heard = Rc::new(RefCell::default());
        let server = LineReceiver::new(Server(certs::server(), Rc::clone(&heard)));
        let pair = Pair::new(server, LineReceiver::new(Client(Vec::new())));
        while pair.step() {}
        pair.with_client(|client, _| {
            let said = ["250 ok", "220 go ahead", "started", "250 welcome", "250 ok"];
            assert_eq!(client.handler().0, said);
        });
        pair.advance(Duration::from_secs(20));
        assert_eq!(*heard.borrow(), ["HELO false", "AUTH true"]);
        assert_eq!(pair.client_lost().as_deref(), Some("closed by this side"));
        pair.assert_over();
    });
}

/// An attacker appends a command to the client's STARTTLS, in the same segment.
#[test]
fn starttls_injection_is_rejected() {
    for engine in Engine::ALL {
        World::run("injection", *engine, Link::Accepted, |world| {
            let heard = Rc::new(RefCell::default());
            let (server, theirs) = (certs::server(), Rc::clone(&heard));
            let mut line = world.join(LineReceiver::new(Server(server, theirs)));
            line.remote.send(b"STARTTLS\r\nMAIL FROM:<mallory@example.org>\r\nhalf a li");
            assert_eq!(world.receive(&mut line.remote, 14), b"220 go ahead\r\n");
            // The client does not notice.
            let socket = line.remote.as_socket().unwrap().try_clone().unwrap();
            let mut secured = RemoteEnd::secured(socket, certs::remote_client());
            world.until("the end", || {
                secured.pump();
                let is_lost = line.trace.is_lost();
                is_lost || secured.end_state() != EndState::Open
            });
            secured.close();
            drop(line.remote);
            let why = "42 bytes of plaintext received after TLS was started";
            assert_eq!(world.lost(&line.trace), Lost::Protocol(why.to_owned()));
            assert!(heard.borrow().is_empty(), "{heard:?}");
        });
    }
}

/// The same in a separate segment, which has not been delivered yet.
#[test]
fn plaintext_after_starttls_is_not_a_handshake() {
    for engine in Engine::ALL {
        World::run("injection", *engine, Link::Accepted, |world| {
            let heard = Rc::new(RefCell::default());
            let server = Server(certs::server(), Rc::clone(&heard));
            let mut line = world.join(LineReceiver::new(server));
            line.remote.send(b"STARTTLS\r\n");
            assert_eq!(world.receive(&mut line.remote, 14), b"220 go ahead\r\n");
            line.remote.send(b"MAIL FROM:<mallory@example.org>\r\n");
            line.remote.end();
            assert_eq!(world.lost(&line.trace), Lost::Tls(TlsError::NotTls));
            assert!(heard.borrow().is_empty(), "{heard:?}");
        });
    }
}

/// On a real connection: data written around the start go out on the right side of it, and a graceful close happens
/// in the middle.
#[test]
fn a_close_in_the_middle_of_the_handshake_sends_what_was_written() {
    for engine in Engine::ALL {
        World::run("a close in the handshake", *engine, Link::Accepted, |world| {
            let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
                if let Event::Data(_) = what {
                    transport.write(b"clear");
                    transport.start_tls(&certs::server()).unwrap();
                    transport.write(b"secret");
                    transport.lose_connection();
                }
            }));
            line.remote.send(b"now");
            assert_eq!(world.receive(&mut line.remote, 5), b"clear");
            let socket = line.remote.as_socket().unwrap().try_clone().unwrap();
            let mut secured = RemoteEnd::secured(socket, certs::remote_client());
            world.until("the handshake", || secured.pump());
            assert_eq!(world.receive_to_end(&mut secured), (b"secret".to_vec(), EndState::Ended));
            secured.close();
            line.remote.close();
            assert_eq!(world.lost(&line.trace), Lost::Closed);
        });
    }
}

#[test]
fn a_starttls_handshake_times_out() {
    let world = World::new(Engine::Mio, Link::Accepted);
    let after = Duration::from_millis(20);
    let tls = certs::server().handshake_timeout(after);
    let port = world.reactor().listen_tcp(
        any_port(),
        world.watched(move || {
            let tls = tls.clone();
            Script(move |transport: &Transport, what: Event<'_>| {
                if let Event::Made = what {
                    transport.start_tls(&tls).unwrap();
                }
            })
        }),
    );
    let mut remote = dial(port.unwrap().local(), Width::Wide);
    remote.write_all(b"\x16\x03").unwrap();
    world.until("a protocol", || world.traces.len() == 1);
    assert_eq!(world.lost(&world.traces.last()), Lost::Tls(TlsError::TimedOut { after }));
    let transport = world.traces.last().transport();
    assert_eq!(transport.start_tls(&certs::server()), Err(StartTlsError::AlreadyTls));
    world.end();
}

/// Switches to another protocol, and to TLS, in either order; with unread input left.
struct Twice {
    tls: TlsServerConfig,
    tls_first: bool,
    left: Vec<u8>,
    refused: Rc<Cell<Option<StartTlsError>>>,
}

impl Protocol for Twice {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.left = data[1..].to_vec();
        if self.tls_first {
            transport.start_tls(&self.tls).unwrap();
        }
        transport.set_protocol(Script(|_: &Transport, _: Event<'_>| {})).unwrap();
        if !self.tls_first {
            self.refused.set(transport.start_tls(&self.tls).err());
        }
    }

    fn take_unread(&mut self, _: &Transport) -> bytes::Bytes {
        std::mem::take(&mut self.left).into()
    }
}

/// Plaintext is never delivered to a protocol as if it had been received over TLS.
#[test]
fn unread_plaintext_is_not_delivered_as_tls_data() {
    for (tls_first, left) in [(true, 0), (true, 3), (false, 0), (false, 3)] {
        let reactor = Reactor::simulated(0);
        let refused = Rc::new(Cell::new(None));
        let protocol =
            Twice { tls: certs::server(), tls_first, left: Vec::new(), refused: refused.clone() };
        let (connection, wire) =
            memory::connect(&reactor, StreamConfig::default(), protocol).unwrap();
        wire.receive(&b"!any"[..=left]);
        reactor.advance(Duration::ZERO).unwrap();
        let transport = connection.transport().clone();
        let expected = (!tls_first).then_some(StartTlsError::HandingOver);
        assert_eq!(refused.get(), expected);
        // Without unread input, or without TLS, it continues. Otherwise it is closed, and the first bytes are not a
        // handshake.
        assert_eq!(transport.is_closing(), tls_first && left > 0);
    }
}
