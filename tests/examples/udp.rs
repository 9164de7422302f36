//! Tests of the examples `udp_server` and `udp_client`.

use std::net::UdpSocket;

use super::process::Example;
use crate::{ENGINES, PATIENCE};

#[test]
fn the_server_answers_ok_and_prints_the_sender() {
    for engine in ENGINES {
        let server = Example::serve("udp_server", engine, &[]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(server.addr).unwrap();
        let own = socket.local_addr().unwrap();
        let mut buffer = [0; 16];
        for (datagram, printed) in [(&b"hello\n"[..], "hello"), (b"", ""), (b"a\0b", "a\\x00b")] {
            socket.send(datagram).unwrap();
            let len = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"ok\n");
            assert_eq!(server.line(), format!("{own} sent {printed}"));
        }
        server.finish();
    }
}

#[test]
fn the_client_sends_lines_and_prints_answers() {
    for engine in ENGINES {
        let server = Example::serve("udp_server", engine, &[]);
        let to = server.addr.to_string();
        let args = ["--to", &to, "--engine", engine];
        let mut client = Example::start("udp_client", &args);
        client.input(b"one\n");
        assert_eq!(client.line(), "ok");
        assert!(server.line().ends_with(" sent one"));
        client.input(b"two\n");
        client.end_input();
        assert_eq!(client.line(), "ok");
        let ended = client.wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        server.finish();
    }
}

#[test]
fn the_client_reports_refusal() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = nobody.local_addr().unwrap().to_string();
    // It keeps the port, and takes datagrams from itself only: others get the answer that nobody is there.
    nobody.connect(nobody.local_addr().unwrap()).unwrap();
    let mut client = Example::start("udp_client", &["--to", &to]);
    client.input(b"hello\n");
    let ended = client.wait_with_input_open();
    assert_eq!(
        (ended.code, &*ended.stderr),
        (Some(1), &["error: nobody listens there".to_owned()][..])
    );
}
