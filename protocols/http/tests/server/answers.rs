//! Tests of single responses: framing by method, version and status; late responses; dropped replies.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    StatusCode,
    server::{Body, Reply, Request, Response, answer, answer_async},
};

use crate::support::{Client, get, ok, refused};

fn echo_target(request: Request, reply: Reply) {
    reply.send(Response::text(request.head().target().to_owned()));
}

#[test]
fn a_plain_request() {
    let client = Client::new(answer(|_| "hello\n"));
    assert_eq!(client.ask(get("/")), ok("hello\n"));
    assert_eq!(client.ask(get("/")), ok("hello\n"), "a second request on the same connection");
    assert!(!client.is_closing());
}

#[test]
fn framing_by_method_version_and_status() {
    let handler = |request: Request, reply: Reply| {
        let response = match request.path() {
            "/204" => Response::new(StatusCode::NO_CONTENT),
            "/304" => Response::new(StatusCode::NOT_MODIFIED),
            "/304-body" => Response::text("x").with_status(StatusCode::NOT_MODIFIED),
            "/empty" => Response::new(StatusCode::OK),
            "/404" => Response::text("no\n").with_status(StatusCode::NOT_FOUND),
            "/418" => Response::new(StatusCode::from_u16(418).unwrap()),
            "/777" => Response::new(StatusCode::from_u16(777).unwrap()),
            "/close" => Response::text("x").with_close(),
            _ => Response::text("x"),
        };
        reply.send(response);
    };
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    let cases = [
        ("GET /204 HTTP/1.1", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
        ("GET /304 HTTP/1.1", "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(), false),
        ("GET /304-body HTTP/1.1", format!("HTTP/1.1 304 Not Modified\r\n{text}\r\n"), false),
        ("GET /empty HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), false),
        (
            "GET /404 HTTP/1.1",
            format!("HTTP/1.1 404 Not Found\r\n{text}Content-Length: 3\r\n\r\nno\n"),
            false,
        ),
        (
            "GET /418 HTTP/1.1",
            "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n".to_owned(),
            false,
        ),
        ("GET /777 HTTP/1.1", "HTTP/1.1 777 \r\nContent-Length: 0\r\n\r\n".to_owned(), false),
        // head_has_no_body
        ("HEAD / HTTP/1.1", format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 1\r\n\r\n"), false),
        (
            "HEAD /404 HTTP/1.1",
            format!("HTTP/1.1 404 Not Found\r\n{text}Content-Length: 3\r\n\r\n"),
            false,
        ),
        ("HEAD /empty HTTP/1.1", "HTTP/1.1 200 OK\r\n\r\n".to_owned(), false),
        ("OPTIONS * HTTP/1.1", ok("x"), false),
        (
            "GET /close HTTP/1.1",
            format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 1\r\nConnection: close\r\n\r\nx"),
            true,
        ),
        (
            "GET / HTTP/1.0",
            format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 1\r\nConnection: close\r\n\r\nx"),
            true,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive",
            format!(
                "HTTP/1.1 200 OK\r\n{text}Content-Length: 1\r\nConnection: keep-alive\r\n\r\nx"
            ),
            false,
        ),
        (
            "GET / HTTP/1.1\r\nConnection: close",
            format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 1\r\nConnection: close\r\n\r\nx"),
            true,
        ),
    ];
    for (request, expected, closes) in cases {
        let client = Client::new(handler);
        assert_eq!(client.ask(format!("{request}\r\nHost: a\r\n\r\n")), expected, "{request}");
        assert_eq!(client.is_closing(), closes, "{request}");
    }
}

#[test]
fn a_source_by_version_and_method() {
    let handler = |_: Request, reply: Reply| {
        let (writer, body) = Body::writer();
        writer.write("abc");
        writer.finish();
        reply.send(Response::new(StatusCode::OK).with_body(body));
    };
    let cases = [
        ("GET / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false),
        ("HEAD / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n", false),
        ("GET / HTTP/1.0", "Connection: close\r\n\r\nabc", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive", "Connection: close\r\n\r\nabc", true),
    ];
    for (request, expected, closes) in cases {
        let client = Client::new(handler);
        let received = client.ask(format!("{request}\r\nHost: a\r\n\r\n"));
        assert_eq!(received, format!("HTTP/1.1 200 OK\r\n{expected}"), "{request}");
        assert_eq!(client.is_closing(), closes, "{request}");
    }
}

#[test]
fn what_the_handler_sees() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&seen);
    let client = Client::new(move |request: Request, reply: Reply| {
        noted.borrow_mut().push((
            request.path().to_owned(),
            request.query().map(str::to_owned),
            request.query_value("n"),
            request.cookie("id").map(str::to_owned),
            request.field("x-a").map(str::to_owned),
            request.authority().map(str::to_owned),
        ));
        reply.send("");
    });
    client.send("GET /a%20b?m=1&n=%C3%A4 HTTP/1.1\r\nHost: h:1\r\nCookie: x=y; id=\"z\"; id=2\r\nX-A: b\r\n\r\n");
    client.send("GET http://other/ HTTP/1.1\r\nHost: other\r\n\r\n");
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        *seen.borrow(),
        [
            (
                "/a%20b".to_owned(),
                some("m=1&n=%C3%A4"),
                some("\u{e4}"),
                some("z"),
                some("b"),
                some("h:1")
            ),
            ("/".to_owned(), None, None, None, None, some("other")),
        ]
    );
}

#[test]
fn an_answer_may_come_later() {
    let client = Client::new(|request: Request, reply: Reply| {
        let later = move |_: &_| reply.send("late");
        request.reactor().call_later(Duration::from_secs(5), later);
    });
    assert_eq!(client.ask(get("/")), "");
    client.advance(Duration::from_secs(4));
    assert_eq!(client.received(), "");
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), ok("late"));
    assert_eq!(client.ask(get("/")), "");
    client.advance(Duration::from_secs(5));
    assert_eq!(client.received(), ok("late"));
}

#[test]
fn an_answer_may_be_a_future() {
    let client = Client::new(answer_async(|request: Request| async move {
        request.reactor().sleep(Duration::from_secs(2)).await;
        request.path().to_owned()
    }));
    client.send(get("/x")).advance(Duration::from_secs(2));
    assert_eq!(client.received(), ok("/x"));
}

#[test]
fn a_reply_that_is_dropped_is_a_500() {
    let client = Client::new(|_: Request, reply: Reply| drop(reply));
    assert_eq!(client.ask(get("/")), refused("500 Internal Server Error"));
    assert!(client.is_closing());
    // Also later, from a timer.
    let client = Client::new(|request: Request, reply: Reply| {
        request.reactor().call_later(Duration::from_secs(1), move |_| drop(reply));
    });
    client.send(get("/")).advance(Duration::from_secs(1));
    assert_eq!(client.received(), refused("500 Internal Server Error"));
}

#[test]
fn a_panic_ends_this_connection_only() {
    let reactor = sinew_transports::reactor::Reactor::simulated(0);
    let server = sinew_http::server::HttpServer::new(|request: Request, reply: Reply| {
        assert!(request.path() != "/panic", "a panic of a handler");
        echo_target(request, reply);
    });
    let (one, two) = (Client::of(&reactor, &server), Client::of(&reactor, &server));
    assert_eq!(one.ask(get("/panic")), "");
    assert!(one.is_closing());
    assert_eq!(two.ask(get("/a?b")), ok("/a?b"));
}

#[test]
fn layers_change_answers_from_the_inside_out() {
    let client = Client::new(|_: Request, reply: Reply| {
        let reply = reply.map(|_, response| response.append("X-Order", "outer").unwrap());
        let reply = reply.map(|_, response| response.append("X-Order", "inner").unwrap());
        reply.send(Response::new(StatusCode::OK));
    });
    let expected =
        "HTTP/1.1 200 OK\r\nX-Order: inner\r\nX-Order: outer\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(client.ask(get("/")), expected);
}

#[test]
fn callbacks_are_told_the_outcome() {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&ends);
    let client = Client::new(move |request: Request, reply: Reply| {
        let noted = Rc::clone(&noted);
        let reply = reply.on_end(move |request, ended| {
            noted.borrow_mut().push((
                request.path().to_owned(),
                ended.status,
                ended.bytes,
                ended.complete,
            ));
        });
        if request.path() == "/never" {
            std::mem::forget(reply);
        } else {
            reply.send("abc");
        }
    });
    client.send(get("/a")).send(get("/never"));
    client.wire.reset();
    client.advance(Duration::ZERO);
    let ok = Some(StatusCode::OK);
    assert_eq!(
        *ends.borrow(),
        [("/a".to_owned(), ok, 3, true), ("/never".to_owned(), None, 0, false)]
    );
}

