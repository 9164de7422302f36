//! Requests on one connection: how they are written, when the next may follow, and what ends the connection.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_http::{
    Body, BodySource, BodyWaker, Fields, Method, Produced, StatusCode,
    client::{ConnectionConfig, Phase, RequestError},
    codec::HeadError,
};

use super::server::{Server, ok, request};

#[test]
fn one_request_after_the_other() {
    let server = Server::new();
    for number in 1..4 {
        let waiting = server.get(&format!("/{number}"));
        assert_eq!(server.received(), format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!server.connection.is_idle());
        let refused = server.connection.send(request(Method::GET, "/x")).unwrap_err();
        assert_eq!(*refused.method(), Method::GET, "it is handed back");
        let response = server.respond(&waiting, ok("hello")).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!((response.length(), response.field("content-length")), (Some(5), Some("5")));
        assert_eq!(server.text(&response).unwrap(), "hello");
        assert!(server.connection.is_idle());
        assert_eq!(server.connection.served(), number);
    }
}

#[test]
fn how_bodies_are_framed() {
    let cases = [
        (request(Method::POST, "/"), "Content-Length: 0\r\n\r\n"),
        (request(Method::PUT, "/"), "Content-Length: 0\r\n\r\n"),
        (request(Method::DELETE, "/"), "\r\n"),
        (request(Method::POST, "/").body("hello"), "Content-Length: 5\r\n\r\nhello"),
        (request(Method::GET, "/").body("hello"), "Content-Length: 5\r\n\r\nhello"),
        (request(Method::GET, "/").close(true), "Connection: close\r\n\r\n"),
    ];
    for (outgoing, expected) in cases {
        let method = outgoing.method().clone();
        let server = Server::new();
        let _waiting = server.send(outgoing);
        assert_eq!(server.received(), format!("{method} / HTTP/1.1\r\nHost: a\r\n{expected}"));
    }
}

#[test]
fn fields_that_frame_are_written_once() {
    let server = Server::new();
    let mut fields = Fields::new();
    for (name, value) in [("Host", "a"), ("content-length", "7"), ("Transfer-Encoding", "chunked")]
    {
        fields.append(name, value).unwrap();
    }
    let outgoing = sinew_http::client::Outgoing::new(Method::PUT, "/", fields).body("hello");
    let _waiting = server.send(outgoing);
    assert_eq!(server.received(), "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
}

#[test]
fn a_target_stays_in_its_line() {
    for target in ["/a b", "/a\r\nX: y", ""] {
        let server = Server::new();
        let waiting = server.send(request(Method::GET, target));
        server.rest();
        assert!(matches!(waiting.take(), Some(Err(RequestError::Target(_)))), "{target:?}");
        assert!(server.connection.is_idle() && server.received().is_empty());
    }
}

#[test]
fn a_streamed_body_goes_out_in_chunks_with_trailers() {
    let server = Server::new();
    let (writer, body) = Body::writer();
    let waiting = server.send(request(Method::POST, "/").body(body));
    writer.write("hello");
    assert_eq!(
        server.received(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    );
    let mut trailers = Fields::new();
    trailers.append("X-Sum", "9").unwrap();
    writer.finish_with(trailers);
    assert_eq!(server.received(), "0\r\nX-Sum: 9\r\n\r\n");
    let response = server.respond(&waiting, ok("")).unwrap();
    assert_eq!(server.text(&response).unwrap(), "");
    assert!(server.connection.is_idle());
}

#[test]
fn a_streamed_body_goes_out_as_fast_as_it_is_taken() {
    struct Endless(Rc<Cell<usize>>);

    impl BodySource for Endless {
        fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
            out.resize(16 * 1024, b'x');
            self.0.set(self.0.get() + out.len());
            Produced::More
        }
    }

    let server = Server::new();
    server.wire.set_capacity(1024);
    let made = Rc::new(Cell::new(0));
    let endless = Body::source(Endless(Rc::clone(&made)), None);
    let _waiting = server.send(request(Method::POST, "/").body(endless));
    server.rest();
    assert!(made.get() < 256 * 1024, "{} bytes were made for a server that takes none", made.get());
}

#[test]
fn a_body_that_cannot_be_finished_ends_the_connection() {
    let server = Server::new();
    let (writer, body) = Body::writer();
    let waiting = server.send(request(Method::POST, "/").body(body));
    writer.write("hel");
    server.rest();
    drop(writer);
    let received = server.received();
    assert!(received.ends_with("3\r\nhel\r\n"), "no last chunk: {received}");
    server.wire.close();
    server.rest();
    let error = waiting.take().unwrap().unwrap_err();
    assert!(error.to_string().contains("dropped before it was finished"), "{error}");
}

#[test]
fn a_response_before_the_request_is_sent_closes_the_connection() {
    let server = Server::new();
    let (writer, body) = Body::writer();
    let waiting = server.send(request(Method::POST, "/").body(body));
    writer.write("x");
    let response =
        server.respond(&waiting, "HTTP/1.1 413 \r\nContent-Length: 3\r\n\r\nno!").unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(server.text(&response).unwrap(), "no!");
    assert!(server.is_closing() && !server.connection.is_idle());
    assert!(writer.is_closed());
}

#[test]
fn what_keeps_a_connection_open_and_what_does_not() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true),
        // What comes behind a response was not asked for: it must not answer the next request.
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", false),
    ];
    for (answer, stays) in cases {
        let server = Server::new();
        let waiting = server.get("/");
        let response = server.respond(&waiting, answer).unwrap();
        assert_eq!(server.text(&response).unwrap(), "");
        assert_eq!((server.connection.is_idle(), server.is_closing()), (stays, !stays), "{answer}");
    }
}

