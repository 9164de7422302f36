//! echo, discard, chargen, daytime, time and qotd, over TCP and UDP.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    process::Command,
};

use super::peers::{has_program, read_all, run_with_input};
use crate::kit::{Server, assert_echoes, is_root};

/// A server over both, and where it listens.
fn start(name: &str, more: &[&str]) -> (Server, SocketAddr, SocketAddr) {
    let common = [name, "--listen", "tcp:0:interface=127.0.0.1", "--udp", "127.0.0.1:0"];
    let server = Server::start(&[&common, more].concat());
    let find = |is_udp: bool| {
        let address = server.addresses.iter().find(|address| address.starts_with("udp:") == is_udp);
        address.expect("it listens").trim_start_matches("udp:").parse().expect("an address")
    };
    let (tcp, udp) = (find(false), find(true));
    (server, tcp, udp)
}

fn received_from(address: SocketAddr) -> Vec<u8> {
    read_all(&mut TcpStream::connect(address).unwrap())
}

fn answer_of(address: SocketAddr, question: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.send(question).unwrap();
    let mut answer = [0; 2048];
    let len = socket.recv(&mut answer).unwrap();
    answer[..len].to_vec()
}

#[test]
fn echo_sends_back() {
    let (server, tcp, udp) = start("echo", &[]);
    assert_echoes(&mut TcpStream::connect(tcp).unwrap(), "hello");
    assert_eq!(answer_of(udp, b"hello"), b"hello");
    server.stop();
}

#[test]
fn several_reactors_share_the_port() {
    let (server, tcp, udp) = start("echo", &["--reactors", "2"]);
    let mut streams: Vec<_> = (0..16).map(|_| TcpStream::connect(tcp).unwrap()).collect();
    streams.iter_mut().for_each(|stream| assert_echoes(stream, "hello"));
    assert_eq!(answer_of(udp, b"hello"), b"hello");
    drop(streams);
    server.stop();
}

#[test]
fn discard_says_nothing() {
    let (server, tcp, _) = start("discard", &[]);
    let mut stream = TcpStream::connect(tcp).unwrap();
    stream.write_all(&[b'x'; 100_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut stream), b"");
    server.stop();
}

#[test]
fn chargen_sends_lines() {
    let (server, tcp, udp) = start("chargen", &["--drain", "0"]);
    let mut lines = [0; 148];
    TcpStream::connect(tcp).unwrap().read_exact(&mut lines).unwrap();
    assert!(lines.starts_with(b" !\"#$%") && lines.ends_with(b"\r\n"));
    assert!(answer_of(udp, b"").len() <= 512);
    server.stop();
}

#[test]
fn the_time_as_text_and_as_a_number() {
    let (server, tcp, udp) = start("daytime", &[]);
    for line in [received_from(tcp), answer_of(udp, b"x")] {
        assert!(line.ends_with(b" GMT\r\n"), "{}", line.escape_ascii());
    }
    server.stop();
    let (server, tcp, udp) = start("time", &[]);
    for number in [received_from(tcp), answer_of(udp, b"x")] {
        assert_eq!(number.len(), 4);
    }
    server.stop();
}

#[test]
fn qotd_sends_the_quote() {
    let (server, tcp, udp) = start("qotd", &["--quote", "Events, dear boy, events."]);
    assert_eq!(received_from(tcp), b"Events, dear boy, events.\r\n");
    assert_eq!(answer_of(udp, b""), b"Events, dear boy, events.\r\n");
    server.stop();
}

/// Two such services could answer each other for ever.
#[test]
fn datagrams_from_reserved_ports_are_not_answered() {
    if !is_root() {
        return eprintln!("skipped: only root may use a reserved port");
    }
    let (server, _, udp) = start("echo", &[]);
    let Some(reserved) = (900..1024).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok())
    else {
        return eprintln!("skipped: no reserved port is free");
    };
    reserved.send_to(b"loop", udp).unwrap();
    // This one comes later, and its answer says that the first has been handled.
    assert_eq!(answer_of(udp, b"hello"), b"hello");
    reserved.set_nonblocking(true).unwrap();
    assert_eq!(reserved.recv(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
    server.stop();
}

#[test]
fn nc_and_socat_are_clients() {
    let (server, tcp, _) = start("echo", &[]);
    let port = tcp.port().to_string();
    if has_program("nc.openbsd") {
        let output =
            run_with_input(Command::new("nc.openbsd").args(["-N", "127.0.0.1", &port]), b"by nc\n");
        assert_eq!(output.stdout, b"by nc\n");
    }
    if has_program("ncat") {
        let output = run_with_input(Command::new("ncat").args(["127.0.0.1", &port]), b"by ncat\n");
        assert_eq!(output.stdout, b"by ncat\n");
    }
    if has_program("socat") {
        let to = format!("TCP:127.0.0.1:{port}");
        let output =
            run_with_input(Command::new("socat").args(["-t", "60", "-", &to]), b"by socat\n");
        assert_eq!(output.stdout, b"by socat\n");
    }
    server.stop();
}
