//! The load generator against servers of this crate, and against servers that misbehave.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt,
    process::{Output, Stdio},
    sync::mpsc,
    thread,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use sinew::{
    http::{
        server::{HttpServer, Request, Router, answer},
        websocket::{WebSocket, WebSocketHandler, WebSocketUpgrade},
    },
    prelude::*,
};

use super::peers::{closed_port, serve_all};
use crate::kit::{Scratch, Server, output, send, sinew};

fn bench(to: &str, more: &[&str]) -> Output {
    output(&[&["bench", to, "--duration", "300ms", "--warmup", "50ms", "-c", "4"], more].concat())
}

/// The report as JSON, and the exit code.
fn report(to: &str, more: &[&str]) -> (Value, i32) {
    let output = bench(to, &[&["--json"], more].concat());
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (json, output.status.code().unwrap_or(-1))
}

/// The kinds of errors, without their numbers.
fn kinds(report: &Value) -> Vec<&str> {
    report["errors_by_kind"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["kind"].as_str().unwrap())
        .collect()
}

fn assert_all_right(report: &Value, code: i32) {
    assert_eq!((report["errors"].as_u64(), code), (Some(0), 0), "{report:#}");
    assert!(report["answers"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["latency"]["percentiles"][4]["ns"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(report["complete"], true);
}

#[test]
fn echo_and_line_servers() {
    let server = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    let to = server.address().to_string();
    for more in [
        &[][..],
        &["--size", "100k"],
        &["--pipeline", "8", "--size", "1000"],
        &["--reactors", "2"],
        &["--protocol", "line"],
        &["--protocol", "line", "--send", "PING", "--answer", "PING"],
        &["--engine", "poll"],
    ] {
        let (report, code) = report(&to, more);
        assert_all_right(&report, code);
    }
    server.stop();
}

#[test]
fn an_open_loop_plans_all_requests() {
    let server = Server::start(&["echo", "--listen", "127.0.0.1:0"]);
    let to = server.address().to_string();
    for reactors in ["1", "2"] {
        let (report, code) = report(&to, &["--rate", "200", "--reactors", reactors]);
        assert_all_right(&report, code);
        // By the clock of the generator, which may be late, but then it measured for longer.
        let seconds = report["measured_ns"].as_f64().unwrap() / 1e9;
        let answers = report["answers"].as_f64().unwrap();
        assert!((answers - 200.0 * seconds).abs() <= 4.0, "{report:#}");
    }
    server.stop();
}

#[test]
fn encrypted_and_verified() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let at = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let server = Server::start(&["echo", "--listen", &at]);
    let to = server.address().to_string();
    let (report, code) = report(&to, &["--ca", &cert, "--server-name", "localhost"]);
    assert_all_right(&report, code);
    let insecure = bench(&to, &["--insecure"]);
    assert!(insecure.status.success(), "{insecure:?}");
    assert!(String::from_utf8_lossy(&insecure.stderr).contains("warning: --insecure"));
    let refused = bench(&to, &["--ca", &cert]);
    assert_eq!(refused.status.code(), Some(69), "{refused:?}");
    server.stop();
}

struct EchoMessages;

impl WebSocketHandler for EchoMessages {
    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

/// A server of HTTP and WebSocket on a thread, until the test ends.
fn web_server() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let upgrade = WebSocketUpgrade::new(|_: &Request| EchoMessages);
        let router = Router::new()
            .get("/", answer(|_: &Request| "hello\n"))
            .post("/", answer(|_: &Request| "posted\n"))
            .get("/ws", upgrade);
        let reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(router)).unwrap();
        tell.send(port.local()).unwrap();
        reactor.run().unwrap();
    });
    told.recv().unwrap()
}

