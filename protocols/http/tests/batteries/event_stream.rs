//! Tests of server-sent events.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::server::{Event, EventStream, Reply, Request};
use sinew_transports::WriteStatus;

use crate::support::{Client, get};

type Kept = Rc<RefCell<Option<EventStream>>>;

fn client() -> (Client, Kept) {
    let kept = Kept::default();
    let keep = Rc::clone(&kept);
    let client = Client::new(move |_: Request, reply: Reply| {
        let (stream, response) = EventStream::new();
        reply.send(response);
        *keep.borrow_mut() = Some(stream);
    });
    (client, kept)
}

#[test]
fn events_go_out_as_they_come() {
    let (client, kept) = client();
    let head = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(client.ask(get("/")), head);
    let send = |event: Event| {
        kept.borrow().as_ref().unwrap().send(&event);
        client.received()
    };
    assert_eq!(send(Event::new("a")), "9\r\ndata: a\n\n\r\n");
    // Each kind of line end.
    assert_eq!(
        send(Event::new("a\nb\r\nc\rd")),
        "21\r\ndata: a\ndata: b\ndata: c\ndata: d\n\n\r\n"
    );
    assert_eq!(
        send(Event::new("").name("n").unwrap().id("7").unwrap()),
        "17\r\nevent: n\nid: 7\ndata: \n\n\r\n"
    );
    kept.borrow().as_ref().unwrap().keep_alive();
    assert_eq!(client.received(), "3\r\n:\n\n\r\n");
    // A silent handler is not a client that reads nothing.
    client.advance(Duration::from_secs(3_600));
    assert!(!client.is_closing());
    drop(kept.take());
    assert_eq!(client.received(), "0\r\n\r\n");
}

#[test]
fn header_injection_is_rejected() {
    for bad in ["a\nb", "a\rb", "a\0"] {
        assert!(Event::new("").name(bad).is_err() && Event::new("").id(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_page_that_is_gone() {
    let (client, kept) = client();
    client.send(get("/"));
    client.wire.reset();
    client.advance(Duration::ZERO);
    let stream = kept.take().unwrap();
    assert!(stream.is_closed());
    assert_eq!(stream.send(&Event::new("a")), WriteStatus::Closed);
}
