//! `echo_server --listen` on every kind of endpoint, and `portforward` between two of them.

use super::process::{Example, listening};

/// Sends a line and expects its echo.
fn answers(server: &Example) {
    let mut client = server.connect();
    client.send("hello\n");
    client.expect("hello\n");
}

#[test]
fn on_a_port() {
    for listen in
        ["tcp:0:interface=127.0.0.1:backlog=5", "tcp:port=0:interface=localhost", "127.0.0.1:0"]
    {
        let mut server = Example::start("echo_server", &["--listen", listen]);
        server.addr = listening(&server.line()).parse().unwrap();
        answers(&server);
        server.finish();
    }
}

/// Addresses without a kind: for servers that take endpoints, and for those that take addresses.
#[test]
fn on_an_address_or_a_port_alone() {
    let servers: &[&str] = if cfg!(feature = "socketserver") {
        &["echo_server", "thank_you"]
    } else {
        &["echo_server"]
    };
    for name in servers {
        for listen in ["localhost:0", "0", ":0", "*:0", "[::1]:0", "[::]:0"] {
            let mut server = Example::start(name, &["--listen", listen]);
            let line = server.line();
            server.addr = listening(&line).parse().unwrap();
            let is_any = server.addr.ip().is_unspecified();
            assert_eq!(is_any, !matches!(listen, "localhost:0" | "[::1]:0"), "{listen}: {line}");
            assert_eq!(server.addr.is_ipv6(), listen.starts_with('['), "{listen}: {line}");
            if is_any {
                let port = server.addr.port();
                server.addr = format!("127.0.0.1:{port}").parse().unwrap();
            }
            let mut client = server.connect();
            client.send("hello\n");
            client.expect(if *name == "echo_server" { "hello\n" } else { "Thank you" });
            drop(client);
            server.finish();
        }
    }
}

#[test]
fn in_memory() {
    let server = Example::start("echo_server", &["--listen", "memory:hall"]);
    assert_eq!(server.line(), "listening on memory:hall");
    server.finish();
    // Both ends of it.
    let both = Example::start("async_client", &["--listen", "memory:hall"]);
    assert_eq!(both.line(), "listening on memory:hall");
    let ended = both.wait();
    assert_eq!((ended.code, ended.stdout.len(), ended.stderr.len()), (Some(0), 6, 0), "{ended:?}");
}

#[test]
fn addresses_that_cannot_be_bound() {
    let cases = [
        // An address that no local interface has (RFC 5737).
        ("tcp:0:interface=192.0.2.1", "error: could not listen on 192.0.2.1:0: "),
        (
            "tcp:0:interface=no..name",
            "error: could not resolve the address to listen on, no..name:0: ",
        ),
        #[cfg(unix)]
        ("fd:999", "error: could not listen on fd:999: "),
        #[cfg(unix)]
        ("fd:2", "error: could not listen on fd:2: "),
        #[cfg(unix)]
        (
            "systemd:name=web",
            "error: could not listen on systemd:name=web: LISTEN_PID is not set in the environment",
        ),
    ];
    for (listen, told) in cases {
        let ended = Example::start("echo_server", &["--listen", listen]).wait();
        assert_eq!(
            (ended.code, ended.stdout.len(), ended.stderr.len()),
            (Some(1), 0, 1),
            "{ended:?}"
        );
        assert!(ended.stderr[0].starts_with(told), "{ended:?}");
    }
}

/// A listening socket is inherited as descriptor 3, as from a shell or systemd.
#[cfg(unix)]
#[test]
fn on_a_socket_that_was_inherited() {
    use std::net::TcpListener;
    for listen in ["fd:3", "systemd:index=0", "systemd:name=web"] {
        for engine in crate::ENGINES {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let mut server = Example::handed(
                listener.into(),
                "echo_server",
                &["--listen", listen, "--engine", engine],
            );
            server.addr = listening(&server.line()).parse().unwrap();
            assert_eq!(server.addr, addr);
            answers(&server);
            server.finish();
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ended =
        Example::handed(listener.into(), "echo_server", &["--listen", "systemd:name=mail"]).wait();
    assert!(ended.stderr[0].ends_with(r#"systemd has passed sockets named ["web"]"#), "{ended:?}");
}

/// It prints only its answers, and ends with its input.
#[cfg(unix)]
#[test]
fn on_standard_input_and_output() {
    for engine in crate::ENGINES {
        let mut server = Example::start("echo_server", &["--listen", "stdio:", "--engine", engine]);
        server.input(b"hello\n");
        assert_eq!(server.line(), "hello");
        server.input(b"and away\n");
        let ended = server.wait();
        assert_eq!(
            (ended.code, &*ended.stdout, &*ended.stderr),
            (Some(0), &["and away".into()][..], &[][..])
        );
    }
    let mut server = Example::start("echo_server", &["--listen", "proxy:stdio:"]);
    server.input(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nfrom afar\n");
    assert_eq!(server.wait().stdout, ["from afar"]);
    // The client is still connected when the server is stopped.
    let mut server = Example::start("echo_server", &["--listen", "stdio:"]);
    server.input(b"hello\n");
    assert_eq!(server.line(), "hello");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait_with_input_open().code, Some(0));
}