#[test]
fn http_and_websocket_servers() {
    let address = web_server();
    for (path, more) in
        [("http", &[][..]), ("http", &["--size", "10"]), ("http", &["--rate", "100"])]
    {
        let (report, code) = report(&format!("{path}://{address}/"), more);
        assert_all_right(&report, code);
        assert_eq!(report["protocol"], "http");
    }
    let (missing, code) = report(&format!("http://{address}/missing"), &[]);
    assert_eq!((kinds(&missing), code), (vec!["status"], 76), "{missing:#}");
    for more in [&[][..], &["--size", "70k", "--pipeline", "3"]] {
        let (report, code) = report(&format!("ws://{address}/ws"), more);
        assert_all_right(&report, code);
        assert_eq!(report["protocol"], "ws");
    }
    let no_websocket = bench(&format!("ws://{address}/"), &[]);
    assert_eq!(no_websocket.status.code(), Some(69), "{no_websocket:?}");
}

#[test]
fn servers_that_misbehave_are_counted_and_reported() {
    // Never answers.
    let silent = serve_all(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let (report_silent, code) = report(&silent.to_string(), &["--timeout", "100ms"]);
    assert_eq!((kinds(&report_silent), code), (vec!["no-answer"], 76), "{report_silent:#}");
    // Vanishes instead of the second answer.
    let vanishing = serve_all(|mut stream| {
        let mut message = [0; 64];
        if stream.read_exact(&mut message).is_ok() {
            let _ = stream.write_all(&message);
            let _ = stream.read_exact(&mut message);
        }
    });
    let (report_vanishing, code) = report(&vanishing.to_string(), &[]);
    assert_eq!((kinds(&report_vanishing), code), (vec!["lost"], 76), "{report_vanishing:#}");
    assert!(report_vanishing["answers"].as_u64() > Some(0), "{report_vanishing:#}");
    // Answers something else.
    let wrong = serve_all(|mut stream| {
        while stream.read_exact(&mut [0; 64]).is_ok() && stream.write_all(&[b'?'; 64]).is_ok() {}
    });
    let (report_wrong, code) = report(&wrong.to_string(), &[]);
    assert_eq!((kinds(&report_wrong), code), (vec!["wrong"], 76), "{report_wrong:#}");
    // Is not there.
    let (refused, _held) = closed_port();
    let (report_refused, code) = report(&refused.to_string(), &[]);
    assert_eq!((kinds(&report_refused), code), (vec!["connect"], 69), "{report_refused:#}");
    assert_eq!(report_refused["latency"], Value::Null);
}

#[test]
fn an_interrupt_prints_what_was_measured_so_far() {
    let (answered, first) = mpsc::channel();
    let echo = serve_all(move |mut stream: TcpStream| {
        let mut message = [0; 64];
        for count in 0.. {
            if stream.read_exact(&mut message).and_then(|()| stream.write_all(&message)).is_err() {
                return;
            }
            if count == 100 {
                let _ = answered.send(());
            }
        }
    });
    let to = echo.to_string();
    let mut command = sinew(&["bench", &to, "--duration", "1d", "--warmup", "0", "-c", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    first.recv().unwrap();
    send(child.id(), Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("interrupted") && text.contains("  answers   "), "{output:?}");
    assert!(text.contains("99.9 %"), "{text}");
    assert_eq!(output.status.signal(), Some(2), "{output:?}");
}

#[test]
fn options_that_do_not_go_together() {
    for (more, text) in [
        (&["--send", "x"][..], "--send is not for the protocol echo"),
        (&["--path", "/x"], "--path is not for the protocol echo"),
        (&["--protocol", "line", "--send", "a", "--size", "3"], "use one"),
        (&["--size", "0"], "between 1 and"),
        (&["--rate=-5"], "above 0"),
        (&["--rate", "0"], "above 0"),
        (&["--connections", "0"], "--connections"),
        (&["--spin"], "--rate"),
    ] {
        let output = output(&[&["bench", "127.0.0.1:1"], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{more:?}: {said}");
        assert!(said.contains(text), "{more:?}: {said}");
    }
    let (code, said) = crate::kit::failure(&["bench", "--protocol", "ws", "http://localhost/"]);
    assert_eq!(code, 64, "{said}");
}
