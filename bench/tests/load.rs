//! Tests of the load generator and the servers as processes: it accepts servers that behave correctly, and no others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use bench::convention::{self, UNAVAILABLE};
use bench::outcome::{Outcome, QUANTILES};
use bench::timings::Timings;

type Fallible = Result<(), Box<dyn std::error::Error>>;

/// A server that is killed when its test ends.
struct Running(Child, SocketAddr);

impl Running {
    /// `None` if it cannot run on this machine.
    fn start(binary: &str, options: &[&str]) -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let child = Command::new(binary).args(options).stdout(Stdio::piped()).spawn()?;
        let mut running = Self(child, SocketAddr::from(([0; 4], 0)));
        let mut line = String::new();
        let output = running.0.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() && running.0.wait()?.code() == Some(UNAVAILABLE) {
            return Ok(None);
        }
        running.1 = convention::announced(&line).ok_or("no address")?;
        Ok(Some(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(server: SocketAddr, options: &str) -> std::io::Result<Output> {
    let (kind, options) = options.split_once(' ').unwrap_or((options, ""));
    Command::new(env!("CARGO_BIN_EXE_load"))
        .arg(kind)
        .args(["--connect", &server.to_string()])
        .args(options.split_whitespace())
        .output()
}

/// Runs a server under each load, whose messages must all be answered.
fn serves(binary: &str, options: &[&str], loads: &[(&str, u64)]) -> Fallible {
    let Some(server) = Running::start(binary, options)? else {
        println!("{binary} cannot run here");
        return Ok(());
    };
    for (options, expected) in loads {
        let output = load(server.1, options)?;
        let text = String::from_utf8(output.stdout)?;
        let errors = String::from_utf8(output.stderr)?;
        assert!(output.status.success(), "{binary} {options}: {errors}");
        let report = text.strip_prefix("ready\n").ok_or("no `ready`")?;
        let outcome: Outcome = serde_json::from_str(report)?;
        assert_eq!((outcome.messages, outcome.failures), (*expected, 0), "{binary} {options}");
        assert_eq!(outcome.latency_us.len(), QUANTILES.len());
        assert!(outcome.latency_us.is_sorted(), "{binary} {options}");
    }
    Ok(())
}

const ECHOES: [(&str, u64); 11] = [
    ("echo --messages 0", 0),
    ("echo --messages 1 --connections 3", 1),
    ("echo --messages 2000 --connections 7 --warmup 0.01", 2000),
    ("echo --messages 2000 --size 1 --outstanding 16", 2000),
    // More than the socket buffers hold: the server must keep what it cannot send.
    ("echo --messages 300 --size 100000 --outstanding 64 --connections 2", 300),
    ("echo --messages 300 --connections 150", 300),
    ("echo --messages 100 --connections 150 --active 3", 100),
    ("line --messages 500 --outstanding 16", 500),
    ("churn --messages 500", 500),
    ("churn --messages 20 --size 1000000 --connections 4", 20),
    ("storm --messages 400 --connections 400", 400),
];

#[test]
fn bare_loops_echo() -> Fallible {
    serves(env!("CARGO_BIN_EXE_bare_mio"), &[], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_bare_epoll"), &[], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_bare_poll"), &[], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_bare_select"), &[], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_bare_uring"), &[], &ECHOES)
}

#[test]
fn every_engine_of_sinew_echoes() -> Fallible {
    for engine in ["mio", "poll", "select", "uring"] {
        serves(env!("CARGO_BIN_EXE_sinew_echo"), &["--engine", engine], &ECHOES)?;
    }
    let options = ["--spin", "20", "--idle-timeout", "600"];
    serves(env!("CARGO_BIN_EXE_sinew_echo"), &options, &ECHOES)
}

#[test]
fn the_peers_echo() -> Fallible {
    serves(env!("CARGO_BIN_EXE_tokio_echo"), &[], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_tokio_echo"), &["--threads", "2"], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_tokio_echo"), &["--idle-timeout", "600"], &ECHOES)?;
    serves(env!("CARGO_BIN_EXE_compio_echo"), &[], &ECHOES)
}

