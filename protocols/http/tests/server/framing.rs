//! Requests that could be understood in two ways, expectations, and answers that have no body.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    rc::Rc,
    time::Duration,
};

use sinew_http::{
    StatusCode,
    server::{Ended, ErrorPages, Reply, Request, Response, VirtualHosts, answer},
};
use sinew_transports::net::StreamObserver;

use crate::support::{Client, get, ok, refused};

/// Asks, and expects that the request is refused and the connection closed.
fn is_refused(request: impl AsRef<[u8]>, status: &str) {
    let client = Client::new(|_: Request, _: Reply| panic!("no handler hears of it"));
    assert_eq!(client.ask(request), refused(status));
    assert!(client.is_closing());
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

const BAD: &str = "400 Bad Request";

#[test]
fn two_lengths() {
    is_refused(post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), BAD);
    is_refused(post("Content-Length: 1, 2\r\n", "ab"), BAD);
}

#[test]
fn te_and_length() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        is_refused(post(fields, "0\r\n\r\n"), BAD);
    }
}

#[test]
fn te_in_http_1_0() {
    is_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD);
}

#[test]
fn te_twice() {
    is_refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), BAD);
    is_refused(post("Transfer-Encoding: chunked, chunked\r\n", ""), BAD);
    is_refused(post("Transfer-Encoding: gzip, chunked\r\n", ""), "501 Not Implemented");
}

/// Sends a body in chunks to a handler that reads it.
fn chunks(body: &str) -> String {
    let client = Client::new(|request: Request, reply: Reply| {
        request.collect().then(move |_, body| {
            if let Ok(body) = body {
                reply.send(Response::text(body));
            }
        });
    });
    client.ask(post("Transfer-Encoding: chunked\r\n", body))
}

#[test]
fn chunk_without_digits() {
    for body in ["\r\n0\r\n\r\n", ";x\r\n0\r\n\r\n", " \r\n0\r\n\r\n"] {
        assert_eq!(chunks(body), refused(BAD), "{body:?}");
    }
}

#[test]
fn lf_in_extension() {
    assert_eq!(chunks("5;a=b\nc\r\nhello\r\n0\r\n\r\n"), refused(BAD));
    assert_eq!(chunks("5;a=b c\r\nhello\r\n0\r\n\r\n"), ok("hello"));
}

#[test]
fn two_bytes_after_last_chunk() {
    for end in ["XX", "\rX", "X\n", "\n\r"] {
        assert_eq!(chunks(&format!("5\r\nhello{end}0\r\n\r\n")), refused(BAD), "{end:?}");
        assert_eq!(chunks(&format!("5\r\nhello\r\n0\r\n{end}\r\n\r\n")), refused(BAD), "{end:?}");
    }
}

#[test]
fn hosts_that_are_none() {
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
    ] {
        is_refused(format!("GET / HTTP/1.1\r\n{fields}\r\n"), BAD);
    }
    is_refused("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD);
    let client =
        Client::new(answer(|request: &Request| request.authority().unwrap_or("-").to_owned()));
    assert_eq!(client.ask("GET http://b:8/ HTTP/1.1\r\nHost: b:8\r\n\r\n"), ok("b:8"));
    assert!(client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").ends_with("\r\n\r\n-"));
}

#[test]
fn expect_refused() {
    is_refused(
        post("Expect: something-else\r\nContent-Length: 1\r\n", "x"),
        "417 Expectation Failed",
    );
    // A handler that answers without reading the body never asks for it.
    let client = Client::new(answer(|_| StatusCode::UNAUTHORIZED));
    let received = client.ask(post("Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
    assert_eq!(
        received,
        refused("401 Unauthorized"),
        "what follows could be the body or a request"
    );
    assert!(client.is_closing());
}

#[test]
fn head_has_no_body() {
    let client = Client::new(answer(|request: &Request| match request.path() {
        "/204" => Response::text("x").with_status(StatusCode::NO_CONTENT),
        "/304" => Response::text("x").with_status(StatusCode::NOT_MODIFIED),
        _ => Response::text("hello"),
    }));
    let head = |path| get(path).replace("GET", "HEAD");
    let received = client.ask([head("/"), get("/204"), get("/304"), get("/")].concat());
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    assert_eq!(
        received,
        format!(
            "HTTP/1.1 200 OK\r\n{text}Content-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n{text}\r\n\
             HTTP/1.1 304 Not Modified\r\n{text}\r\n{}",
            ok("hello")
        )
    );
}

#[test]
fn options_of_the_whole_server() {
    let client =
        Client::new(answer(|request: &Request| format!("{} {}", request.method(), request.path())));
    assert_eq!(client.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), ok("OPTIONS *"));
    is_refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n", BAD);
}

#[test]
fn client_leaves_in_mid_answer() {
    let ended = Rc::new(Cell::new(None::<Ended>));
    let told = Rc::clone(&ended);
    let client = Client::new(move |_: Request, reply: Reply| {
        let told = Rc::clone(&told);
        reply.on_end(move |_, ended| told.set(Some(*ended))).send("x".repeat(300_000));
    });
    client.wire.set_capacity(1_000);
    client.send(get("/").repeat(3));
    client.wire.reset();
    client.advance(Duration::ZERO);
    let ended = ended.get().unwrap();
    assert_eq!(ended.status, Some(StatusCode::OK));
}

#[test]
fn reader_a_byte_a_second() {
    let client = Client::new(answer(|_| "x".repeat(1_000_000)));
    client.wire.set_capacity(1);
    client.send(get("/").repeat(10));
    for _ in 0..100 {
        client.advance(Duration::from_secs(1));
        assert_eq!(client.wire.take(1).len(), 1);
    }
    assert!(!client.is_closing(), "it takes something");
    let queued = client.connection.transport().queued();
    assert!(queued < 2_000_000, "{queued} bytes for ten answers of a million");
    client.advance(Duration::from_secs(30));
    assert!(client.wire.was_reset(), "it takes nothing");
}

#[test]
fn host_never_echoed() {
    let evil = "evil.example";
    let hosts = VirtualHosts::new().host("a.example", answer(|_| "x"));
    let client = Client::new(ErrorPages::new(hosts));
    let received = client.ask(format!("GET /%3Cscript%3E HTTP/1.1\r\nHost: {evil}\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 421 ") && !received.contains(evil), "{received}");
    assert!(!received.contains("script"), "{received}");
}

/// Counts calls that write.
struct Writes(Rc<RefCell<Vec<usize>>>);

impl StreamObserver for Writes {
    fn read(&self, _: Result<&[u8], &io::Error>) {}

    fn written(&self, _: &[IoSlice<'_>], result: Result<usize, &io::Error>) {
        self.0.borrow_mut().extend(result.ok());
    }

    fn write_closed(&self, _: Result<(), &io::Error>) {}

    fn checked(&self, _: Result<(), &io::Error>) {}

    fn reset(&self) {}
}

#[test]
fn pipelined_requests_are_answered_in_one_write() {
    let client = Client::new(answer(|_| "x"));
    let writes = Rc::<RefCell<Vec<usize>>>::default();
    client.connection.transport().observe(Box::new(Writes(Rc::clone(&writes))));
    assert_eq!(client.ask(get("/").repeat(16)), ok("x").repeat(16));
    assert_eq!(writes.borrow().len(), 1, "{writes:?}");
    assert_eq!(client.ask(get("/")), ok("x"));
    assert_eq!(writes.borrow().len(), 2, "{writes:?}");
}
