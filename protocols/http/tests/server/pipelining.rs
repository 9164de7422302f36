//! Tests of pipelining: responses in order, in one write if possible, and within limits.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use sinew_http::{
    StatusCode,
    server::{Body, Reply, Request, Response, ServerConfig, answer},
};

use crate::support::{Client, get, ok};

type Kept = Rc<RefCell<VecDeque<(Request, Reply)>>>;

fn keeping() -> (Kept, impl Fn(Request, Reply)) {
    let kept = Kept::default();
    let keep = Rc::clone(&kept);
    (kept, move |request, reply| keep.borrow_mut().push_back((request, reply)))
}

#[test]
fn ten_at_once_are_answered_in_order() {
    let client = Client::new(answer(|request: &Request| request.path().to_owned()));
    let requests: String = (0..10).map(|n| get(&format!("/{n}"))).collect();
    let answers: String = (0..10).map(|n| ok(&format!("/{n}"))).collect();
    assert_eq!(client.ask(requests), answers);
}

#[test]
fn answers_in_order_when_the_first_is_slow() {
    let (kept, handler) = keeping();
    let client = Client::new(handler);
    let requests: String = (0..10).map(|n| get(&format!("/{n}"))).collect();
    assert_eq!(client.ask(requests), "");
    assert_eq!(kept.borrow().len(), 1, "one request is handled at a time");
    for n in 0..10 {
        let (request, reply) = kept.borrow_mut().pop_front().unwrap();
        assert_eq!(request.path(), format!("/{n}"));
        reply.send(Response::text(request.path().to_owned()));
        assert_eq!(client.received(), ok(&format!("/{n}")));
    }
}

#[test]
fn reading_pauses_while_a_request_is_handled() {
    let (kept, handler) = keeping();
    let config = ServerConfig::default().read_ahead_max(1_000);
    let client = Client::with_config(handler, config);
    client.send(get("/slow"));
    assert!(!client.wire.is_paused(), "the end of the connection would not be noticed");
    for _ in 0..100 {
        client.send(get("/next"));
    }
    assert!(client.wire.is_paused());
    assert!(
        client.wire.unread_len() > 2_000,
        "{} bytes stay with the client",
        client.wire.unread_len()
    );
    for _ in 0..101 {
        let (_, reply) = kept.borrow_mut().pop_front().unwrap();
        reply.send("");
        client.advance(Duration::ZERO);
    }
    assert!(!client.wire.is_paused());
    assert_eq!(client.received().matches("200 OK").count(), 101);
}

#[test]
fn pipelining_pauses_while_the_client_does_not_read() {
    let big = "x".repeat(100_000);
    let asked = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&asked);
    let client = Client::new(answer(move |_| {
        *counted.borrow_mut() += 1;
        big.clone()
    }));
    client.wire.set_capacity(1_000);
    client.send(get("/").repeat(500));
    assert!(
        *asked.borrow() <= 3,
        "{} responses are queued for a client that reads nothing",
        asked.borrow()
    );
    client.wire.set_capacity(1 << 20);
    assert_eq!(client.received().matches("200 OK").count(), 500);
    assert_eq!(*asked.borrow(), 500);
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    let client = Client::with_config(answer(|_| ""), ServerConfig::default().requests_max(2));
    let plain =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n";
    assert_eq!(
        client.ask(get("/").repeat(3)),
        format!("{plain}\r\n{plain}Connection: close\r\n\r\n")
    );
    assert!(client.is_closing());
}

#[test]
fn nothing_is_answered_after_a_close() {
    let client = Client::new(answer(|_| ""));
    let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(client.ask(format!("{close}{}", get("/"))).matches("200 OK").count(), 1);
}

#[test]
fn invalid_request_after_valid_ones() {
    let client = Client::new(answer(|_| ""));
    let received = client.ask(format!("{0}{0}GET\r\n\r\n{0}", get("/")));
    assert_eq!(received.matches("200 OK").count(), 2);
    assert!(received.ends_with(&crate::support::refused("400 Bad Request")), "{received}");
}

#[test]
fn streamed_responses_stay_in_order() {
    let writers = Rc::new(RefCell::new(VecDeque::new()));
    let keep = Rc::clone(&writers);
    let client = Client::new(move |request: Request, reply: Reply| {
        if request.path() == "/plain" {
            return reply.send("plain");
        }
        let (writer, body) = Body::writer();
        keep.borrow_mut().push_back(writer);
        reply.send(Response::new(StatusCode::OK).with_body(body));
    });
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(client.ask([get("/stream"), get("/plain"), get("/stream")].concat()), head);
    let writer = writers.borrow_mut().pop_front().unwrap();
    writer.write("one");
    assert_eq!(client.received(), "3\r\none\r\n");
    writer.write("two");
    writer.finish();
    assert_eq!(client.received(), format!("3\r\ntwo\r\n0\r\n\r\n{}{head}", ok("plain")));
    writers.borrow_mut().pop_front().unwrap().finish();
    assert_eq!(client.received(), "0\r\n\r\n");
    assert_eq!(client.ask(get("/plain")), ok("plain"));
}

/// Others have their turn however much a client pipelines, and it is not forgotten, also if the client ends its side behind it.
#[test]
fn requests_of_a_turn_are_bounded() {
    const REQUESTS: usize = 1_000;
    for ends in [false, true] {
        let config = ServerConfig::default().requests_max(u32::MAX);
        let client = Client::with_config(answer(|_: &Request| "hello"), config);
        client.wire.receive(get("/").repeat(REQUESTS).as_bytes());
        if ends {
            client.wire.close();
        }
        let mut answered = 0;
        while answered < REQUESTS {
            client.reactor.turn(Some(Duration::ZERO)).expect("it turns");
            let answers = String::from_utf8(client.wire.take(usize::MAX)).expect("text");
            let in_turn = answers.matches("HTTP/1.1 200").count();
            assert!((1..=64).contains(&in_turn), "{in_turn} requests in one turn");
            answered += in_turn;
        }
        client.advance(Duration::ZERO);
        assert_eq!(client.is_closing(), ends);
    }
}
