//! Tests of the access log.

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use sinew_http::server::{AccessLog, LogFormat, Reply, Request};

use crate::support::{Client, get};

#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, requests: &[&str]) -> Vec<String> {
    let lines = Lines::default();
    let handler = |request: Request, reply: Reply| {
        request.reactor().call_later(Duration::from_millis(3), move |_| reply.send("hello"));
    };
    let client = Client::new(AccessLog::new(handler).format(format).to(lines.clone()));
    for request in requests {
        client.send(request).advance(Duration::from_millis(3));
    }
    client.send(get("/gone"));
    client.wire.reset();
    client.advance(Duration::ZERO);
    let lines = String::from_utf8(lines.0.borrow().clone()).unwrap();
    lines.lines().map(str::to_owned).collect()
}

const ODD: &str = "GET /%22?a\"b HTTP/1.0\r\nConnection: keep-alive\r\nReferer: \"\\\r\nUser-Agent: \u{9b}[2J \u{e4}\r\n\r\n";

/// An address that lets in who knows it is not for those who read the log.
#[test]
fn what_is_shown_of_a_target() {
    for format in [LogFormat::Common, LogFormat::Combined, LogFormat::Json] {
        let lines = Lines::default();
        let handler = |_: Request, reply: Reply| reply.send("hello");
        let log = AccessLog::new(handler).format(format).to(lines.clone());
        let log = log.target(|target| target.split('?').next().unwrap_or_default().to_owned());
        Client::new(log).send(get("/a?token=secret"));
        let lines = String::from_utf8(lines.0.borrow().clone()).unwrap();
        assert!(lines.contains("/a") && !lines.contains("secret"), "{lines}");
    }
}

#[test]
fn three_formats() {
    let plain = get("/a?b=c");
    assert_eq!(
        logged(LogFormat::Common, &[&plain, ODD]),
        [
            "memory - - [01/Jan/2026:00:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 5",
            "memory - - [01/Jan/2026:00:00:00 +0000] \"GET /%22?a\\\"b HTTP/1.0\" 200 5",
            "memory - - [01/Jan/2026:00:00:00 +0000] \"GET /gone HTTP/1.1\" 499 0",
        ]
    );
    assert_eq!(
        logged(LogFormat::Combined, &[ODD])[0],
        "memory - - [01/Jan/2026:00:00:00 +0000] \"GET /%22?a\\\"b HTTP/1.0\" 200 5 \"\\\"\\\\\" \"\\u{9b}[2J \u{e4}\"",
    );
    assert_eq!(
        logged(LogFormat::Json, &[ODD]),
        [
            r#"{"time":"Thu, 01 Jan 2026 00:00:00 GMT","client":"memory","user":"-","method":"GET","target":"/%22?a\"b","version":"HTTP/1.0","status":200,"bytes":5,"complete":true,"micros":3000,"id":"-","referer":"\"\\","agent":"\u009b[2J ä"}"#,
            r#"{"time":"Thu, 01 Jan 2026 00:00:00 GMT","client":"memory","user":"-","method":"GET","target":"/gone","version":"HTTP/1.1","status":499,"bytes":0,"complete":false,"micros":0,"id":"-","referer":"-","agent":"-"}"#,
        ]
    );
}
