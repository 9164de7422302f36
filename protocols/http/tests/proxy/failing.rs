//! What goes wrong between a proxy and its backend, and what the client hears of it.

use std::time::Duration;

use sinew_http::client::{ConnectionConfig, PoolConfig};
use sinew_testkit::testing::assert_clean;

use super::backend::Through;
use crate::support::{get, refused};

const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

fn failed(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn answers_that_are_none() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        let through = Through::new();
        through.ask(get("/"));
        assert_eq!(through.answer(answer), failed("502 Bad Gateway"), "{answer:?}");
        assert!(through.backend.is_over(0));
    }
    // Or that never come.
    let through = Through::new();
    through.ask(get("/"));
    through.backend.transport(0).lose_connection();
    assert_eq!(through.client.received(), failed("502 Bad Gateway"));
}

#[test]
fn a_backend_that_takes_too_long() {
    let through = Through::with(|proxy| {
        proxy.connection(ConnectionConfig::default().head_timeout(Duration::from_secs(7)))
    });
    through.ask(get("/"));
    through.client.advance(Duration::from_millis(6_999));
    assert_eq!(through.client.received(), "");
    through.client.advance(Duration::from_millis(1));
    assert_eq!(through.client.received(), failed("504 Gateway Timeout"));
    assert!(through.backend.is_over(0));
}

#[test]
fn an_answer_that_breaks_off_is_seen_to_break_off() {
    for body in
        ["Content-Length: 9\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
    {
        let through = Through::new();
        through.ask(get("/"));
        through.backend.send(0, format!("HTTP/1.1 200 OK\r\n{DATE}{body}"));
        through.settle();
        through.backend.transport(0).abort();
        let received = through.client.received();
        assert!(received.contains("hello") && !received.contains("\r\n0\r\n"), "{received}");
        assert!(through.client.is_closing());
    }
}

#[test]
fn a_stale_connection_is_tried_again_if_nothing_can_happen_twice() {
    let ok = format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\nx");
    for (request, is_repeated) in [
        (get("/again"), true),
        ("DELETE /again HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), true),
        ("POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(), false),
        ("PUT /again HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".to_owned(), false),
    ] {
        let through = Through::new();
        through.ask(get("/"));
        through.answer(&ok);
        through.ask(&request);
        // It closes, as if it had been idle for too long.
        through.backend.transport(0).abort();
        through.settle();
        if !is_repeated {
            assert_eq!(through.backend.count(), 1, "{request}");
            assert_eq!(through.client.received(), failed("502 Bad Gateway"), "{request}");
            continue;
        }
        assert_eq!(through.backend.count(), 2, "{request}");
        assert!(through.backend.received(1).contains("/again"));
        through.backend.send(1, &ok);
        assert!(through.client.received().ends_with("\r\n\r\nx"));
    }
    // A new connection that breaks is no stale one.
    let through = Through::new();
    through.ask(get("/"));
    through.backend.transport(0).abort();
    assert_eq!(through.client.received(), failed("502 Bad Gateway"));
    assert_eq!(through.backend.count(), 1);
    // Nor is one that has begun to answer.
    let through = Through::new();
    through.ask(get("/"));
    through.answer(&ok);
    through.ask(get("/"));
    through.backend.send(0, "HTTP/1.1 2");
    through.settle();
    through.backend.transport(0).abort();
    assert_eq!(through.client.received(), failed("502 Bad Gateway"));
    assert_eq!(through.backend.count(), 1);
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello";
    let download = format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 9\r\n\r\nhello");
    for (request, answer) in [(get("/"), ""), (upload.to_owned(), ""), (get("/"), &*download)] {
        let through = Through::new();
        through.ask(&request);
        through.answer(answer);
        through.client.wire.reset();
        through.settle();
        assert!(through.backend.is_over(0), "{request} {answer}");
    }
    // While the connection is being made, too: nothing is left of it.
    let through = Through::new();
    through.client.wire.receive(get("/"));
    through.client.wire.reset();
    through.settle();
    assert!(through.backend.count() == 0 || through.backend.is_over(0));
}

#[test]
fn an_upload_that_breaks_off_is_not_taken_for_whole() {
    let through = Through::new();
    through.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    through.client.end();
    assert_eq!(through.client.received(), refused("400 Bad Request"));
    assert_eq!(through.backend.received(0), "", "no last chunk");
    assert!(through.backend.is_over(0));
    let through = Through::new();
    through.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_eq!(through.client.ask("nonsense\r\n"), refused("400 Bad Request"));
    assert!(through.backend.is_over(0) && through.backend.received(0).is_empty());
}

#[test]
fn a_full_pool_is_a_503() {
    let through = Through::with(|proxy| {
        let pool = PoolConfig::default().per_key_max(1).waiting_max(1);
        proxy.pool(pool.wait_timeout(Duration::from_secs(2)))
    });
    let [second, third] = [through.other(), through.other()];
    through.ask(get("/1"));
    second.send(get("/2"));
    assert_eq!(third.ask(get("/3")), failed("503 Service Unavailable"));
    assert_eq!(second.received(), "");
    second.advance(Duration::from_secs(2));
    assert_eq!(second.received(), failed("503 Service Unavailable"));
    assert_eq!(through.backend.count(), 1);
}

#[test]
fn nothing_is_left_behind() {
    let through = Through::new();
    through.ask(get("/"));
    through.answer(format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\n\r\nx"));
    let reactor = through.client.reactor.clone();
    through.client.wire.close();
    through.settle();
    through.port.stop_listening();
    drop(through);
    // The last handle of the proxy closes the connections of its pool.
    reactor.advance(Duration::from_secs(120)).unwrap();
    assert_clean(&reactor);
}
