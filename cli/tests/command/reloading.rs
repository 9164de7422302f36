//! SIGHUP: what changed is changed, what did not is left alone, and a file with an error changes nothing.

use std::{
    collections::BTreeSet,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    process::Stdio,
};

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, assert_echoes, connect, has_ended, sinew};

/// A line for a service that echoes.
fn echo(name: &str, more: &str) -> String {
    format!("[services.{name}]\nserver = \"echo\"\nlisten = \"127.0.0.1:0\"\n{more}\n")
}

/// The path of a socket that is in use until the listener is dropped. A port could become another program's then.
fn taken_path(scratch: &Scratch) -> (String, UnixListener) {
    let path = scratch.text("taken");
    let holder = UnixListener::bind(&path).expect("a path in the directory of this test");
    (path, holder)
}

/// Writes a file, has it reloaded, and returns the line of the log that says so.
fn reload(server: &mut Server, scratch: &Scratch, contents: &str) -> String {
    scratch.write("file.toml", contents);
    server.signal(Signal::SIGHUP);
    server.line("reloaded")
}

fn address(server: &Server, service: &str) -> SocketAddr {
    let wanted = format!("service={service}\n");
    let line =
        server.lines.iter().rfind(|line| line.ends_with(&wanted)).expect("a service that listens");
    line.split("listening on ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// The kernel's numbers of the sockets that listen there.
fn sockets(address: SocketAddr) -> BTreeSet<String> {
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row.len() > 9 && row[1].ends_with(&port) && row[3] == "0A");
    listening.map(|row| row[9].to_owned()).collect()
}

#[test]
fn a_changed_service_goes_on_with_its_sockets() {
    for reactors in ["1", "3"] {
        let scratch = Scratch::new();
        let program = |max: &str| {
            format!(
                "[reactor]\nreactors = {reactors}\n{}",
                echo("a", &format!("max_connections = {max}"))
            )
        };
        let path = scratch.write("file.toml", &program("5"));
        let mut server = Server::start(&["run", &path]);
        let before = sockets(server.address());
        assert_eq!(before.len().to_string(), reactors);
        // Who waits in the backlog of a closed socket is refused; so it must not be closed.
        for max in ["6", "7"] {
            reload(&mut server, &scratch, &program(max));
            assert_eq!(sockets(server.address()), before);
            connect(server.address());
        }
        server.stop();
    }
}

#[test]
fn unchanged_services_keep_their_ports_and_connections() {
    let scratch = Scratch::new();
    let path = scratch.write(
        "file.toml",
        &(echo("kept", "") + &echo("gone", "") + &echo("changed", "max_connections = 5")),
    );
    for reactors in ["", "[reactor]\nreactors = 3\n"] {
        let common = format!(
            "{reactors}{}{}{}",
            echo("kept", ""),
            echo("gone", ""),
            echo("changed", "max_connections = 5")
        );
        scratch.write("file.toml", &common);
        let mut server = Server::start(&["run", &path]);
        let mut streams = ["kept", "gone", "changed"].map(|name| connect(address(&server, name)));
        let gone = address(&server, "gone");

        let new = format!(
            "{reactors}{}{}{}",
            echo("new", ""),
            echo("changed", "max_connections = 6"),
            echo("kept", "")
        );
        let line = reload(&mut server, &scratch, &new);
        assert!(line.contains("1 unchanged, 1 changed, 1 added, 1 removed"), "{line}");
        assert_echoes(&mut streams[0], "as if nothing had happened");
        connect(address(&server, "kept"));
        connect(address(&server, "new"));
        connect(address(&server, "changed"));
        assert!(TcpStream::connect(gone).is_err(), "it listens no more");
        assert!(has_ended(&mut streams[1]), "its connections were drained");

        let line = reload(&mut server, &scratch, &new);
        assert!(line.contains("3 unchanged, 0 changed, 0 added, 0 removed"), "{line}");
        assert_echoes(&mut streams[0], "nor this time");
        // Otherwise the server would linger for them.
        drop(streams);
        server.stop();
    }
}

#[test]
fn a_file_with_an_error_changes_nothing() {
    let scratch = Scratch::new();
    let path = scratch.write("file.toml", &echo("a", ""));
    let mut server = Server::start(&["run", &path]);
    let mut stream = connect(server.address());
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (taken, holder) = taken_path(&scratch);
    let with_b = |listen: &str| {
        format!("{}[services.b]\nserver = \"echo\"\nlisten = \"{listen}\"\n", echo("a", ""))
    };
    let in_use = with_b(&format!("unix:{taken}"));
    let port_in_use = with_b(&port.local_addr().expect("an address").to_string());
    for (contents, text) in [
        ("[services.a\n", "file.toml:1"),
        (
            "[services.a]\nserver = \"echo\"\nlisten = \"tls:0:cert=/no/such.pem:key=/no/such.pem\"\n",
            "/no/such.pem",
        ),
        ("[services.a]\nserver = \"no\"\n", "there is no server"),
        ("", "there are no services"),
        (&port_in_use, "could not listen on"),
        (&in_use, "is in use"),
        (
            &format!("{}[log]\nfile = \"/no/such/directory/log\"\n", echo("b", "")),
            "cannot open the log file",
        ),
    ] {
        scratch.write("file.toml", contents);
        server.signal(Signal::SIGHUP);
        server.line("nothing was reloaded");
        while !server.lines.last().unwrap().contains(text) {
            server.line("nothing was reloaded");
        }
        assert_echoes(&mut stream, "still there");
        connect(server.address());
    }
    std::fs::remove_file(&path).unwrap();
    server.signal(Signal::SIGHUP);
    server.line("cannot read");
    // And the next good one is taken.
    drop(holder);
    let line = reload(&mut server, &scratch, &in_use);
    assert!(line.contains("1 unchanged, 0 changed, 1 added"), "{line}");
    let mut taken = UnixStream::connect(taken).expect("a server that listens");
    assert_echoes(&mut taken, "hello");
    drop((stream, taken));
    server.stop();
}

#[test]
fn a_changed_service_that_cannot_start_is_as_before() {
    let scratch = Scratch::new();
    let (taken, holder) = taken_path(&scratch);
    let path = scratch.write("file.toml", &(echo("a", "") + &echo("b", "")));
    let mut server = Server::start(&["run", &path]);
    let mut kept = connect(address(&server, "b"));
    scratch.write(
        "file.toml",
        &format!(
            "[services.a]\nserver = \"discard\"\nlisten = \"unix:{taken}\"\n{}",
            echo("b", "")
        ),
    );
    server.signal(Signal::SIGHUP);
    server.line("nothing was reloaded");
    connect(address(&server, "a"));
    assert_echoes(&mut kept, "unchanged");
    drop(holder);
    server.signal(Signal::SIGHUP);
    let line = server.line("reloaded");
    assert!(line.contains("1 unchanged, 1 changed"), "{line}");
    drop(kept);
    server.stop();
}

#[test]
fn limits_of_all_services_are_limits_of_each() {
    let scratch = Scratch::new();
    let path = scratch.write("file.toml", &(echo("a", "") + &echo("b", "max_connections = 3")));
    let mut server = Server::start(&["run", &path]);
    let contents = format!(
        "[limits]\nmax_connections = 7\n{}{}",
        echo("a", ""),
        echo("b", "max_connections = 3")
    );
    let line = reload(&mut server, &scratch, &contents);
    assert!(line.contains("1 unchanged, 1 changed, 0 added, 0 removed"), "{line}");
    server.stop();
}

#[test]
fn tables_that_a_reload_cannot_change_are_named() {
    let scratch = Scratch::new();
    let path = scratch.write("file.toml", &echo("a", ""));
    let mut server = Server::start(&["run", &path]);
    let contents =
        format!("[reactor]\nreactors = 2\n[process]\numask = \"022\"\n{}", echo("a", ""));
    reload(&mut server, &scratch, &contents);
    for table in ["reactor", "process"] {
        assert!(
            server.lines.iter().any(|line| line.contains(&format!("table={table}"))),
            "{:?}",
            server.lines
        );
    }
    server.stop();
}

#[test]
fn the_log_of_the_file_is_used_from_then_on() {
    let scratch = Scratch::new();
    let path = scratch.write("file.toml", &echo("a", ""));
    let server = Server::start(&["run", &path]);
    let log = scratch.text("log");
    let contents = format!("[log]\nfile = \"{log}\"\nformat = \"json\"\n{}", echo("a", ""));
    scratch.write("file.toml", &contents);
    server.signal(Signal::SIGHUP);
    while !scratch.path("log").exists() {
        connect(server.address());
    }
    server.signal(Signal::SIGTERM);
    server.end();
    let written = scratch.read("log");
    assert!(
        written.lines().all(|line| line.starts_with("{\"")) && written.contains("stopped"),
        "{written}"
    );
}

/// Writes a new certificate for localhost and its key. Returns the certificate.
fn write_certificate(scratch: &Scratch) -> String {
    scratch.certificate();
    scratch.read("cert.pem")
}

/// Whether a client that trusts only this certificate gets an echo.
fn is_trusted(scratch: &Scratch, certificate: &str, address: SocketAddr) -> bool {
    let (ca, to) = (scratch.write("ca.pem", certificate), address.to_string());
    let mut client = sinew(&["connect", "--tls", "--server-name", "localhost", "--ca", &ca, &to])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may have ended already.
    let _ = client.stdin.take().unwrap().write_all(b"over TLS");
    let output = client.wait_with_output().unwrap();
    output.stdout == b"over TLS"
}

#[test]
fn certificates_are_read_again() {
    let scratch = Scratch::new();
    let first = write_certificate(&scratch);
    let (cert, key) = (scratch.text("cert.pem"), scratch.text("key.pem"));
    let endpoint = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let mut server = Server::start(&["echo", "-l", &endpoint, "--reactors", "2"]);
    let address = server.address();
    assert!(is_trusted(&scratch, &first, address));

    let second = write_certificate(&scratch);
    server.signal(Signal::SIGHUP);
    let line = server.line("reloaded");
    assert!(line.contains("1 unchanged") && line.contains("of 1 endpoints"), "{line}");
    assert!(is_trusted(&scratch, &second, address));
    assert!(!is_trusted(&scratch, &first, address));

    scratch.write("cert.pem", "not a certificate\n");
    server.signal(Signal::SIGHUP);
    server.line("the certificates stay as they were");
    assert!(is_trusted(&scratch, &second, address));
    server.stop();
}