#[test]
fn a_handler_is_told_that_its_client_disconnected() {
    let gone = Rc::new(RefCell::new(0));
    let kept = Rc::new(RefCell::new(None));
    let (noted, keep) = (Rc::clone(&gone), Rc::clone(&kept));
    let client = Client::new(move |request: Request, reply: Reply| {
        let noted = Rc::clone(&noted);
        request.on_disconnect(move |_| *noted.borrow_mut() += 1);
        *keep.borrow_mut() = Some((request, reply));
    });
    client.send(get("/"));
    assert_eq!(*gone.borrow(), 0);
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert_eq!(*gone.borrow(), 1);
    let (request, reply) = kept.borrow_mut().take().unwrap();
    assert!(reply.is_gone());
    reply.send("too late, and quiet about it");
    // A callback that is registered now is still called, by the loop.
    let noted = Rc::clone(&gone);
    request.on_disconnect(move |_| *noted.borrow_mut() += 1);
    assert_eq!(*gone.borrow(), 1);
    client.advance(Duration::ZERO);
    assert_eq!(*gone.borrow(), 2);
}

#[test]
fn a_rejected_request_gets_a_status_and_closes() {
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n",
            "501 Not Implemented",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "417 Expectation Failed"),
    ];
    for (request, status) in cases {
        let client = Client::new(|_: Request, _: Reply| panic!("no handler is asked"));
        assert_eq!(client.ask(request), refused(status), "{request:?}");
        assert!(client.is_closing());
    }
    let client = Client::new(answer(|_| "x"));
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000));
    assert_eq!(client.ask(long), refused("414 URI Too Long"));
    let client = Client::new(answer(|_| "x"));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "A: b\r\n".repeat(200));
    assert_eq!(client.ask(many), refused("431 Request Header Fields Too Large"));
}

#[test]
fn informational_responses_come_before_the_answer() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&told);
    let client = Client::new(move |_: Request, reply: Reply| {
        let mut fields = sinew_http::Fields::new();
        fields.append("Link", "</style.css>; rel=preload").unwrap();
        let inform = |status: u16| reply.inform(StatusCode::from_u16(status).unwrap(), &fields);
        noted.borrow_mut().push([103, 200, 101].map(inform));
        reply.send("x");
    });
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    client.wire.receive(get("/"));
    client.advance(Duration::ZERO);
    let received = String::from_utf8(client.wire.take(usize::MAX)).unwrap();
    assert!(received.starts_with(&format!("{hints}HTTP/1.1 200 OK\r\nDate: ")), "{received}");
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert!(client.received().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(*told.borrow(), [[true, false, false], [false; 3]]);
}

#[test]
fn a_final_answer_is_final() {
    let client = Client::new(answer(|_| Response::new(StatusCode::CONTINUE)));
    assert!(client.ask(get("/")).starts_with("HTTP/1.1 500 "));
    let client = Client::new(answer(|_| "no tunnel"));
    let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
    assert!(client.ask(connect).starts_with("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0"));
}
