//! Forwarding, with backpressure and PROXY headers.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use super::peers::{closed_port, read_all, serve_one};
use crate::kit::{Scratch, Server, assert_echoes};

fn start(to: &str, more: &[&str]) -> Server {
    Server::start(&[&["portforward", "--listen", "127.0.0.1:0", "--to", to], more].concat())
}

#[test]
fn each_client_gets_a_connection() {
    let echo = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    let forward = start(&echo.address().to_string(), &["--reactors", "2"]);
    let mut clients: Vec<_> =
        (0..8).map(|_| TcpStream::connect(forward.address()).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_echoes(client, &format!("client {number}"));
    }
    // A half-close goes through, and what comes after it comes back.
    let client = &mut clients[0];
    client.write_all(b"last").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(client), b"last");
    drop(clients);
    forward.stop();
    echo.stop();
}

/// The highest resident size of a process so far, in KiB.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_server_that_does_not_read_stops_the_client() {
    const LEN: usize = 64 << 20;
    let (begin, may_begin) = std::sync::mpsc::channel::<()>();
    let (address, serving) = serve_one(move |mut stream| {
        may_begin.recv().unwrap();
        read_all(&mut stream)
    });
    let forward = start(&address.to_string(), &[]);
    let before = peak_memory(forward.pid());
    let mut client = TcpStream::connect(forward.address()).unwrap();
    let (half_written, half) = std::sync::mpsc::channel::<()>();
    let writing = thread::spawn(move || {
        // The buffers of the kernel take some of it.
        client.write_all(&vec![b'a'; 100_000]).unwrap();
        half_written.send(()).unwrap();
        client.write_all(&vec![b'b'; LEN]).unwrap();
    });
    half.recv().unwrap();
    assert!(!writing.is_finished(), "nobody has read {LEN} bytes yet");
    begin.send(()).unwrap();
    writing.join().unwrap();
    let received = serving.join().unwrap();
    assert_eq!(received.len(), LEN + 100_000);
    assert!(received[..100_000].iter().all(|byte| *byte == b'a'));
    let grown = peak_memory(forward.pid()).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more for one connection");
    forward.stop();
}

#[test]
fn proxy_headers_are_sent_and_taken() {
    let (address, serving) = serve_one(|mut stream| read_all(&mut stream));
    let forward = start(&address.to_string(), &["--send-proxy", "v1", "--take-proxy", "127.0.0.1"]);
    let mut client = TcpStream::connect(forward.address()).unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nhello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let received = serving.join().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&received),
        "PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nhello"
    );
    forward.stop();
}

#[test]
fn who_cannot_be_forwarded_is_closed() {
    let (to, _held) = closed_port();
    let to = to.to_string();
    let forward = start(&to, &[]);
    let mut client = TcpStream::connect(forward.address()).unwrap();
    let mut rest = Vec::new();
    // Reset or closed.
    let _ = client.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let log = forward.stop();
    assert!(log.contains("cannot be forwarded") && log.contains(&to), "{log}");
}

#[test]
fn a_tunnel_of_tls_over_a_unix_socket() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let socket = scratch.text("echo.sock");
    let echo = Server::start(&["echo", "--listen", &format!("unix:{socket}")]);
    let server_end = Server::start(&[
        "portforward",
        "--listen",
        &format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}"),
        "--to",
        &format!("unix:{socket}"),
    ]);
    let port = server_end.address().port();
    let client_end = start(&format!("tls:127.0.0.1:{port}:ca={cert}:server_name=localhost"), &[]);
    assert_echoes(&mut TcpStream::connect(client_end.address()).unwrap(), "through both");
    client_end.stop();
    server_end.stop();
    echo.stop();
}
