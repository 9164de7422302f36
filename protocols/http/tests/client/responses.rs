//! The bodies of responses: gathered, pulled, given to a receiver, given up.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{BodyControl, BodyReceiver, Fields, Method, client::Response, codec::BodyError};
use sinew_transports::Bytes;

use super::server::{Server, ok, request, text};

#[test]
fn every_framing() {
    let cases: [(Method, &str, bool, Result<&str, BodyError>); 9] = [
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, Ok("hello")),
        (Method::GET, "HTTP/1.1 200 OK\r\n\r\nhello", true, Ok("hello")),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
            false,
            Ok("hello"),
        ),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, Ok("")),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, Ok("")),
        (Method::GET, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, Ok("")),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            true,
            Err(BodyError::Truncated),
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            true,
            Err(BodyError::Truncated),
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!",
            false,
            Err(BodyError::Chunk),
        ),
    ];
    for (method, answer, ends, expected) in cases {
        let server = Server::new();
        let waiting = server.send(request(method, "/"));
        server.rest();
        server.wire.receive(answer);
        if ends {
            server.wire.close();
        }
        server.rest();
        let response = waiting.take().unwrap().unwrap();
        assert_eq!(server.text(&response), expected.map(str::to_owned), "{answer}");
    }
}

#[test]
fn trailers_are_kept_apart() {
    let server = Server::new();
    let waiting = server.get("/");
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\n\r\n";
    let response = server.respond(&waiting, answer).unwrap();
    assert_eq!(server.text(&response).unwrap(), "a");
    assert_eq!(response.field("x-sum"), None);
    assert_eq!(response.take_trailers().text("x-sum"), Some("9"));
}

#[test]
fn a_body_has_a_limit() {
    // Announced: not one byte is waited for.
    let server = Server::new();
    let waiting = server.get("/");
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n").unwrap();
    let body = response.collect_up_to(10);
    server.rest();
    assert_eq!(body.take(), Some(Err(BodyError::TooLong { max: 10 })));
    assert!(server.wire.was_reset());
    // Not announced.
    let server = Server::new();
    let waiting = server.get("/");
    let response = server.respond(&waiting, "HTTP/1.1 200 OK\r\n\r\n0123456789").unwrap();
    let body = response.collect_up_to(10);
    server.rest();
    assert!(body.take().is_none());
    server.answer("x");
    assert_eq!(body.take(), Some(Err(BodyError::TooLong { max: 10 })));
    assert!(server.wire.was_reset());
}

#[test]
fn pieces_are_pulled_and_reading_pauses_meanwhile() {
    let server = Server::new();
    let waiting = server.get("/");
    let response = server.respond(&waiting, "HTTP/1.1 200 OK\r\n\r\n").unwrap();
    server.answer("one");
    let next = |server: &Server| {
        let piece = response.next_piece();
        server.rest();
        piece.take()
    };
    assert!(server.wire.is_paused(), "nobody has asked");
    assert_eq!(next(&server), Some(Ok(Some(Bytes::from_static(b"one")))));
    assert!(!server.wire.is_paused());
    // Cancelled, no piece is lost.
    let piece = response.next_piece();
    server.rest();
    piece.cancel();
    server.rest();
    server.answer("two");
    assert_eq!(next(&server), Some(Ok(Some(Bytes::from_static(b"two")))));
    server.wire.close();
    assert_eq!(next(&server), Some(Ok(None)));
    assert_eq!(next(&server), Some(Ok(None)), "and so it stays");
    assert!(server.is_closing());
}

/// Pauses after each piece, and writes down what it gets.
struct Pausing(Rc<RefCell<Vec<String>>>, Rc<RefCell<Option<BodyControl>>>);

impl BodyReceiver for Pausing {
    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        self.0.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
        body.pause();
        *self.1.borrow_mut() = Some(body.clone());
    }

    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
        self.0.borrow_mut().push(format!("{:?}", end.map(|trailers| trailers.len())));
    }
}

