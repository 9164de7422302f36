//! `sinew log`: what it prints.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
};

use crate::kit::{Scratch, sinew};

/// A server whose standard output is read line by line; its log says where it listens.
struct LogServer {
    child: std::process::Child,
    out: BufReader<std::process::ChildStdout>,
    addresses: Vec<String>,
}

impl LogServer {
    fn start(more: &[&str]) -> Self {
        let arguments = [&["log", "--listen", "127.0.0.1:0"], more].concat();
        let mut command: Command = sinew(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, out, addresses: Vec::new() };
        loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "{:?}", server.addresses);
            if let Some((_, rest)) = line.split_once("listening on ") {
                server.addresses.push(rest.split_whitespace().next().unwrap().to_owned());
            }
            if line.contains("ready") {
                // Nobody reads the log any more; it goes on without.
                return server;
            }
        }
    }

    fn prints(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn tcp(&self) -> TcpStream {
        let address = self.addresses.iter().find(|address| !address.contains("udp:")).unwrap();
        TcpStream::connect(address).unwrap()
    }
}

impl Drop for LogServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn connections_are_printed_escaped() {
    let mut log = LogServer::start(&[]);
    let mut first = log.tcp();
    let address = first.local_addr().unwrap();
    assert_eq!(log.prints(), format!("#1 connected: {address}"));
    first.write_all(b"hello\r\n\x1b]0;title\x07\xff").unwrap();
    assert_eq!(log.prints(), "#1 > hello\\r\\n");
    assert_eq!(log.prints(), "#1 > \\x1b]0;title\\x07\\xff");
    let _second = log.tcp();
    assert!(log.prints().starts_with("#2 connected: "));
    drop(first);
    assert_eq!(log.prints(), "#1 closed by the peer, after 18 bytes");
}

#[test]
fn hexadecimal_has_offsets() {
    let mut log = LogServer::start(&["--hex"]);
    let mut stream = log.tcp();
    log.prints();
    stream.write_all(b"abc").unwrap();
    assert_eq!(log.prints(), format!("#1 > 00000000  {:<47}  |abc|", "61 62 63"));
    stream.write_all(b"d\n").unwrap();
    assert_eq!(log.prints(), format!("#1 > 00000003  {:<47}  |d.|", "64 0a"));
}

#[test]
fn datagrams_are_printed() {
    let scratch = Scratch::new();
    let path = scratch.text("log.sock");
    let mut log = LogServer::start(&["--udp", "127.0.0.1:0", "--unix-datagrams", &path]);
    let udp =
        log.addresses.iter().find_map(|address| address.strip_prefix("udp:")).unwrap().to_owned();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = socket.local_addr().unwrap();
    socket.send_to(b"<13>hello", &udp).unwrap();
    assert_eq!(log.prints(), format!("{from} > <13>hello"));
    socket.send_to(b"", &udp).unwrap();
    assert_eq!(log.prints(), format!("{from} > (empty)"));
    UnixDatagram::unbound().unwrap().send_to(b"unix", &path).unwrap();
    assert!(log.prints().ends_with("> unix"));
}
