//! Tests of the example `portforward`.

use std::net::TcpListener;

use super::{
    peer::Peer,
    process::{Example, listening},
};
use crate::ENGINES;

/// A tunnel, with both of its remote ends.
fn tunnel(engine: &str) -> (Example, Peer, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let forward = Example::serve("portforward", engine, &["--to", &to]);
    let mut client = forward.connect();
    // Sent before the tunnel is established.
    client.send("first");
    let mut server = Peer::accept(&listener);
    server.expect("first");
    (forward, client, server)
}

#[test]
fn forwards_both_ways() {
    for engine in ENGINES {
        let (forward, mut client, mut server) = tunnel(engine);
        server.send("welcome");
        client.expect("welcome");
        client.send("hello");
        server.expect("hello");
        drop((client, server));
        forward.finish();
    }
}

/// The PROXY header names the client, through one and through two proxies.
#[test]
fn sends_the_proxy_header() {
    for engine in ENGINES {
        for version in ["v1", "v2"] {
            let server = Example::serve("proxy_echo", engine, &[]);
            let to = server.addr.to_string();
            let args = ["--to", &to, "--send-proxy", version];
            let second = Example::start(
                "portforward",
                &[&["--listen", "proxy:tcp:0:interface=127.0.0.1"], &args[..]].concat(),
            );
            let to = listening(&second.line()).to_owned();
            let first =
                Example::serve("portforward", engine, &["--to", &to, "--send-proxy", version]);
            let mut client = first.connect();
            client.send("hello\n");
            let line = client.line();
            let start = format!("you are {} by ", client.addr());
            assert!(line.starts_with(&start), "{line}");
            assert!(line.ends_with(&format!(", and asked for {}", first.addr)), "{line}");
            assert_eq!(client.line(), "hello");
            drop(client);
            for example in [first, second] {
                example.finish();
            }
            assert!(server.line().starts_with(&start["you are ".len()..]));
            server.finish();
        }
    }
}

#[test]
fn each_side_may_close_first() {
    for engine in ENGINES {
        let (forward, mut client, mut server) = tunnel(engine);
        client.send("last of the client");
        client.close_write();
        assert_eq!(server.rest(), b"last of the client");
        server.send("last of the server");
        drop(server);
        assert_eq!(client.rest(), b"last of the server");
        forward.finish();

        let (forward, mut client, mut server) = tunnel(engine);
        server.send("last of the server");
        server.close_write();
        assert_eq!(client.rest(), b"last of the server");
        client.send("last of the client");
        drop(client);
        assert_eq!(server.rest(), b"last of the client");
        forward.finish();
    }
}

#[test]
fn a_reset_goes_through() {
    for engine in ENGINES {
        let (forward, mut client, server) = tunnel(engine);
        server.reset();
        client.expect_reset();
        forward.finish();

        let (forward, client, mut server) = tunnel(engine);
        client.reset();
        server.expect_reset();
        forward.finish();
    }
}

/// While one side does not read, the other is not read either; the reverse direction continues, and in the end
/// nothing is missing.
#[test]
fn a_slow_reader_pauses_the_sender() {
    const BYTES_MAX: usize = 256 << 20;
    let piece: Vec<u8> = (0..65_521_u32).map(|i| (i % 241) as u8).collect();
    for engine in ENGINES {
        let (forward, mut client, mut server) = tunnel(engine);
        let (from_client, from_server) = (client.send_until_full(&piece, BYTES_MAX), {
            server.send("the other way is free");
            client.expect("the other way is free");
            server.send_until_full(&piece, BYTES_MAX)
        });
        assert!(from_client < BYTES_MAX && from_server < BYTES_MAX, "{engine}: nothing held it up");
        for (reader, sent) in [(&mut server, from_client), (&mut client, from_server)] {
            let mut left = sent;
            while left > 0 {
                let len = left.min(piece.len());
                reader.expect(&piece[..len]);
                left -= len;
            }
        }
        client.send("end");
        server.expect("end");
        drop((client, server));
        forward.finish();
    }
}

/// Also before the tunnel is established.
#[test]
fn a_server_may_send_first_and_endlessly() {
    const BYTES_MAX: usize = 256 << 20;
    for engine in ENGINES {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string();
        let forward = Example::serve("portforward", engine, &["--to", &to]);
        let client = forward.connect();
        let mut server = Peer::accept(&listener);
        let sent = server.send_until_full(&[7; 65_536], BYTES_MAX);
        assert!(sent < BYTES_MAX, "{engine}: nothing held it up");
        client.reset();
        server.expect_reset();
        forward.finish();
    }
}

#[test]
fn a_tunnel_that_is_idle_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    for engine in ENGINES {
        let forward = Example::serve("portforward", engine, &["--to", &to, "--idle-timeout", "50"]);
        let mut client = forward.connect();
        let mut server = Peer::accept(&listener);
        client.send("hello");
        server.expect("hello");
        client.expect_end();
        // Else the forwarder would linger until its timeout before it ends the other side.
        drop(client);
        server.expect_end();
        drop(server);
        forward.finish();
    }
}

#[test]
fn connecting_to_nobody() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let to = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    for engine in ENGINES {
        let forward = Example::serve("portforward", engine, &["--to", &to]);
        let mut client = forward.connect();
        client.send("is anybody there?");
        client.expect_end();
        let start = format!("{} closed: could not connect to {to}: ", client.addr());
        let line = forward.line();
        assert!(line.starts_with(&start), "{line}");
        drop(client);
        forward.finish();
    }
}
