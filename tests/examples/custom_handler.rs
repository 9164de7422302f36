//! Tests of the example `custom_handler`.

use std::net::UdpSocket;

use super::process::Example;
use crate::{ENGINES, PATIENCE};

#[test]
fn answers_datagrams() {
    for engine in ENGINES {
        let server = Example::serve("custom_handler", engine, &[]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(server.addr).unwrap();
        let mut buffer = [0; 65_536];
        for datagram in [&b"hello"[..], b"", &[7; 8_000], b"once more"] {
            socket.send(datagram).unwrap();
            let len = socket.recv(&mut buffer).unwrap();
            assert!(buffer[..len] == *datagram, "{engine}: {len} bytes");
        }
        // A datagram whose sender has gone; the failed answer must not stop the server.
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        nobody.send_to(b"gone", server.addr).unwrap();
        drop(nobody);
        socket.send(b"still there?").unwrap();
        socket.recv(&mut buffer).unwrap();
        server.finish();
    }
}
