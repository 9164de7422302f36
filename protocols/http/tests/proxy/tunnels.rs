//! WebSockets and other protocols through a proxy.

use std::time::Duration;

use super::backend::{ADDED, Through};
use crate::support::get;

const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

fn upgrade(protocol: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

fn switched() -> String {
    format!(
        "HTTP/1.1 101 Switching\r\n{DATE}Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
    )
}

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n";

#[test]
fn a_websocket_becomes_a_tunnel() {
    let through = Through::new();
    let received = through.ask(upgrade("websocket") + "early");
    assert_eq!(
        received,
        format!(
            "GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\n{ADDED}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        ),
        "nothing goes through before the backend has agreed"
    );
    assert_eq!(through.answer(switched() + "first"), SWITCHED.to_owned() + "first");
    assert_eq!(through.backend.received(0), "early");
    assert_eq!(
        through.ask("GET / HTTP/1.1\r\n\r\n"),
        "GET / HTTP/1.1\r\n\r\n",
        "it is no HTTP any more"
    );
    assert_eq!(through.answer("anything"), "anything");
    // The end of one side is that of the other.
    through.client.end();
    assert!(through.backend.is_over(0) && through.client.is_closing());
}

#[test]
fn a_tunnel_ends_with_its_client() {
    let through = Through::new();
    through.ask(upgrade("websocket"));
    through.answer(switched());
    through.client.wire.reset();
    through.settle();
    assert!(through.backend.is_over(0));
}

#[test]
fn an_idle_tunnel_is_closed() {
    let through = Through::with(|proxy| proxy.tunnel_idle_timeout(Duration::from_secs(5)));
    through.ask(upgrade("websocket"));
    through.answer(switched());
    for _ in 0..3 {
        through.client.advance(Duration::from_secs(4));
        assert_eq!(through.ask("x"), "x");
    }
    through.client.advance(Duration::from_secs(5));
    assert!(through.client.is_closing());
}

#[test]
fn a_backend_may_refuse() {
    let through = Through::new();
    through.ask(upgrade("websocket"));
    let no = format!("HTTP/1.1 403 No\r\n{DATE}Content-Length: 2\r\n\r\nno");
    assert_eq!(through.answer(&no), "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    // What came behind the request is a request, and was never sent to the backend as anything else.
    through.client.send(get("/next"));
    assert_eq!(through.backend.count(), 2);
    assert!(through.backend.received(1).starts_with("GET /next HTTP/1.1\r\n"));
    assert_eq!(through.backend.received(0), "");
}

#[test]
fn other_protocols_are_not_passed_on() {
    let through = Through::new();
    let received = through.ask(upgrade("h2c"));
    assert!(!received.contains("Upgrade") && !received.contains("Connection"), "{received}");
    let ok = format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 0\r\n\r\n");
    assert_eq!(through.answer(&ok), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // Nor several at once, nor with a body.
    let received = through.ask(upgrade("websocket, h2c"));
    assert!(!received.contains("Upgrade"), "{received}");
    through.answer(&ok);
    let with_body = upgrade("websocket").replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx");
    let received = through.ask(with_body);
    assert!(!received.contains("Upgrade") && received.ends_with("\r\n\r\nx"), "{received}");
    let through = Through::with(|proxy| proxy.upgrade("other"));
    assert!(
        through.ask(upgrade("Other")).ends_with("Connection: upgrade\r\nUpgrade: Other\r\n\r\n")
    );
}

#[test]
fn tunnels_take_no_place_in_the_pool() {
    let through =
        Through::with(|proxy| proxy.pool(sinew_http::client::PoolConfig::default().per_key_max(1)));
    through.ask(upgrade("websocket"));
    through.answer(switched());
    let other = through.other();
    other.send(get("/"));
    assert_eq!(through.backend.count(), 2);
    assert!(through.backend.received(1).starts_with("GET / "));
}
