//! Tests of the example `echo_client`.

use std::{net::TcpListener, thread};

use super::{peer::Peer, process::Example};
use crate::ENGINES;

fn start(engine: &str) -> (Example, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let client = Example::start("echo_client", &["--to", &to, "--engine", engine]);
    let server = Peer::accept(&listener);
    (client, server)
}

#[test]
fn sends_what_it_reads_and_prints_what_is_answered() {
    for engine in ENGINES {
        let (mut client, mut server) = start(engine);
        client.input(b"hello\n");
        assert_eq!(server.line(), "hello");
        server.send("HELLO\n");
        assert_eq!(client.line(), "HELLO");
        client.input(b"last words");
        client.end_input();
        assert_eq!(server.rest(), b"last words");
        server.send("fare well\n");
        drop(server);
        let ended = client.wait();
        assert_eq!(
            (ended.code, ended.stdout, ended.stderr.len()),
            (Some(0), vec!["fare well".into()], 0)
        );
    }
}

#[test]
fn more_than_all_buffers_hold() {
    let (mut client, mut server) = start("mio");
    let lines = 200_000;
    let echoing = thread::spawn(move || {
        let received = server.rest();
        server.send(&received);
    });
    let mut text = String::new();
    for line in 0..lines {
        text.push_str(&format!("line number {line}\n"));
    }
    client.input(text.as_bytes());
    client.end_input();
    let ended = client.wait();
    echoing.join().unwrap();
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0));
    assert!(ended.stdout.iter().map(String::as_str).eq(text.lines()));
}

/// Its standard input stays open, but the server has gone.
#[test]
fn ends_with_the_server() {
    let (mut client, mut server) = start("mio");
    client.input(b"hello\n");
    assert_eq!(server.line(), "hello");
    drop(server);
    let ended = client.wait_with_input_open();
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");

    let (mut client, mut server) = start("mio");
    client.input(b"hello\n");
    assert_eq!(server.line(), "hello");
    server.reset();
    let ended = client.wait_with_input_open();
    assert_eq!((ended.code, ended.stderr), (Some(1), vec!["error: reset by the peer".into()]));
}

#[test]
fn connecting_to_nobody() {
    // Bound but not listening: the port is in use and refuses connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let to = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    for name in ["echo_client", "async_client"] {
        let args = ["--listen", "127.0.0.1:0", "--to", &to];
        let args = if name == "echo_client" { &args[2..] } else { &args[..] };
        let ended = Example::start(name, args).wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1), "{name}: {ended:?}");
        assert!(ended.stderr[0].starts_with(&format!("error: could not connect to {to}: ")));
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it() {
    use rustix::process::Signal;
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            let (mut client, mut server) = start(engine);
            client.input(b"hello\n");
            assert_eq!(server.line(), "hello");
            client.signal(signal);
            let ended = client.wait_with_input_open();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        }
    }
}
