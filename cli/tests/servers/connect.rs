//! `sinew connect` with pipes, and servers of all kinds.

use std::{
    io::{Read, Write},
    net::Shutdown,
    process::Stdio,
};

use super::peers::{closed_port, read_all, run_with_input, serve_one, spawn};
use crate::kit::{Scratch, Server, sinew};

#[test]
fn input_and_output_are_connected() {
    let server = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    let to = server.address().to_string();
    let output = run_with_input(&mut sinew(&["connect", &to]), b"hello\nthere\n");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"hello\nthere\n");
    assert_eq!(output.stderr, b"");
    server.stop();
}

#[test]
fn bulk_goes_both_ways_under_backpressure() {
    let server = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    let to = server.address().to_string();
    let sent: Vec<u8> = (0..16_000_000_u32).map(|at| (at / 7) as u8).collect();
    let output = run_with_input(&mut sinew(&["connect", &to]), &sent);
    assert!(output.status.success(), "{:?}", output.status);
    assert!(output.stdout == sent, "{} of {} bytes", output.stdout.len(), sent.len());
    server.stop();
}

#[test]
fn the_end_of_the_input_is_a_half_close() {
    let (address, serving) = serve_one(|mut stream| {
        let received = read_all(&mut stream);
        stream.write_all(b"after the end").unwrap();
        received
    });
    let output = run_with_input(&mut sinew(&["connect", &address.to_string()]), b"question");
    assert_eq!(serving.join().unwrap(), b"question");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"after the end");
}

#[test]
fn the_end_of_the_server_ends_it_with_the_input_open() {
    let (address, serving) = serve_one(|mut stream| stream.write_all(b"goodbye").unwrap());
    let mut child = spawn(&mut sinew(&["connect", "--verbose", &address.to_string()]));
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    serving.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"goodbye");
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("connected to {address}\n"));
    drop(stdin);
}

#[test]
fn lines_end_with_crlf_if_told() {
    let (address, serving) = serve_one(|mut stream| read_all(&mut stream));
    let output = run_with_input(
        &mut sinew(&["connect", "--crlf", &address.to_string()]),
        b"one\ntwo\r\nthree",
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(serving.join().unwrap(), b"one\r\ntwo\r\nthree");
}

#[test]
fn failures_have_their_codes() {
    let (refused, _held) = closed_port();
    let refused = refused.to_string();
    let cases = [
        (vec!["connect", &refused], 69, "onnection refused"),
        (vec!["connect", "tcp:host"], 64, "port"),
        (vec!["connect", "--tls", "unix:/run/x.sock"], 64, "not for unix:"),
        (vec!["connect", "unix:/no/such/socket"], 69, "/no/such/socket"),
    ];
    for (arguments, code, text) in cases {
        let output = run_with_input(&mut sinew(&arguments), b"");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(text), "{said}");
    }
}

#[test]
fn a_connection_that_is_reset_is_a_failure() {
    let (address, serving) = serve_one(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    let mut child = spawn(&mut sinew(&["connect", &address.to_string()]));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    serving.join().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("reset by the peer"), "{output:?}");
}

#[test]
fn it_ends_when_nobody_reads_its_output() {
    let server = Server::start(&["chargen", "--listen", "127.0.0.1:0", "--drain", "0"]);
    let mut child = spawn(&mut sinew(&["connect", &server.address().to_string()]));
    let stdin = child.stdin.take();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    drop(stdin);
    server.stop();
}

#[test]
fn certificates_are_verified() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let at = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let server = Server::start(&["echo", "--listen", &at]);
    let to = format!("127.0.0.1:{}", server.address().port());
    let connect = |more: &[&str]| {
        let arguments = [&["connect", &to], more].concat();
        run_with_input(&mut sinew(&arguments), b"secret")
    };
    let trusted = connect(&["--ca", &cert, "--server-name", "localhost", "--verbose"]);
    assert!(trusted.status.success(), "{trusted:?}");
    assert_eq!(trusted.stdout, b"secret");
    assert!(String::from_utf8_lossy(&trusted.stderr).contains("TLS"), "{trusted:?}");

    let insecure = connect(&["--insecure"]);
    assert_eq!((insecure.status.success(), &insecure.stdout[..]), (true, &b"secret"[..]));
    assert!(
        String::from_utf8_lossy(&insecure.stderr).contains("warning: --insecure"),
        "{insecure:?}"
    );

    for wrong in [&["--ca", &cert, "--server-name", "example.org"][..], &["--ca", &cert]] {
        let refused = connect(wrong);
        assert_eq!(refused.status.code(), Some(76), "{refused:?}");
        assert_eq!(refused.stdout, b"");
    }
    server.stop();
}

/// The shell's way: files, not pipes.
#[test]
fn files_are_input_and_output() {
    let scratch = Scratch::new();
    let server = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    scratch.write("in", "from a file\n");
    let (input, output) = (
        std::fs::File::open(scratch.path("in")).unwrap(),
        std::fs::File::create(scratch.path("out")).unwrap(),
    );
    let mut command = sinew(&["connect", &server.address().to_string()]);
    let status = command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).status().unwrap();
    assert!(status.success());
    assert_eq!(scratch.read("out"), "from a file\n");
    server.stop();
}

#[test]
fn an_idle_connection_can_be_given_up() {
    let (address, serving) = serve_one(|mut stream| {
        let received = read_all(&mut stream);
        let _ = stream.shutdown(Shutdown::Both);
        received
    });
    let mut child = spawn(&mut sinew(&["connect", "--idle-timeout", "50ms", &address.to_string()]));
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert_eq!(serving.join().unwrap(), b"");
    drop(stdin);
}
