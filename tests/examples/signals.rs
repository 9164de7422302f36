//! SIGINT and SIGTERM with open connections.
#![cfg(unix)]

use std::time::Instant;

use rustix::process::Signal;

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// The servers with their arguments, and the expected answer or output, which shows that the connection is
/// established.
const SERVERS: &[(&str, &[&str])] = &[
    ("echo_server", &[]),
    ("simple_logger", &[]),
    ("line_logger", &[]),
    ("upper_server", &[]),
    ("framed_echo", &["--codec", "line"]),
    ("timers", &[]),
    ("background_work", &[]),
];

/// A client that the server has noticed.
fn greet(server: &Example, name: &str) -> Peer {
    let mut client = server.connect();
    if name.ends_with("_logger") {
        assert!(server.line().ends_with(" connected"));
    } else {
        client.send("hello\n");
        client.line();
    }
    client
}

#[test]
fn either_signal_drains_and_exits_successfully() {
    for (name, args) in SERVERS {
        for engine in ENGINES {
            for signal in [Signal::INT, Signal::TERM] {
                let server = Example::serve(name, engine, args);
                let mut clients = [(); 3].map(|()| greet(&server, name));
                server.signal(signal);
                for client in &mut clients {
                    client.rest();
                }
                drop(clients);
                let ended = server.wait();
                let code = (ended.code, ended.stderr.len());
                assert_eq!(code, (Some(0), 0), "{name} on {engine}, {signal:?}: {ended:?}");
            }
        }
    }
}

/// A client that stays connected is awaited, unless the signal is repeated.
#[test]
fn the_second_signal_ends_the_wait() {
    let server = Example::serve("echo_server", "mio", &[]);
    let mut client = greet(&server, "echo_server");
    let start = Instant::now();
    server.signal(Signal::INT);
    client.expect_end();
    server.signal(Signal::INT);
    assert_eq!(server.wait().code, Some(0));
    assert!(start.elapsed().as_secs() < 5, "it waited for the client");
    drop(client);
}

/// A tunnel consists of two connections, only one of which belongs to the listener.
#[test]
fn a_drained_tunnel_lasts_until_its_ends_close() {
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let to = listener.local_addr().unwrap().to_string();
            let forward = Example::serve("portforward", engine, &["--to", &to]);
            let mut client = forward.connect();
            client.send("hello");
            let mut server = Peer::accept(&listener);
            server.expect("hello");
            forward.signal(signal);
            server.send("still here");
            client.expect("still here");
            drop(client);
            server.expect_end();
            drop(server);
            let ended = forward.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{engine}: {ended:?}");
        }
    }
}

/// Chargen would never finish sending.
#[test]
fn endless_services_end() {
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            let server =
                Example::start("wire_server", &["--listen", "127.0.0.1:0", "--engine", engine]);
            let lines: Vec<_> = (0..6).map(|_| server.line()).collect();
            let chargen = lines.iter().find_map(|line| {
                super::process::listening(line).strip_suffix(" for chargen")?.parse().ok()
            });
            let mut client = Peer::connect(chargen.unwrap());
            client.exactly(1000);
            server.signal(signal);
            client.rest();
            drop(client);
            let ended = server.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{engine}: {ended:?}");
        }
    }
}

#[test]
fn a_custom_handler_is_dropped() {
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            let server = Example::serve("custom_handler", engine, &[]);
            server.signal(signal);
            let ended = server.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{engine}: {ended:?}");
            assert_eq!(ended.stdout, ["no longer listening"]);
        }
    }
}
