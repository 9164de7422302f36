//! What is passed on of requests and answers.

use std::time::Duration;

use sinew_http::server::{HttpServer, ReverseProxy, Router};
use sinew_transports::{Peer, reactor::Reactor};

use super::backend::{ADDED, Backend, Through};
use crate::support::{Client, get};

/// What the server adds to an answer that has no date of its own is left out by the client of these tests; here it has one.
const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

#[test]
fn a_request_and_its_answer() {
    let through = Through::new();
    let request = "GET /a%2fb?c=d HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nConnection: X-B, keep-alive\r\nX-B: 2\r\nx-a: 3\r\n\r\n";
    assert_eq!(
        through.ask(request),
        format!("GET /a%2fb?c=d HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 3\r\n{ADDED}\r\n")
    );
    let answer = format!(
        "HTTP/1.1 404 Nothing Here\r\n{DATE}Content-Type: a/b\r\nSet-Cookie: x\r\nSet-Cookie: y\r\nConnection: X-C\r\n\
         X-C: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello"
    );
    assert_eq!(
        through.answer(answer),
        "HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\nSet-Cookie: x\r\nSet-Cookie: y\r\nContent-Length: 5\r\n\r\nhello"
    );
}

#[test]
fn connections_are_used_again() {
    let through = Through::new();
    for n in 0..5 {
        through.client.send(get("/"));
        assert_eq!(through.backend.count(), 1, "{n}");
        through.backend.send(0, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\n{n}"));
        assert!(through.client.received().ends_with(&n.to_string()));
    }
    // Not one that the backend closes, and not one with something left on it.
    through.client.send(get("/"));
    through.backend.send(
        0,
        format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\nConnection: close\r\n\r\nx"),
    );
    assert!(through.client.received().ends_with('x'));
    through.client.send(get("/"));
    assert_eq!(through.backend.count(), 2);
    through.backend.send(1, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\nxyz"));
    let received = through.client.received();
    assert!(received.ends_with("\r\n\r\nx"), "{received}");
    through.client.send(get("/"));
    assert_eq!(through.backend.count(), 3);
}

#[test]
fn two_clients_share_what_is_free() {
    let through = Through::new();
    let other = through.other();
    through.client.send(get("/1"));
    other.send(get("/2"));
    assert_eq!(through.backend.count(), 2);
    assert!(through.backend.received(0).starts_with("GET /1 "));
    assert!(through.backend.received(1).starts_with("GET /2 "));
    for at in [1, 0] {
        through.backend.send(at, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\n{at}"));
        through.settle();
    }
    assert!(through.client.received().ends_with('0') && other.received().ends_with('1'));
    other.send(get("/3"));
    assert_eq!(through.backend.count(), 2);
}

#[test]
fn paths_and_hosts() {
    let reactor = Reactor::simulated(0);
    let (backend, _port) = Backend::listen(&reactor, "b");
    let proxy = || ReverseProxy::new("memory:b".parse().unwrap());
    let router = Router::new()
        .nest("/whole", proxy())
        .nest("/rest", proxy().rest_only().host("inside.example"))
        .fallback(proxy());
    let server = HttpServer::new(router);
    let cases = [
        (get("/whole/a?b"), "GET /whole/a?b", "a"),
        (get("/rest/a?b"), "GET /a?b", "inside.example"),
        (get("/rest"), "GET /", "inside.example"),
        (get("/rest?x"), "GET /?x", "inside.example"),
        (get("//a/../%2e%2e/"), "GET //a/../%2e%2e/", "a"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "OPTIONS *", "a"),
        (
            "GET http://x.example:8/y HTTP/1.1\r\nHost: x.example:8\r\n\r\n".to_owned(),
            "GET /y",
            "x.example:8",
        ),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "GET /", "localhost"),
    ];
    for (at, (request, line, host)) in cases.into_iter().enumerate() {
        // Each on connections of its own.
        let client = Client::of(&reactor, &server);
        client.send(request);
        let received = backend.received(at);
        assert!(
            received.starts_with(&format!("{line} HTTP/1.1\r\nHost: {host}\r\n")),
            "{received}"
        );
    }
    for method in ["CONNECT a:1", "TRACE /"] {
        let client = Client::of(&reactor, &server);
        let received = client.ask(format!("{method} HTTP/1.1\r\nHost: a:1\r\n\r\n"));
        assert!(received.starts_with("HTTP/1.1 405 "), "{received}");
    }
}

#[test]
fn who_the_client_is() {
    let reactor = Reactor::simulated(0);
    let (backend, _port) = Backend::listen(&reactor, "b");
    let proxy =
        ReverseProxy::new("memory:b".parse().unwrap()).trust(["10.0.0.0/8".parse().unwrap()]);
    let server = HttpServer::new(proxy);
    let request =
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n";
    for (at, (ip, expected)) in [
        ("192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\n"),
        ("10.1.1.1", "X-Forwarded-For: 6.6.6.6, 10.1.1.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: https\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let client = Client::from(&reactor, &server, Peer::Inet((ip, 1).into()));
        client.send(request);
        let received = backend.received(at);
        assert!(received.contains(&format!("\r\n{expected}")), "{received}");
    }
}

#[test]
fn answers_by_method_version_and_status() {
    let ok = |fields: &str| format!("HTTP/1.1 200 OK\r\n{DATE}{fields}\r\n");
    let cases = [
        (
            "HEAD",
            "1.1",
            ok("Content-Length: 5\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        ),
        ("HEAD", "1.1", ok(""), "HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", "1.1", ok("Content-Length: 0\r\n"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (
            "GET",
            "1.1",
            format!("HTTP/1.1 304 Not Modified\r\n{DATE}ETag: \"x\"\r\nContent-Length: 5\r\n\r\n"),
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
        ),
        ("GET", "1.1", format!("HTTP/1.1 204 No\r\n{DATE}\r\n"), "HTTP/1.1 204 No Content\r\n\r\n"),
        (
            "GET",
            "1.1",
            ok("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
        ),
        (
            "GET",
            "1.0",
            ok("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
        ),
        (
            "GET",
            "1.0",
            ok("Content-Length: 3\r\n") + "abc",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        ),
    ];
    for (method, version, answer, expected) in cases {
        let through = Through::new();
        let request = format!("{method} / HTTP/{version}\r\nHost: a\r\n\r\n");
        assert!(through.ask(request).starts_with(&format!("{method} / HTTP/1.1\r\n")));
        assert_eq!(through.answer(&answer), expected, "{method} {version} {answer}");
    }
    // A body that ends with the connection.
    let through = Through::new();
    through.ask(get("/"));
    through.backend.send(0, ok("") + "until the end");
    through.backend.transport(0).lose_connection();
    let received = through.client.received();
    assert!(received.ends_with("\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n"), "{received}");
}

#[test]
fn what_comes_before_the_answer() {
    let through = Through::new();
    through.ask(get("/"));
    through.backend.send(0, "HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: y\r\ny: z\r\n\r\n");
    through.settle();
    assert_eq!(through.client.wire.take(1_000), b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    let received = through.answer(format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\nx"));
    assert!(received.ends_with("\r\n\r\nx"), "{received}");
}

#[test]
fn answers_stay_in_order() {
    let through = Through::new();
    through.client.send([get("/1"), get("/2"), get("/3")].concat());
    for n in 1..=3 {
        let received = through.backend.received(0);
        assert!(
            received.starts_with(&format!("GET /{n} ")) && received.matches("GET ").count() == 1
        );
        through.client.advance(Duration::from_secs(1));
        through.backend.send(0, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\n{n}"));
        through.settle();
    }
    let received = through.client.received();
    let bodies: Vec<_> = received.split("\r\n\r\n").skip(1).map(|part| &part[..1]).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
}
