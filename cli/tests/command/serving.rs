//! Servers from the command line: endpoints, reactors, limits, help.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::Stdio,
};

use super::kit::{Scratch, Server, assert_echoes, connect, output, sinew};

#[test]
fn serves_on_several_endpoints() {
    let scratch = Scratch::new();
    let unix = format!("unix:{}", scratch.text("echo.sock"));
    let server =
        Server::start(&["echo", "-l", "127.0.0.1:0", "--listen", &unix, "-l", "tcp:[::1]:0"]);
    assert_eq!(server.addresses.len(), 3, "{:?}", server.lines);
    connect(server.address());
    assert_echoes(&mut UnixStream::connect(scratch.path("echo.sock")).unwrap(), "by a file");
}

#[test]
fn serves_with_every_engine() {
    for engine in sinew::reactor::Engine::available() {
        let server = Server::start(&["echo", "-l", "127.0.0.1:0", "--engine", &engine.to_string()]);
        connect(server.address());
        server.stop();
    }
}

#[test]
fn several_reactors_share_every_kind_of_port() {
    let scratch = Scratch::new();
    let unix = format!("unix:{}", scratch.text("echo.sock"));
    let server = Server::start(&["echo", "-l", "127.0.0.1:0", "-l", &unix, "--reactors", "3"]);
    let mut streams: Vec<_> = (0..32).map(|_| connect(server.address())).collect();
    let mut files: Vec<_> =
        (0..32).map(|_| UnixStream::connect(scratch.path("echo.sock")).unwrap()).collect();
    files.iter_mut().for_each(|stream| assert_echoes(stream, "over a file"));
    streams.iter_mut().for_each(|stream| assert_echoes(stream, "again"));
    let log = server.stop();
    assert_eq!(log.matches("listening on").count(), 2, "{log}");
}

#[test]
fn limits_of_connections_hold() {
    let server = Server::start(&["discard", "-l", "127.0.0.1:0", "--max-per-ip", "1"]);
    let first = TcpStream::connect(server.address()).unwrap();
    let mut second = TcpStream::connect(server.address()).unwrap();
    let mut rest = Vec::new();
    // It is closed, perhaps by a reset.
    let _ = second.read_to_end(&mut rest);
    assert!(rest.is_empty());
    drop(first);
    server.stop();
}

#[test]
fn idle_connections_are_closed() {
    let server = Server::start(&["discard", "-l", "127.0.0.1:0", "--idle-timeout", "10ms"]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn standard_input_and_output_are_one_connection() {
    let mut child = sinew(&["echo", "--listen", "stdio:", "--log-level", "off"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"to and fro").unwrap();
    let mut received = String::new();
    child.stdout.take().unwrap().read_to_string(&mut received).unwrap();
    assert_eq!(received, "to and fro");
    assert!(child.wait().unwrap().success());
}

#[test]
fn help_has_examples_and_the_options_in_groups() {
    let text = |arguments: &[&str]| {
        let output = output(arguments);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let all = text(&["--help"]);
    for command in ["run", "check", "config", "echo", "discard"] {
        assert!(all.contains(&format!("\n  {command}")), "{all}");
    }
    let echo = text(&["echo", "--help"]);
    assert!(echo.starts_with("Send back what is received"), "{echo}");
    for part in [
        "Connections:",
        "Log:",
        "Process:",
        "--drain <DURATION>",
        "[default: 30s]",
        "Examples:\n  sinew echo",
    ] {
        assert!(echo.contains(part), "{part}: {echo}");
    }
    assert!(text(&["--version"]).starts_with("sinew 0."));
}
