//! Tests of the example `connect`.

use std::{net::TcpListener, thread};

use super::{peer::Peer, process::Example};
use crate::ENGINES;

fn start(engine: &str) -> (Example, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp:localhost:{}:timeout=30", listener.local_addr().unwrap().port());
    let client = Example::start("connect", &[&to, "--engine", engine]);
    let server = Peer::accept(&listener);
    (client, server)
}

#[test]
fn connects_both_directions_to_standard_input_and_output() {
    for engine in ENGINES {
        let (mut client, mut server) = start(engine);
        server.send("welcome\n");
        assert_eq!(client.line(), "welcome");
        client.input(b"hello\n");
        assert_eq!(server.line(), "hello");
        client.input(b"last words");
        client.end_input();
        assert_eq!(server.rest(), b"last words");
        server.send("fare well\n");
        drop(server);
        let ended = client.wait();
        let what = (ended.code, ended.stdout, ended.stderr.len());
        assert_eq!(what, (Some(0), vec!["fare well".into()], 0));
    }
}

/// Much more than the pipes hold, in both directions at once.
#[test]
fn more_than_all_buffers_hold() {
    let (mut client, mut server) = start("mio");
    let text: String = (0..200_000).map(|line| format!("line number {line}\n")).collect();
    let (mut writer, sent) = (server.another(), text.clone());
    let sending = thread::spawn(move || {
        writer.send(&sent);
        writer.close_write();
    });
    let receiving = thread::spawn(move || server.rest());
    client.input(text.as_bytes());
    client.end_input();
    let ended = client.wait();
    sending.join().unwrap();
    assert!(receiving.join().unwrap() == text.as_bytes());
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0));
    assert!(ended.stdout.iter().map(String::as_str).eq(text.lines()));
}

#[test]
fn connecting_to_nobody() {
    let ended = Example::start("connect", &["memory:nobody"]).wait();
    let told = "error: could not connect to memory:nobody: no port listens on this name";
    assert_eq!((ended.code, ended.stderr), (Some(1), vec![told.into()]));

    let (client, mut server) = start("mio");
    server.send("hello\n");
    assert_eq!(client.line(), "hello");
    server.reset();
    let ended = client.wait_with_input_open();
    assert_eq!((ended.code, ended.stderr), (Some(1), vec!["error: reset by the peer".into()]));
}

/// Programs, each started for one connection.
#[cfg(unix)]
#[test]
fn to_programs() {
    for engine in ENGINES {
        let mut client = Example::start("connect", &["process:/bin/cat", "--engine", engine]);
        client.input(b"hello\n");
        assert_eq!(client.line(), "hello");
        let ended = client.wait();
        assert_eq!((ended.code, ended.stdout.len(), ended.stderr.len()), (Some(0), 0, 0));
    }
    let both = r"process:sh:-c:read line; echo $line and a\=b; echo aside >&2";
    for (stderr, aside) in [("", 1), (":stderr=drop", 0), (":stderr=log", 0)] {
        let mut client = Example::start("connect", &[&format!("{both}{stderr}")]);
        client.input(b"this\n");
        let ended = client.wait_with_input_open();
        assert_eq!((ended.code, &*ended.stdout), (Some(0), &["this and a=b".into()][..]));
        assert_eq!(ended.stderr, vec!["aside"; aside]);
    }
    let ended = Example::start("connect", &["process:/no/such/program"]).wait();
    let told = r#"error: could not find the program "/no/such/program""#;
    assert_eq!((ended.code, ended.stderr), (Some(1), vec![told.into()]));
}