#[test]
fn lines_are_answered() -> Fallible {
    let loads = [
        ("line --messages 1 --connections 3", 1),
        ("line --messages 500 --size 1 --connections 2", 500),
        ("line --messages 2000 --outstanding 16 --connections 7", 2000),
        ("line --messages 400 --size 5000 --outstanding 100 --connections 2", 400),
    ];
    serves(env!("CARGO_BIN_EXE_bare_line"), &[], &loads)?;
    serves(env!("CARGO_BIN_EXE_sinew_line"), &[], &loads)?;
    serves(env!("CARGO_BIN_EXE_tokio_line"), &["--reply", "send"], &loads)?;
    serves(env!("CARGO_BIN_EXE_tokio_line"), &["--reply", "feed"], &loads)
}

#[test]
fn a_broadcast_reaches_all_receivers() -> Fallible {
    let loads = [
        ("fanout --messages 20 --connections 1", 20),
        ("fanout --messages 20 --connections 150", 20 * 150),
        ("fanout --messages 100 --connections 7 --outstanding 16 --size 1000", 700),
    ];
    serves(env!("CARGO_BIN_EXE_bare_fanout"), &[], &loads)?;
    serves(env!("CARGO_BIN_EXE_sinew_fanout"), &[], &loads)?;
    serves(env!("CARGO_BIN_EXE_tokio_fanout"), &[], &loads)
}

const REQUESTS: [(&str, u64); 4] = [
    ("http --messages 0", 0),
    ("http --messages 1 --connections 3", 1),
    ("http --messages 2000 --connections 7 --warmup 0.01", 2000),
    ("http --messages 3000 --connections 5 --outstanding 16", 3000),
];

const FILES: [(&str, u64); 2] = [
    ("http-file --messages 20 --connections 3", 20),
    ("http-file --messages 20 --outstanding 4", 20),
];

const OVER_TLS: [(&str, u64); 1] = [("https --messages 0 --connections 5", 0)];

#[test]
fn requests_are_answered() -> Fallible {
    serves(env!("CARGO_BIN_EXE_bare_http"), &[], &REQUESTS)?;
    serves(env!("CARGO_BIN_EXE_hyper_http"), &[], &REQUESTS)?;
    serves(env!("CARGO_BIN_EXE_axum_http"), &[], &REQUESTS)?;
    serves(env!("CARGO_BIN_EXE_nginx_http"), &[], &[&REQUESTS[..], &FILES].concat())?;
    serves(env!("CARGO_BIN_EXE_nginx_http"), &["--tls"], &OVER_TLS)?;
    for engine in ["mio", "poll", "uring"] {
        let options = ["--engine", engine];
        serves(env!("CARGO_BIN_EXE_sinew_http"), &options, &[&REQUESTS[..], &FILES].concat())?;
    }
    serves(env!("CARGO_BIN_EXE_sinew_http"), &["--tls"], &OVER_TLS)
}

#[test]
fn web_sockets_are_answered() -> Fallible {
    let echoes = [
        ("ws-echo --messages 0", 0),
        ("ws-echo --messages 1 --connections 3", 1),
        ("ws-echo --messages 2000 --connections 7 --warmup 0.01", 2000),
        ("ws-echo --messages 2000 --size 1 --outstanding 16", 2000),
        ("ws-echo --messages 300 --size 100000 --outstanding 4 --connections 2", 300),
    ];
    let broadcasts = [
        ("ws-broadcast --messages 20 --connections 1", 20),
        ("ws-broadcast --messages 20 --connections 150", 20 * 150),
        ("ws-broadcast --messages 100 --connections 7 --outstanding 16 --size 1000", 700),
    ];
    for engine in ["mio", "poll", "uring"] {
        let options = ["--engine", engine];
        serves(env!("CARGO_BIN_EXE_sinew_websocket"), &options, &echoes)?;
        let options = ["--engine", engine, "--broadcast"];
        serves(env!("CARGO_BIN_EXE_sinew_websocket"), &options, &broadcasts)?;
    }
    serves(env!("CARGO_BIN_EXE_tungstenite_websocket"), &[], &echoes)?;
    serves(env!("CARGO_BIN_EXE_tungstenite_websocket"), &["--broadcast"], &broadcasts)
}

