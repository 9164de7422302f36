//! Connections that fail or are aborted, during the handshake and after: alerts arrive, and nothing waits for input
//! that will not arrive.

use std::{
    cell::RefCell,
    io::{Read, Write},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
    transports::TlsError,
};

use crate::support::{
    Callback, EndState, Event, Link, Lost, RemoteEnd, Script, Sink, TOO_MUCH, Width, World,
    certs::{self, authority, remote_server_with},
    noise,
    sockets::{any_port, dial, listener},
};

/// Longer than any wait.
const NEVER: Duration = Duration::from_secs(1000);

/// The header of an alert record (RFC 8446 5.1).
const ALERT: u8 = 21;

fn on_every_engine(name: &str, link: Link, scenario: impl Fn(&World)) {
    for engine in Engine::ALL {
        World::run(name, *engine, link, &scenario);
    }
}

fn patient() -> StreamConfig {
    StreamConfig::default().linger_timeout(NEVER)
}

/// Answers in plaintext, starts TLS on either side, and then closes.
fn gives_up(act: fn(&Transport), as_client: bool) -> impl Protocol {
    Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(b"go ahead");
            match as_client {
                true => transport.start_tls(certs::client().to("localhost").unwrap()).unwrap(),
                false => transport.start_tls(&certs::server().handshake_timeout(NEVER)).unwrap(),
            }
            act(transport);
        }
    })
}

/// Without data to be encrypted, a close does not wait for the handshake: the plaintext and EOF are sent.
#[test]
fn a_close_during_the_handshake_without_data_is_immediate() {
    fn fail(transport: &Transport) {
        transport.fail("after all");
    }
    for link in [Link::Accepted, Link::Connected] {
        on_every_engine("a close in the handshake", link, |world| {
            for as_client in [false, true] {
                let failed = Lost::Protocol("after all".to_owned());
                let acts =
                    [(Transport::lose_connection as fn(&Transport), Lost::Closed), (fail, failed)];
                for (act, expected) in acts {
                    let mut line =
                        world.join_with(patient(), Width::Wide, gives_up(act, as_client));
                    line.remote.send(b"STARTTLS");
                    let (said, end_state) = world.receive_to_end(&mut line.remote);
                    assert_eq!((&said[..8], end_state), (&b"go ahead"[..], EndState::Ended));
                    // Any further message from it is ignored.
                    line.remote.send(&noise(100_000));
                    line.remote.end();
                    assert_eq!(world.lost(&line.trace), expected);
                    assert_eq!(line.trace.received(), 8);
                }
            }
        });
    }
}

/// STARTTLS injection: an attacker appends data to the client's STARTTLS; the server ends the connection immediately.
#[test]
fn data_after_starttls_end_the_connection() {
    struct Server;
    impl LineHandler for Server {
        fn line_received(&mut self, transport: &mut LineTransport<'_>, _: &[u8]) {
            transport.write(b"220 go ahead\r\n");
            transport.start_tls(&certs::server().handshake_timeout(NEVER)).unwrap();
        }
    }
    on_every_engine("injection", Link::Accepted, |world| {
        for tail in [&b"EVIL\r\n"[..], b"x", b"\x16\x03\x01\x02\x00\x01"] {
            let mut line = world.join_with(patient(), Width::Wide, LineReceiver::new(Server));
            line.remote.send(&[b"STARTTLS\r\n", tail].concat());
            let expected = (b"220 go ahead\r\n".to_vec(), EndState::Ended);
            assert_eq!(world.receive_to_end(&mut line.remote), expected);
            line.remote.close();
            let reason = world.lost(&line.trace);
            assert!(
                matches!(&reason, Lost::Protocol(why) if why.contains("plaintext received after TLS was started"))
            );
        }
    });
}

/// Further input would make the kernel reset the connection on close, which would destroy the alert; lingering close
/// avoids that.
#[test]
fn the_alert_of_a_failed_handshake_arrives() {
    on_every_engine("an alert", Link::Accepted, |world| {
        let config = ListenConfig::default().stream(patient());
        let factory = world.watched(|| Sink);
        let port = world.reactor().listen_tls_with(any_port(), config, &certs::server(), factory);
        let port = port.unwrap();
        let mut remote = RemoteEnd::socket(dial(port.local(), Width::Wide));
        world.send_all(&mut remote, &[b"GET / HTTP/1.1\r\n\r\n", &noise(500_000)[..]].concat());
        let (said, end_state) = world.receive_to_end(&mut remote);
        assert_eq!((said.first(), end_state), (Some(&ALERT), EndState::Ended));
        assert_eq!((world.traces.len(), port.connections()), (0, 1), "it waits for the peer's end");
        remote.close();
        world.until("the end", || port.connections() == 0);
        assert_eq!(world.reactor().stats().timers, 0);
        port.stop_listening();
    });
}

