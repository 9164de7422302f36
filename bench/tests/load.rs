//! The load generator as a process: it is content with servers that echo, and with no others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use bench::convention;
use bench::outcome::Outcome;

type Fallible = Result<(), Box<dyn std::error::Error>>;

/// A contestant that is killed when its test ends.
struct Running(Child, SocketAddr);

impl Running {
    fn start(binary: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let child = Command::new(binary).stdout(Stdio::piped()).spawn()?;
        let mut running = Self(child, SocketAddr::from(([0; 4], 0)));
        let mut line = String::new();
        let output = running.0.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        running.1 = convention::announced(&line).ok_or("no address")?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(server: SocketAddr, options: &str) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_load"))
        .args(["--connect", &server.to_string()])
        .args(options.split_whitespace())
        .output()
}

#[test]
fn our_contestants_echo() -> Fallible {
    let contestants = [
        env!("CARGO_BIN_EXE_bare_mio"),
        env!("CARGO_BIN_EXE_bare_epoll"),
        env!("CARGO_BIN_EXE_tokio_echo"),
    ];
    let cases = [
        ("--messages 0", 0),
        ("--messages 1 --connections 3", 1),
        ("--messages 2000 --connections 7 --warmup 10", 2000),
        ("--messages 2000 --size 1 --outstanding 16", 2000),
        // More than the sockets hold: the server must keep what it cannot send.
        ("--messages 300 --size 100000 --outstanding 64 --connections 2", 300),
        ("--messages 300 --connections 150", 300),
        ("--messages 500 --churn", 500),
        ("--messages 20 --churn --size 1000000 --connections 4", 20),
    ];
    for binary in contestants {
        let server = Running::start(binary)?;
        for (options, expected) in cases {
            let output = load(server.1, options)?;
            let text = String::from_utf8(output.stdout)?;
            let errors = String::from_utf8(output.stderr)?;
            assert!(output.status.success(), "{binary} {options}: {errors}");
            let report = text.strip_prefix("ready\n").ok_or("no `ready`")?;
            let outcome: Outcome = serde_json::from_str(report)?;
            assert_eq!(outcome.messages, expected, "{binary} {options}");
        }
    }
    Ok(())
}

/// A server for one connection that hands each piece of input to `answer`.
fn bad_server(
    mut answer: impl FnMut(&mut Vec<u8>) + Send + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        loop {
            let len = stream.read(&mut buffer)?;
            let mut reply = buffer[..len].to_vec();
            answer(&mut reply);
            if reply.is_empty() {
                return Ok(());
            }
            stream.write_all(&reply)?;
        }
    });
    Ok(address)
}

#[test]
fn a_server_that_does_not_echo_is_found_out() -> Fallible {
    let flipped = bad_server(|reply| reply[40] ^= 1)?;
    let doubled = bad_server(|reply| reply.extend_from_within(..))?;
    let mut heard = 0;
    let forgetful = bad_server(move |reply| {
        heard += 1;
        if heard > 5 {
            reply.clear();
        }
    })?;
    let cases = [
        (flipped, "connection 0: bytes 0..+64 are not what was sent"),
        (doubled, "connection 0: bytes 0..+128 are not what was sent"),
        (forgetful, "the server closed connection 0"),
    ];
    for (server, expected) in cases {
        let output = load(server, "--connections 1 --messages 100")?;
        let errors = String::from_utf8(output.stderr)?;
        assert!(!output.status.success());
        assert_eq!(errors, format!("load: {expected}\n"));
    }
    Ok(())
}

#[test]
fn only_loopback_is_loaded() -> Fallible {
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 7));
    let output = load(elsewhere, "--messages 1")?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(errors, "load: 192.0.2.1:7 is not on loopback\n");
    Ok(())
}