#[test]
fn queries_are_answered() -> Fallible {
    let loads = [
        ("dns --messages 0 --connections 1", 0),
        ("dns --messages 1 --connections 3", 1),
        ("dns --messages 2000 --connections 7 --warmup 0.01", 2000),
        ("dns --messages 3000 --connections 4 --outstanding 32", 3000),
    ];
    serves(env!("CARGO_BIN_EXE_bare_dns"), &[], &loads)?;
    for engine in ["mio", "poll", "uring"] {
        serves(env!("CARGO_BIN_EXE_sinew_dns"), &["--engine", engine], &loads)?;
    }
    serves(env!("CARGO_BIN_EXE_sinew_dns"), &["--forward"], &loads)?;
    for server in ["nsd", "knotd", "dnsmasq"] {
        serves(env!("CARGO_BIN_EXE_other_dns"), &[server], &loads)?;
    }
    Ok(())
}

#[test]
fn mail_is_sent_and_fetched() -> Fallible {
    let sent = [("smtp --messages 0", 0), ("smtp --messages 500 --connections 7", 500)];
    let by_pop3 = [
        ("pop3 --messages 1 --connections 4", 1),
        ("pop3 --messages 3000 --connections 1 --outstanding 16", 3000),
    ];
    let by_imap = [
        ("imap --messages 1 --connections 4", 1),
        ("imap --messages 3000 --connections 3 --outstanding 100", 3000),
        ("imap-idle --messages 0 --connections 30", 0),
    ];
    for engine in ["mio", "poll", "uring"] {
        let options = ["--engine", engine];
        serves(env!("CARGO_BIN_EXE_sinew_smtp"), &options, &sent)?;
        let options = ["pop3", "--engine", engine];
        serves(env!("CARGO_BIN_EXE_sinew_mailbox"), &options, &by_pop3)?;
        let options = ["imap", "--engine", engine];
        serves(env!("CARGO_BIN_EXE_sinew_mailbox"), &options, &by_imap)?;
    }
    serves(env!("CARGO_BIN_EXE_other_mail"), &["smtp-sink"], &sent)?;
    serves(env!("CARGO_BIN_EXE_other_mail"), &["dovecot-pop3"], &by_pop3)?;
    serves(env!("CARGO_BIN_EXE_other_mail"), &["dovecot-imap"], &by_imap[..2])
}

#[test]
fn members_of_a_channel_hear_all() -> Fallible {
    let loads = [
        ("irc --messages 0 --connections 3", 0),
        ("irc --messages 20 --connections 1", 20),
        ("irc --messages 20 --connections 150", 20 * 150),
        ("irc --messages 100 --connections 7 --outstanding 16 --size 300", 700),
    ];
    for engine in ["mio", "poll", "uring"] {
        serves(env!("CARGO_BIN_EXE_sinew_irc"), &["--engine", engine], &loads)?;
    }
    serves(env!("CARGO_BIN_EXE_other_irc"), &[], &loads)
}

#[test]
fn a_server_of_irc_that_says_something_else_is_detected() -> Fallible {
    let output = load(lying_irc()?, "irc --messages 1 --connections 1")?;
    let errors = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && errors.contains("not what was said"), "{errors}");
    Ok(())
}

/// Lets two members in, and tells the second something that the first has not said.
fn lying_irc() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        let (mut members, mut lines) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (mut member, _) = listener.accept()?;
            let mut input = BufReader::new(member.try_clone()?).lines();
            let line = |text: &str| format!(":a!a@a {text}\r\n");
            input.next();
            input.next();
            member.write_all(line("422 a :x").as_bytes())?;
            input.next();
            member.write_all((line("JOIN #bench") + &line("366 a #bench :x")).as_bytes())?;
            members.push(member);
            lines.push(input);
        }
        lines[0].next();
        members[1].write_all(b":a!a@a PRIVMSG #bench :go\r\n")?;
        lines[0].next();
        members[1].write_all(b":a!a@a PRIVMSG #bench :something else\r\n")?;
        lines[1].next();
        Ok(())
    });
    Ok(address)
}

