//! How the command ends: exit codes, signals, drains.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
};

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, connect, failure, has_ended};

#[test]
fn exit_codes_are_those_of_sysexits() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bad = scratch.write("bad.toml", "[services.echo]\nlisten = 5\n");
    let missing = scratch.text("missing");
    let directory = scratch.text("");
    for (arguments, code, text) in [
        (&["echo", "--no-such-option"][..], 64, "--no-such-option"),
        (&["no-such-command"], 64, "no-such-command"),
        (&[], 64, "Usage"),
        (&["echo", "--drain", "5w"], 64, "\"5w\" is not a duration"),
        (&["echo", "--reactors", "0"], 64, "between 1 and 1024"),
        (&["echo", "--listen", "tcp:x:y:z"], 64, "is not a port"),
        (&["echo", "--umask", "9"], 64, "octal"),
        (&["echo", "--log-format", "journald", "--log-file", "x"], 64, "not to both"),
        (&["run", &missing], 66, "cannot read"),
        (&["check", &missing], 66, "cannot read"),
        (&["echo", "-l", "127.0.0.1:0", "--chdir", &missing], 66, "working directory"),
        (&["echo", "-l", "127.0.0.1:0", "--user", "no such user"], 67, "there is no user"),
        (&["echo", "-l", "127.0.0.1:0", "--group", "no such group"], 67, "there is no group"),
        (&["echo", "-l", &address], 69, "could not listen on"),
        (&["echo", "-l", "127.0.0.1:0", "--log-file", &directory], 73, "cannot open the log file"),
        (&["run", &bad], 78, "services.echo.listen"),
        (&["check", &bad], 78, "a problem in"),
    ] {
        let (found, said) = failure(arguments);
        assert_eq!(found, code, "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_signal_that_stopped_it_is_the_end_of_the_process() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Server::start(&["echo", "-l", "127.0.0.1:0"]);
        server.signal(signal);
        let (status, log) = server.end();
        assert_eq!(status.signal(), Some(signal as i32), "{log}");
        assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
    }
}

#[test]
fn a_drain_lets_connections_finish() {
    let mut server = Server::start(&["echo", "-l", "127.0.0.1:0"]);
    let mut stream = connect(server.address());
    // More than the kernel takes is on its way back when the stop comes.
    let sent = vec![b'x'; 1 << 20];
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&sent));
    let mut received = vec![0; 1 << 20];
    stream.read_exact(&mut received[..1000]).unwrap();
    server.signal(Signal::SIGTERM);
    server.line("stopping");
    // What was received is sent back, though nothing more is received.
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    assert!(read.is_ok() || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    let _ = writing.join().unwrap();
    let (status, log) = server.end();
    assert_eq!(status.signal(), Some(15), "{log}");
}

#[test]
fn a_second_signal_ends_the_drain() {
    let mut server = Server::start(&["echo", "-l", "127.0.0.1:0", "--drain", "1d"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // Fills all buffers on the way there and back: a peer that never reads. The drain would wait for it.
    stream.set_nonblocking(true).unwrap();
    let mut waits = 0;
    while waits < 1000 {
        // However much of it is written.
        waits = match stream.write(&[0; 65_536]) {
            Ok(1..) => 0,
            Ok(0) | Err(_) => waits + 1,
        };
    }
    server.signal(Signal::SIGTERM);
    server.line("stopping");
    server.signal(Signal::SIGTERM);
    let (status, log) = server.end();
    assert_eq!(status.signal(), Some(15), "{log}");
    assert!(log.contains("a second signal") || log.contains("stopped"), "{log}");
}

#[test]
fn without_a_drain_connections_are_closed_at_once() {
    let server = Server::start(&["echo", "-l", "127.0.0.1:0", "--drain", "0", "--reactors", "2"]);
    let mut streams: Vec<_> = (0..8).map(|_| connect(server.address())).collect();
    server.stop();
    for stream in &mut streams {
        assert!(has_ended(stream) || stream.take_error().is_ok());
    }
}