#[test]
fn the_client_may_close_after_a_response() {
    let server = Server::new();
    let waiting = server.send(request(Method::GET, "/").close(true));
    let response = server.respond(&waiting, ok("a")).unwrap();
    assert!(server.text(&response).is_ok() && server.is_closing());
    let server = Server::new();
    let waiting = server.get("/");
    server.connection.close();
    let response = server.respond(&waiting, ok("a")).unwrap();
    assert!(server.text(&response).is_ok() && server.is_closing());
}

#[test]
fn bytes_that_nobody_asked_for_close_an_idle_connection() {
    let server = Server::new();
    server.answer(ok("unasked"));
    assert!(server.is_closing() && !server.connection.is_idle());
}

#[test]
fn an_idle_connection_closes_after_a_while_or_with_its_peer() {
    let server = Server::new();
    server.advance(Duration::from_secs(59));
    assert!(server.connection.is_idle());
    server.advance(Duration::from_secs(2));
    assert!(!server.connection.is_idle() && server.is_closing());
    let server = Server::new();
    server.wire.close();
    assert!(server.is_closing() && !server.connection.is_idle());
}

#[test]
fn a_lost_connection_says_whether_it_was_stale() {
    let lost = |server: &Server, answer: &str| {
        let waiting = server.get("/");
        server.rest();
        if !answer.is_empty() {
            server.answer(answer);
        }
        server.wire.reset();
        server.rest();
        waiting.take().expect("it is lost").unwrap_err()
    };
    let server = Server::new();
    let error = lost(&server, "");
    assert!(matches!(error, RequestError::Lost { .. }) && !error.is_stale(), "it is new: {error}");
    let used = || {
        let server = Server::new();
        let waiting = server.get("/");
        let response = server.respond(&waiting, ok("")).unwrap();
        drop(response);
        server.rest();
        assert!(server.connection.is_idle());
        server
    };
    assert!(lost(&used(), "").is_stale());
    assert!(!lost(&used(), "HTTP/1.1 2").is_stale(), "some of a response had come");
}

#[test]
fn the_server_ends_before_it_has_answered() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let server = Server::new();
        let waiting = server.get("/");
        server.wire.receive(answer);
        server.wire.close();
        server.rest();
        let error = waiting.take().unwrap().unwrap_err();
        assert!(error.to_string().contains("before there was a response"), "{error}");
        assert!(server.is_closing());
    }
}

#[test]
fn a_head_that_is_refused_ends_the_connection() {
    let large = format!("HTTP/1.1 200 OK\r\nA: {}\r\n", "x".repeat(9_000));
    let cases = [
        ("HTTP/2.0 200 OK\r\n\r\n", HeadError::Version),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", HeadError::BareLineFeed),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            HeadError::LengthAndEncoding,
        ),
        (&large, HeadError::LineTooLong { max: 8 * 1024 }),
    ];
    for (answer, expected) in cases {
        let server = Server::new();
        let waiting = server.get("/");
        let error = server.respond(&waiting, answer).unwrap_err();
        assert!(matches!(&error, RequestError::Head(found) if *found == expected), "{error}");
        assert!(server.is_closing());
    }
}