/// The same in mid-stream, with an existing protocol.
#[test]
fn the_alert_of_a_handshake_that_fails_in_mid_stream_arrives() {
    on_every_engine("an alert in mid-stream", Link::Accepted, |world| {
        let begins = |transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) = what {
                transport.write(b"go ahead");
                transport.start_tls(&certs::server()).unwrap();
                transport.write(b"for nobody");
            }
        };
        let mut line = world.join_with(patient(), Width::Wide, Script(begins));
        line.remote.send(b"?");
        assert_eq!(world.receive(&mut line.remote, 8), b"go ahead");
        world.send_all(&mut line.remote, &noise(500_000));
        let (said, end_state) = world.receive_to_end(&mut line.remote);
        assert_eq!((said.first(), end_state), (Some(&ALERT), EndState::Ended));
        line.remote.close();
        assert!(matches!(world.lost(&line.trace), Lost::Tls(_)));
        assert_eq!(line.trace.received(), 1);
    });
}

/// The same after the handshake: a tampered record, followed by much data.
#[test]
fn the_alert_for_a_tampered_record_arrives() {
    for link in [Link::TlsAccepted, Link::TlsConnected] {
        on_every_engine("an alert in a session", link, |world| {
            let mut line = world.join_with(patient(), Width::Wide, Sink);
            line.remote.send(b"in order");
            world.until("input", || line.trace.received() == 8);
            let mut socket = line.remote.as_socket().unwrap().try_clone().unwrap();
            let garbage = [&[23, 3, 3, 0, 32][..], &[7; 32], &noise(500_000)].concat();
            let mut sent = 0;
            world.until("all to be taken", || {
                sent += socket.write(&garbage[sent..]).unwrap_or(0);
                sent == garbage.len()
            });
            let secured = line.remote.as_secured().unwrap();
            let mut why = None;
            world.until("an alert", || {
                why = secured.receive(&mut [0; 100]).err();
                why.as_ref().is_none_or(|why| why.kind() == std::io::ErrorKind::InvalidData)
            });
            let why = why.expect("the end would have come first").to_string();
            assert!(why.contains("fatal alert"), "{why}");
            world.until("the end", || {
                let read = socket.read(&mut [0; 100]);
                assert!(!matches!(&read, Err(why) if why.kind() != std::io::ErrorKind::WouldBlock));
                matches!(read, Ok(0))
            });
            line.remote.close();
            assert!(matches!(world.lost(&line.trace), Lost::Tls(TlsError::ProtocolViolation(_))));
        });
    }
}

/// The client is notified immediately, although the connection waits for EOF.
#[test]
fn a_failed_client_sends_an_alert_and_is_notified_at_once() {
    on_every_engine("a client's alert", Link::Connected, |world| {
        let listener = listener(Width::Wide);
        let addr = listener.local_addr().unwrap();
        let config = ConnectConfig::default().stream(patient());
        let client = certs::client().server_name("elsewhere.example").unwrap();
        let connecting = world.reactor().connect_tls_with(addr, config, &client, |_: &Peer| Sink);
        let mut remote = None;
        world.until("a connection", || {
            remote = remote.take().or_else(|| listener.accept().ok());
            remote.is_some()
        });
        let config = Arc::new(certs::remote_server_config(certs::localhost()));
        let mut remote = RemoteEnd::secured(remote.unwrap().0, remote_server_with(config));
        world.until("the result", || {
            if !connecting.is_settled() {
                remote.pump();
            }
            connecting.is_settled()
        });
        let error = connecting.take().unwrap().unwrap_err();
        let is_it = matches!(&error, ConnectError::Tls { source: TlsError::BadCertificate(_), .. });
        assert!(is_it, "{error:?}");
        assert_eq!(world.reactor().stats().connections, 1, "it waits for the peer's end");
        // More data than the alert would have survived.
        let mut socket = remote.as_socket().unwrap();
        let _ = socket.write(&noise(100_000));
        let mut why = None;
        let secured = remote.as_secured().unwrap();
        world.until("the alert", || {
            why = secured.receive(&mut [0; 100]).err();
            why.as_ref().is_none_or(|why| why.kind() != std::io::ErrorKind::WouldBlock)
        });
        let why = why.expect("the end would have come first").to_string();
        assert!(why.contains("fatal alert"), "{why}");
        drop(remote);
        world.until("nothing to be left", || world.reactor().leak_report().is_empty());
    });
}

/// In TLS 1.3 the client considers the connection established before the server has verified its certificate. Its
/// writes fail, and the server's alert is still received.
#[test]
fn the_servers_alert_is_received_although_writing_fails() {
    on_every_engine("a refusal", Link::TlsConnected, |world| {
        let server = certs::server().require_client_certificates(authority().roots());
        let port = world.reactor().listen_tls(any_port(), &server, |_: &Peer| Sink).unwrap();
        let floods = || {
            Script(|transport: &Transport, what: Event<'_>| {
                if let Event::Made = what {
                    transport.write(&noise(TOO_MUCH));
                }
            })
        };
        world.reactor().connect_tls(port.local(), &certs::client(), world.watched(floods)).detach();
        world.until("a protocol", || world.traces.len() == 1);
        let reason = world.lost(&world.traces.last());
        assert!(matches!(&reason, Lost::Tls(TlsError::AlertReceived(_))), "{reason:?}");
        port.stop_listening();
    });
}