#[test]
fn a_server_of_web_sockets_that_answers_wrongly_is_detected() -> Fallible {
    let opening = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let answers = |opening: &'static str, message: fn(&mut Vec<u8>)| {
        let mut is_open = false;
        bad_server(move |reply| {
            if std::mem::replace(&mut is_open, true) {
                message(reply);
            } else {
                *reply = opening.into();
            }
        })
    };
    let cases = [
        (answers("HTTP/1.1 200 OK\r\n\r\n", |_| {})?, "cannot open connection 0: no handshake"),
        // Masked, as only a client may send.
        (answers(opening, |_| {})?, "connection 0: bytes 0..+70 are not what was sent"),
        (answers(opening, Vec::clear)?, "the server closed connection 0"),
    ];
    for (server, expected) in cases {
        let output = load(server, "ws-echo --connections 1 --messages 100")?;
        let errors = String::from_utf8(output.stderr)?;
        assert!(errors.starts_with(&format!("load: {expected}")), "{errors}");
    }
    Ok(())
}

#[test]
fn timers_are_timed() -> Fallible {
    let contestants: [(&str, &[&str]); 4] = [
        (env!("CARGO_BIN_EXE_bare_timers"), &[]),
        (env!("CARGO_BIN_EXE_sinew_timers"), &[]),
        (env!("CARGO_BIN_EXE_tokio_timers"), &["--with", "sleep"]),
        (env!("CARGO_BIN_EXE_tokio_timers"), &["--with", "queue"]),
    ];
    for (binary, options) in contestants {
        let output = Command::new(binary).args(options).args(["--count", "500"]).output()?;
        let timings: Timings = serde_json::from_slice(&output.stdout)?;
        let Timings { make_ns, reset_ns, cancel_ns, fire_ns } = timings;
        assert!([make_ns, reset_ns, cancel_ns, fire_ns].iter().all(|ns| *ns > 0.0), "{binary}");
    }
    Ok(())
}

#[test]
fn a_server_that_cannot_run_exits_as_unavailable() -> Fallible {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew_echo"));
    let output = command.args(["--engine", "no-such-engine"]).output()?;
    assert_eq!(output.status.code(), Some(UNAVAILABLE));
    let errors = String::from_utf8(output.stderr)?;
    assert!(errors.contains("no-such-engine"), "{errors}");
    Ok(())
}

/// A server for one connection that passes each piece of input to `answer`.
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
fn a_server_that_does_not_echo_is_detected() -> Fallible {
    let flipped = bad_server(|reply| reply[40] ^= 1)?;
    let doubled = bad_server(|reply| reply.extend_from_within(..))?;
    let mut received = 0;
    let closing = bad_server(move |reply| {
        received += 1;
        if received > 5 {
            reply.clear();
        }
    })?;
    let cases = [
        (flipped, "connection 0: bytes 0..+64 are not what was sent"),
        (doubled, "connection 0: bytes 0..+128 are not what was sent"),
        (closing, "the server closed connection 0"),
    ];
    for (server, expected) in cases {
        let output = load(server, "echo --connections 1 --messages 100")?;
        let errors = String::from_utf8(output.stderr)?;
        assert!(!output.status.success());
        assert_eq!(errors, format!("load: {expected}\n"));
    }
    Ok(())
}

#[test]
fn a_server_of_http_that_answers_wrongly_is_detected() -> Fallible {
    let answers = |answer: &'static str| {
        bad_server(move |reply| {
            reply.clear();
            reply.extend_from_slice(answer.as_bytes());
        })
    };
    let wrong = answers("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, wurld\n")?;
    let missing = answers("HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nhello, world\n")?;
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world\n";
    let unasked = answers(Box::leak(twice.repeat(2).into_boxed_str()))?;
    let cases = [
        (wrong, "connection 0: bytes 0..+13 of a body are wrong"),
        (missing, "connection 0: the status is Some(404)"),
        (unasked, "connection 0: an answer to no message"),
    ];
    for (server, expected) in cases {
        let output = load(server, "http --connections 1 --messages 100")?;
        let errors = String::from_utf8(output.stderr)?;
        assert_eq!(errors, format!("load: {expected}\n"));
    }
    Ok(())
}

#[test]
fn only_loopback_is_loaded() -> Fallible {
    let remote = SocketAddr::from(([192, 0, 2, 1], 7));
    let output = load(remote, "echo --messages 1")?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(errors, "load: 192.0.2.1:7 is not on loopback\n");
    Ok(())
}