#[test]
fn the_head_has_its_time_and_so_has_the_request() {
    let server = Server::new();
    let waiting = server.get("/");
    server.advance(Duration::from_secs(29));
    assert!(waiting.take().is_none());
    server.answer("HTTP/1.1 200 ");
    server.advance(Duration::from_secs(2));
    let error = waiting.take().unwrap().unwrap_err();
    assert!(matches!(error, RequestError::TimedOut { phase: Phase::Head, .. }), "{error}");
    assert!(error.is_timeout() && server.wire.was_reset());

    let server = Server::new();
    server.wire.set_capacity(10);
    let waiting = server.send(request(Method::POST, "/").body(vec![b'x'; 100_000]));
    server.advance(Duration::from_secs(31));
    let error = waiting.take().unwrap().unwrap_err();
    assert!(error.is_timeout() && server.wire.was_reset(), "{error}");
}

#[test]
fn a_program_that_takes_its_time_with_its_body_is_not_timed_out() {
    let server = Server::new();
    let (writer, body) = Body::writer();
    let waiting = server.send(request(Method::POST, "/").body(body));
    server.advance(Duration::from_secs(3_600));
    assert!(waiting.take().is_none() && !server.is_closing());
    writer.finish();
    assert!(server.respond(&waiting, ok("")).is_ok());
}

#[test]
fn cancelled_requests_close_the_connection() {
    let server = Server::new();
    let waiting = server.get("/");
    server.rest();
    waiting.cancel();
    server.rest();
    assert!(server.wire.was_reset());
    // One that was cancelled when its response was there already.
    let server = Server::new();
    let waiting = server.get("/");
    server.rest();
    server.wire.receive("HTTP/1.1 200 OK\r\n\r\nendless");
    waiting.cancel();
    server.rest();
    assert!(server.wire.was_reset());
}

#[test]
fn expect_continue_holds_the_body_back() {
    let expecting = || request(Method::PUT, "/").body("hello").expect_continue(true);
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let server = Server::new();
    let waiting = server.send(expecting());
    assert_eq!(server.received(), head);
    server.answer("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(server.received(), "hello");
    let response = server.respond(&waiting, ok("")).unwrap();
    assert!(server.text(&response).is_ok() && server.connection.is_idle());

    // A server that says nothing.
    let server = Server::new();
    let _waiting = server.send(expecting());
    assert_eq!(server.received(), head);
    server.advance(Duration::from_millis(1_001));
    assert_eq!(server.received(), "hello");

    // A server that does not want it: it may wait for the body yet, so the connection is of no use.
    let server = Server::new();
    let waiting = server.send(expecting());
    assert_eq!(server.received(), head);
    let response =
        server.respond(&waiting, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(response.status(), StatusCode::EXPECTATION_FAILED);
    assert!(server.text(&response).is_ok());
    assert_eq!((server.received(), server.is_closing()), (String::new(), true));

    // Where there is no body, there is nothing to wait for.
    let server = Server::new();
    let _waiting = server.send(request(Method::POST, "/").expect_continue(true));
    assert!(!server.received().contains("Expect"));
}

#[test]
fn informational_responses_come_before_the_response() {
    let server = Server::new();
    let hints = Rc::new(Cell::new(0));
    let seen = Rc::clone(&hints);
    let outgoing = request(Method::GET, "/").on_informational(move |status, fields| {
        assert_eq!((status.as_u16(), fields.text("link")), (103, Some("</a.css>")));
        seen.set(seen.get() + 1);
    });
    let waiting = server.send(outgoing);
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let answer = format!("{hint}{hint}HTTP/1.1 100 Continue\r\n\r\n{}", ok("a"));
    let response = server.respond(&waiting, answer).unwrap();
    assert_eq!((hints.get(), server.text(&response).unwrap()), (2, "a".to_owned()));

    let server = Server::with_config(ConnectionConfig::default().informational_max(2));
    let waiting = server.get("/");
    let error = server.respond(&waiting, hint.repeat(3)).unwrap_err();
    assert!(matches!(error, RequestError::TooManyInformational { max: 2 }), "{error}");
    assert!(server.is_closing());
}