/// The remote end of the handshakes below: a slow relay.
fn held(world: &World, port: &ListeningPort) -> RemoteEnd {
    let remote = RemoteEnd::secured(dial(port.local(), Width::Wide), certs::remote_client());
    world.until("it to be accepted", || port.connections() == 1);
    remote
}

/// Records the reason.
struct Registrar {
    callbacks: Rc<RefCell<Vec<&'static str>>>,
    traces: crate::support::Traces,
}

impl Factory for Registrar {
    type Protocol = crate::support::Watched<Sink>;

    fn build_protocol(&mut self, _: &Peer) -> Option<Self::Protocol> {
        self.callbacks.borrow_mut().push("built");
        Some(self.traces.watch(Sink))
    }

    fn started(&mut self) {
        self.callbacks.borrow_mut().push("started");
    }

    fn stopped(&mut self) {
        self.callbacks.borrow_mut().push("stopped");
    }
}

/// A listener is closed during a handshake: the factory is stopped when the handshake has ended, and not before.
#[test]
fn no_protocol_is_built_after_the_factory_has_stopped() {
    on_every_engine("a late handshake", Link::TlsAccepted, |world| {
        let listen = || {
            let callbacks = Rc::new(RefCell::new(Vec::new()));
            let factory = Registrar { callbacks: callbacks.clone(), traces: world.traces.clone() };
            let port = world.reactor().listen_tls(any_port(), &certs::server(), factory).unwrap();
            (port, callbacks)
        };
        // The handshake succeeds.
        let (port, callbacks) = listen();
        let mut remote = held(world, &port);
        port.stop_listening();
        world.settle();
        assert_eq!(*callbacks.borrow(), ["started"]);
        world.until("the handshake", || remote.pump() && callbacks.borrow().len() == 3);
        assert_eq!(*callbacks.borrow(), ["started", "built", "stopped"]);
        remote.close();
        // The handshake fails.
        let (port, callbacks) = listen();
        let remote = held(world, &port);
        port.stop_listening();
        world.settle();
        assert_eq!(*callbacks.borrow(), ["started"]);
        remote.reset();
        world.until("the end", || callbacks.borrow().len() == 2);
        assert_eq!(*callbacks.borrow(), ["started", "stopped"]);
        // There is no handshake.
        let (port, callbacks) = listen();
        world.settle();
        port.stop_listening();
        world.until("the end", || callbacks.borrow().len() == 2);
        // The reactor stops.
        let (port, callbacks) = listen();
        let _far = held(world, &port);
        world.reactor().call_soon(|reactor| reactor.stop().unwrap());
        world.reactor().run().unwrap();
        assert_eq!(*callbacks.borrow(), ["started", "stopped"]);
    });
}

/// Everything received is forwarded, and the truncation is reported as such where possible.
#[test]
fn a_relay_forwards_data_and_the_truncation() {
    on_every_engine("a cut behind a relay", Link::TlsAccepted, |world| {
        for is_secured in [false, true] {
            let mut a = world.join(Sink);
            let mut b = match is_secured {
                true => world.join_with(StreamConfig::default(), Width::Narrow, Sink),
                false => plain(world),
            };
            a.transport().relay(&b.transport()).unwrap().detach();
            let bytes = noise(200_000);
            world.send_all(&mut a.remote, &bytes);
            world.until("all to be carried", || {
                a.remote.pump();
                a.transport().relayed().unwrap().to_other >= 200_000 || b.transport().queued() > 0
            });
            // EOF without close_notify. Unsent data of the session go first.
            let socket = a.remote.as_socket().unwrap().try_clone().unwrap();
            world.until("all to be sent", || {
                a.remote.pump();
                !a.remote.as_secured().unwrap().session.wants_write()
            });
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            world.settle();
            let (received, end_state) = world.receive_to_end(&mut b.remote);
            assert!(received == bytes, "{} of {} bytes", received.len(), bytes.len());
            assert_eq!(end_state, EndState::Reset);
            assert_eq!(world.lost(&a.trace), Lost::Truncated);
            assert_eq!(world.lost(&b.trace), Lost::Aborted);
            assert_eq!(b.trace.count(&Callback::ReadClosed), 0);
        }
    });
}

/// A plain connection whose remote end buffers little.
fn plain(world: &World) -> crate::support::TestConnection {
    let listener = listener(Width::Narrow);
    let addr = listener.local_addr().unwrap();
    let before = world.traces.len();
    world.reactor().connect_tcp(addr, world.watched(|| Sink)).detach();
    let mut remote = None;
    world.until("a plain connection", || {
        remote = remote.take().or_else(|| listener.accept().ok());
        remote.is_some() && world.traces.len() > before && world.traces.last().is_made()
    });
    crate::support::TestConnection {
        remote: RemoteEnd::socket(remote.unwrap().0),
        trace: world.traces.last(),
        port: None,
    }
}
