//! Tests of the example `reconnect`.

use std::net::TcpListener;

use super::{peer::Peer, process::Example};
use crate::ENGINES;

#[test]
fn reconnects_when_the_connection_is_lost() {
    for engine in ENGINES {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string();
        let args = ["--to", &to, "--delay", "1", "--delay-max", "5", "--engine", engine];
        let client = Example::start("reconnect", &args);
        for round in 0..5 {
            let mut server = Peer::accept(&listener);
            assert_eq!(client.line(), format!("connected to {to}"));
            server.send(format!("round {round}\n"));
            assert_eq!(client.line(), format!("received round {round}"));
            if round % 2 == 0 {
                server.reset()
            } else {
                drop(server)
            }
            assert_eq!(client.line(), "lost");
        }
        let mut server = Peer::accept(&listener);
        assert_eq!(client.line(), format!("connected to {to}"));
        #[cfg(unix)]
        {
            client.signal(rustix::process::Signal::TERM);
            // A graceful close, with the last data.
            assert!(server.rest().is_empty());
            server.send("never read\n");
            drop(server);
            let ended = client.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        }
    }
}

#[test]
fn gives_up_after_the_maximum_retries() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let to = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    let ended =
        Example::start("reconnect", &["--to", &to, "--delay", "1", "--retries", "2"]).wait();
    assert_eq!((ended.code, ended.stdout.len()), (Some(1), 2), "{ended:?}");
    assert!(ended.stdout[0].starts_with("1 attempt failed: could not connect"));
    assert!(ended.stderr[0].starts_with("error: 3 attempts in a row failed; the last: could"));
}
