//! Bodies through a proxy: as they come, and no faster than they are taken.

use std::time::Duration;

use super::backend::{ADDED, Through};
use crate::support::get;

const DATE: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn a_body_is_passed_on_as_it_comes() {
    let through = Through::new();
    let received = through.ask(post("Content-Length: 5\r\n") + "he");
    assert_eq!(
        received,
        format!("POST / HTTP/1.1\r\nHost: a\r\n{ADDED}Content-Length: 5\r\n\r\nhe")
    );
    assert_eq!(through.ask("llo"), "llo");
    assert!(
        through
            .answer(format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 0\r\n\r\n"))
            .contains(" 200 ")
    );
    let received = through.ask(post("Transfer-Encoding: chunked\r\n") + "3;x=y\r\nabc\r\n");
    assert_eq!(
        received,
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{ADDED}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        )
    );
    assert_eq!(through.ask("1\r\nd\r\n0\r\nX-T: 1\r\n\r\n"), "1\r\nd\r\n0\r\nX-T: 1\r\n\r\n");
    through
        .backend
        .send(0, format!("HTTP/1.1 200 OK\r\n{DATE}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"));
    assert!(through.client.received().ends_with("1\r\nx\r\n"));
    assert_eq!(through.answer("2\r\nyz\r\n0\r\n\r\n"), "2\r\nyz\r\n0\r\n\r\n");
}

#[test]
fn the_backend_decides_whether_it_wants_the_body() {
    let through = Through::new();
    let received = through.ask(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    let expected = format!(
        "POST / HTTP/1.1\r\nHost: a\r\n{ADDED}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    assert_eq!(received, expected);
    assert_eq!(through.client.received(), "", "nobody has asked for it");
    assert_eq!(through.answer("HTTP/1.1 100 Continue\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(through.ask("hello"), "hello");
    let ok = format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 0\r\n\r\n");
    assert_eq!(through.answer(&ok), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // One that does not want it says so, and never gets it.
    through.ask(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    let no = format!("HTTP/1.1 413 No\r\n{DATE}Content-Length: 0\r\n\r\n");
    let expected =
        "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(through.answer(no), expected);
    assert_eq!(through.backend.received(0), "");
    // One that says nothing gets it after a while.
    let through = Through::new();
    through.ask(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    through.client.advance(Duration::from_secs(1));
    assert_eq!(through.client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(through.ask("hello"), "hello");
}

#[test]
fn a_slow_client_holds_the_backend_back() {
    let through = Through::new();
    through.client.wire.set_capacity(1_000);
    through.ask(get("/"));
    let len = 10 << 20;
    through.backend.send(0, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: {len}\r\n\r\n"));
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..len / piece.len() {
        through.backend.send(0, &piece);
    }
    through.settle();
    let waiting = through.backend.transport(0).queued();
    assert!(waiting > 9 << 20, "{waiting} bytes are still with the backend");
    assert!(through.client.connection.transport().queued() < 256 << 10);
    // It all comes, as fast as it is taken.
    through.client.wire.set_capacity(usize::MAX);
    assert_eq!(through.client.received().matches('x').count(), len);
}

#[test]
fn a_slow_backend_holds_the_client_back() {
    let through = Through::new();
    let len = 10 << 20;
    through.ask(post(&format!("Content-Length: {len}\r\n")));
    through.backend.transport(0).pause_reading();
    for _ in 0..len / (64 << 10) {
        through.client.wire.receive(vec![b'x'; 64 << 10]);
        through.settle();
    }
    assert!(!through.client.connection.transport().is_reading());
    through.backend.transport(0).resume_reading();
    through.client.advance(Duration::from_millis(1));
    assert_eq!(through.backend.received_len(0), len);
}

#[test]
fn an_early_answer_ends_the_upload() {
    let through = Through::new();
    through.ask(post("Content-Length: 1000000\r\n") + "begin");
    let early = format!("HTTP/1.1 403 No\r\n{DATE}Content-Length: 2\r\n\r\nno");
    let expected = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    assert_eq!(through.answer(early), expected);
    assert!(through.client.is_closing());
    assert!(through.backend.is_over(0), "the rest of the request will never come");
    // While both go on, both go through.
    let through = Through::new();
    through.ask(post("Transfer-Encoding: chunked\r\n") + "1\r\na\r\n");
    through
        .backend
        .send(0, format!("HTTP/1.1 200 OK\r\n{DATE}Transfer-Encoding: chunked\r\n\r\n1\r\nA\r\n"));
    assert!(through.client.received().ends_with("\r\n\r\n1\r\nA\r\n"));
    assert_eq!(through.ask("1\r\nb\r\n0\r\n\r\n"), "1\r\nb\r\n0\r\n\r\n");
    assert_eq!(through.answer("1\r\nB\r\n0\r\n\r\n"), "1\r\nB\r\n0\r\n\r\n");
    through.client.send(get("/next"));
    assert_eq!(through.backend.count(), 1, "the connection is used again");
}