#[test]
fn a_receiver_holds_the_body_back() {
    let server = Server::new();
    let waiting = server.get("/");
    let response = server
        .respond(
            &waiting,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n",
        )
        .unwrap();
    let (seen, control) = (Rc::default(), Rc::default());
    response.receive(Pausing(Rc::clone(&seen), Rc::clone(&control)));
    drop(response);
    server.rest();
    assert_eq!(*seen.borrow(), ["a"], "not even what had come");
    // Time in which the program takes nothing does not count.
    server.advance(Duration::from_secs(3_600));
    let resume = || {
        control.borrow().clone().expect("it was paused").resume();
        server.rest();
    };
    resume();
    assert_eq!(*seen.borrow(), ["a", "b"]);
    server.answer("0\r\n\r\n");
    resume();
    assert_eq!(*seen.borrow(), ["a", "b", "Ok(0)"]);
    assert!(server.connection.is_idle());
}

#[test]
fn asked_for_when_all_is_over() {
    let empty = |server: &Server| {
        let waiting = server.get("/");
        server.respond(&waiting, "HTTP/1.1 204 No Content\r\n\r\n").unwrap()
    };
    let server = Server::new();
    let response = empty(&server);
    assert!(server.connection.is_idle(), "the connection is free at once");
    assert_eq!(server.text(&response).unwrap(), "");
    let response = empty(&server);
    let seen = Rc::default();
    response.receive(Pausing(Rc::clone(&seen), Rc::default()));
    server.rest();
    assert_eq!(*seen.borrow(), ["Ok(0)"]);
    let response = empty(&server);
    let piece = response.next_piece();
    server.rest();
    assert_eq!(piece.take(), Some(Ok(None)));
    // And when it was cut off before anybody asked.
    let waiting = server.get("/");
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").unwrap();
    server.wire.reset();
    assert_eq!(server.text(&response), Err(BodyError::Truncated));
}

#[test]
fn a_body_has_one_reader() {
    let server = Server::new();
    let waiting = server.get("/");
    let response = server.respond(&waiting, ok("")).unwrap();
    drop(response);
    let waiting = server.get("/");
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").unwrap();
    let first = response.collect_up_to(100);
    let second = response.collect_up_to(100);
    let third = response.next_piece();
    server.rest();
    assert_eq!(second.take(), Some(Err(BodyError::Taken)));
    assert_eq!(third.take(), Some(Err(BodyError::Taken)));
    server.answer("123456789");
    assert_eq!(text(&first.take().unwrap().unwrap()), "123456789");
}

#[test]
fn a_response_that_is_dropped() {
    let dropped = |head: &str, rest: &str| {
        let server = Server::new();
        let waiting = server.get("/");
        drop::<Response>(
            server.respond(&waiting, format!("HTTP/1.1 200 OK\r\n{head}\r\n")).unwrap(),
        );
        server.rest();
        if !rest.is_empty() && !server.is_closing() {
            server.answer(rest);
        }
        server
    };
    let little = dropped("Content-Length: 5\r\n", "hello");
    assert!(little.connection.is_idle(), "the rest was read and dropped");
    let much = dropped("Content-Length: 1000000\r\n", "");
    assert!(much.wire.was_reset());
    let endless = dropped("", "");
    assert!(endless.wire.was_reset());
    let chunks = "8000\r\n".to_owned() + &"x".repeat(0x8000) + "\r\n";
    let chunked = dropped("Transfer-Encoding: chunked\r\n", &chunks.repeat(3));
    assert!(chunked.wire.was_reset(), "more than 64 KiB came");
    let chunked = dropped("Transfer-Encoding: chunked\r\n", &(chunks + "0\r\n\r\n"));
    assert!(chunked.connection.is_idle());
}

#[test]
fn cancelled_in_the_middle_of_a_body() {
    let server = Server::new();
    let waiting = server.get("/");
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123").unwrap();
    let body = response.collect_up_to(100);
    server.rest();
    body.cancel();
    server.rest();
    assert!(server.wire.was_reset());
}

#[test]
fn a_body_that_does_not_come() {
    let server = Server::new();
    let waiting = server.get("/");
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123").unwrap();
    let body = response.collect_up_to(100);
    server.advance(Duration::from_secs(20));
    server.answer("4");
    server.advance(Duration::from_secs(20));
    assert!(body.take().is_none(), "something came in between");
    server.advance(Duration::from_secs(20));
    assert_eq!(body.take(), Some(Err(BodyError::TooSlow)));
    assert!(server.wire.was_reset());
}
