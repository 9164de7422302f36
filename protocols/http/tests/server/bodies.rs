//! Tests of request bodies: collected, streamed, requested, rejected, and unread.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    Fields, StatusCode,
    codec::BodyError,
    server::{
        BodyControl, BodyReceiver, Reply, Request, Response, ServerConfig, answer, answer_async,
    },
};

use crate::support::{Client, get, ok, refused};

fn post(len: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n")
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Echoes the body.
fn echo(request: Request, reply: Reply) {
    request.collect().then(move |_, body| {
        if let Ok(body) = body {
            reply.send(Response::text(body));
        }
    });
}

#[test]
fn bodies_with_every_framing_are_collected() {
    let client = Client::new(echo);
    assert_eq!(client.ask(format!("{}hello", post(5))), ok("hello"));
    assert_eq!(client.ask(format!("{CHUNKED}3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")), ok("hello"));
    assert_eq!(client.ask(post(0)), ok(""));
    assert_eq!(client.ask(get("/")), ok(""));
    // In pieces, with the next request directly after it.
    assert_eq!(client.ask(post(5)), "");
    assert_eq!(client.ask("hel"), "");
    assert_eq!(client.ask(format!("lo{}x", post(1))), format!("{}{}", ok("hello"), ok("x")));
}

#[test]
fn a_body_that_is_too_long() {
    let config = || ServerConfig::default().body_max(4);
    let too_large = refused("413 Payload Too Large");
    let client = Client::with_config(echo, config());
    assert_eq!(client.ask(format!("{}hello", post(5))), too_large);
    assert!(client.is_closing());
    let client = Client::with_config(echo, config());
    assert_eq!(client.ask(format!("{CHUNKED}3\r\nhel\r\n2\r\nlo\r\n")), too_large);
    let client = Client::with_config(echo, config());
    assert_eq!(client.ask(format!("{}hell", post(4))), ok("hell"));
}

#[test]
fn a_body_that_is_malformed() {
    let client = Client::new(echo);
    assert_eq!(client.ask(format!("{CHUNKED}xyz\r\n")), refused("400 Bad Request"));
    assert!(client.is_closing());
}

#[test]
fn expect_continue_is_answered_when_the_body_is_read() {
    let expects = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let client = Client::new(echo);
    assert_eq!(client.ask(expects), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.ask("hello"), ok("hello"));
    // Not if the client has sent the body already.
    assert_eq!(client.ask(format!("{expects}hello")), ok("hello"));
    // expect_refused: not if the handler does not read it. What arrives then may be the body or not, so the connection closes.
    let client = Client::new(answer(|_| StatusCode::FORBIDDEN));
    assert_eq!(client.ask(expects), refused("403 Forbidden"));
    assert!(client.is_closing());
    // Only once the handler reads it.
    let client = Client::new(|request: Request, reply: Reply| {
        let reactor = request.reactor();
        reactor.call_later(Duration::from_secs(1), move |_| echo(request, reply));
    });
    assert_eq!(client.ask(expects), "");
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn unread_body_is_not_parsed_as_a_request() {
    let client = Client::new(answer(|request: &Request| request.path().to_owned()));
    let hidden = get("/hidden");
    let first = format!("{}{hidden}", post(hidden.len()));
    assert_eq!(client.ask(format!("{first}{}", get("/b"))), format!("{}{}", ok("/"), ok("/b")));
    let chunk = format!("{CHUNKED}{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    assert_eq!(client.ask(format!("{chunk}{}", get("/b"))), format!("{}{}", ok("/"), ok("/b")));
    // In pieces.
    assert_eq!(client.ask(post(hidden.len())), ok("/"));
    assert_eq!(client.ask(&hidden[..9]), "");
    assert_eq!(client.ask(format!("{}{}", &hidden[9..], get("/c"))), ok("/c"));
    // A body that is too long to be skipped.
    assert!(client.ask(post(1 << 20)).contains("Connection: close"));
    assert!(client.is_closing());
    // A chunked one, whose length was not announced.
    let client = Client::new(answer(|_| ""));
    client.send(CHUNKED);
    for _ in 0..70 {
        if !client.is_closing() {
            client.send(format!("400\r\n{}\r\n", "x".repeat(1024)));
        }
    }
    assert!(client.is_closing());
}

#[test]
fn a_body_ends_with_the_connection() {
    let client = Client::new(echo);
    assert_eq!(client.send(format!("{}hel", post(5))).end().received(), refused("400 Bad Request"));
    assert!(client.is_closing());
}

/// What a receiver was told of a body.
type Told = Rc<RefCell<Vec<String>>>;

struct Notes {
    told: Told,
    reply: Reply,
    pause_at: &'static [u8],
    control: Rc<RefCell<Option<BodyControl>>>,
}

impl BodyReceiver for Notes {
    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        self.told.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
        if data == self.pause_at {
            body.pause();
            *self.control.borrow_mut() = Some(body.clone());
        }
    }

    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
        self.told.borrow_mut().push(match end {
            Ok(trailers) => format!("end {trailers:?}"),
            Err(error) => error.to_string(),
        });
        self.reply.send("done");
    }
}

#[test]
fn a_body_is_streamed_with_trailers_and_held_back() {
    let (told, control) = (Told::default(), Rc::default());
    let (noted, held) = (Rc::clone(&told), Rc::clone(&control));
    let client = Client::new(move |request: Request, reply: Reply| {
        let (told, control) = (Rc::clone(&noted), Rc::clone(&held));
        request.receive(Notes { told, reply, pause_at: b"two", control });
    });
    client.send(format!(
        "{CHUNKED}3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nX-Sum: 9\r\n\r\n{}",
        get("/")
    ));
    assert_eq!(*told.borrow(), ["one", "two"]);
    assert!(client.wire.is_paused());
    let control: BodyControl = control.take().unwrap();
    control.resume();
    assert_eq!(*told.borrow(), ["one", "two"], "not from inside the call");
    assert_eq!(client.received(), ok("done").repeat(2));
    assert_eq!(*told.borrow(), ["one", "two", "three", r#"end {"X-Sum": "9"}"#, "end {}"]);
    // Truncated.
    client.send(format!("{}abc", post(5))).end();
    assert_eq!(told.borrow().last().unwrap(), "the connection ended before the body did");
    assert_eq!(client.received(), refused("400 Bad Request"));
}

#[test]
fn a_body_is_pulled_piece_by_piece() {
    let client = Client::new(answer_async(|request: Request| async move {
        let mut pieces = Vec::new();
        while let Some(piece) = request.next_piece().await.unwrap() {
            pieces.push(piece.len().to_string());
            request.reactor().sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(request.next_piece().await, Ok(None), "and again");
        format!("{} {:?}", pieces.join(","), request.take_trailers())
    }));
    client.send(format!("{CHUNKED}1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\nA: b\r\n\r\n"));
    assert_eq!(client.received(), "");
    client.advance(Duration::from_secs(3));
    assert_eq!(client.received(), ok(r#"1,2,3 {"A": "b"}"#));
}

#[test]
fn a_body_has_one_reader() {
    let client = Client::new(|request: Request, reply: Reply| {
        let first = request.collect();
        let second = request.collect();
        second.then(|_, body| assert_eq!(body, Err(BodyError::Taken)));
        first.then(move |_, body| reply.send(Response::text(body.unwrap())));
    });
    assert_eq!(client.ask(format!("{}hello", post(5))), ok("hello"));
}

#[test]
fn an_unread_body_pauses_the_client() {
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let client = Client::new(move |request: Request, reply: Reply| {
        *keep.borrow_mut() = Some((request, reply))
    });
    client.send(post(200_000));
    client.send("x".repeat(100_000)).send("x".repeat(100_000));
    assert!(client.wire.is_paused() && client.wire.unread_len() >= 100_000);
    let (request, reply) = kept.take().unwrap();
    request
        .collect()
        .then(move |_, body| reply.send(Response::text(body.unwrap().len().to_string())));
    assert_eq!(client.received(), ok("200000"));
}

#[test]
fn a_body_that_comes_too_slowly() {
    let client = Client::new(echo);
    client.send(post(100_000));
    // Fast at first, but not slower than the minimum rate later.
    client.send("x".repeat(8_000)).advance(Duration::from_secs(30));
    assert!(!client.is_closing());
    for _ in 0..29 {
        client.send("x").advance(Duration::from_secs(1));
    }
    assert!(!client.is_closing());
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), refused("408 Request Timeout"));
    // The rate does not apply while the receiver has paused the body.
    let (told, control) = (Told::default(), Rc::default());
    let (noted, held) = (Rc::clone(&told), Rc::clone(&control));
    let client = Client::new(move |request: Request, reply: Reply| {
        let (told, control) = (Rc::clone(&noted), Rc::clone(&held));
        request.receive(Notes { told, reply, pause_at: b"one", control });
    });
    client.send(format!("{}one", post(6))).advance(Duration::from_secs(300));
    assert!(!client.is_closing());
    control.borrow().as_ref().unwrap().resume();
    assert_eq!(client.ask("two"), ok("done"));
}

#[test]
fn a_reader_is_told_that_the_response_was_sent_first() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&told);
    let client = Client::new(move |request: Request, reply: Reply| {
        let noted = Rc::clone(&noted);
        request.collect().then(move |_, body| noted.borrow_mut().push(body));
        reply.send("early");
    });
    assert_eq!(client.ask(post(5)), ok("early"));
    assert_eq!(*told.borrow(), [Err(BodyError::Taken)]);
    assert_eq!(client.ask(format!("hello{}", get("/"))), ok("early"));
    assert_eq!(told.borrow()[1], Ok("".into()), "there is no body to wait for");
}

#[test]
fn a_body_truncated_before_it_is_read() {
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let client = Client::new(move |request: Request, reply: Reply| {
        *keep.borrow_mut() = Some((request, reply));
    });
    client.send(format!("{}hel", post(5))).end();
    let (request, reply) = kept.take().unwrap();
    let told = Rc::new(RefCell::new(None));
    let noted = Rc::clone(&told);
    request.collect().then(move |_, body| *noted.borrow_mut() = Some(body));
    assert_eq!(client.received(), refused("400 Bad Request"));
    assert_eq!(told.take(), Some(Err(BodyError::Truncated)));
    assert!(reply.is_gone() && client.is_closing());
}
