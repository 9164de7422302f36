//! Messages between a client and a server, and how both close.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::websocket::{
    CloseCode, CloseReason, DeflateConfig, Opcode, PreparedMessage, WebSocketConfig, encode_frame,
};
use sinew_transports::Peer;

use crate::ends::{Ends, Recorder, Scripted, client, endpoint, listen};

fn deflate() -> DeflateConfig {
    DeflateConfig::default().compress_from(0)
}

#[test]
fn messages_both_ways() {
    let takeover = deflate().send_context_takeover(true).receive_context_takeover(true);
    let configs = [
        WebSocketConfig::default(),
        WebSocketConfig::default().fragment_len(700),
        WebSocketConfig::default().deflate(deflate()),
        WebSocketConfig::default().deflate(takeover.clone()).fragment_len(300),
        WebSocketConfig::default().deflate(takeover.send_window_bits(9).receive_window_bits(10)),
    ];
    for config in configs {
        let ends = Ends::new(config);
        assert_eq!(
            (ends.server.told(), ends.client.told()),
            (vec!["opened a".into()], vec!["opened a".into()])
        );
        for (from, to) in [(&ends.client, &ends.server), (&ends.server, &ends.client)] {
            for text in ["one", "", "\u{20ac}\u{1f600}", "one"] {
                from.socket().send_text(text);
            }
            from.socket().send_binary(vec![1; 100_000]);
            let prepared = PreparedMessage::text("news");
            from.socket().send(&prepared);
            from.socket().send(&prepared);
            from.socket().send_text("echo back");
            from.socket().ping(b"p");
            ends.settle();
            let expected = ["one", "", "\u{20ac}\u{1f600}", "one", "100000 bytes", "news", "news"];
            let (pings, told): (Vec<_>, Vec<_>) =
                to.told().into_iter().partition(|event| event.starts_with("ping"));
            assert_eq!(told, expected);
            assert_eq!(pings, ["ping p"]);
            let mut told = from.told();
            told.sort();
            assert_eq!(told, ["back", "pong p"]);
        }
    }
}

/// The frames of a client are masked, each with a key of its own.
#[test]
fn masks_are_never_the_same() {
    let ends = scripted();
    for _ in 0..100 {
        ends.client.socket().send_text("hello");
    }
    ends.settle();
    let received = ends.received();
    let mut masks: Vec<_> = received.chunks(11).map(|frame| frame[2..6].to_vec()).collect();
    for frame in received.chunks(11) {
        assert_eq!(frame[..2], [0x81, 0x85]);
        let text: Vec<u8> = (0..5).map(|at| frame[6 + at] ^ frame[2 + at % 4]).collect();
        assert_eq!(text, b"hello");
    }
    masks.sort();
    masks.dedup();
    assert_eq!(masks.len(), 100);
}

#[test]
fn either_end_closes() {
    let reason = CloseReason::new(CloseCode::new(3_000).unwrap(), "done");
    let ends = Ends::new(WebSocketConfig::default());
    ends.client.socket().close(reason.clone());
    ends.settle();
    assert_eq!(ends.client.told(), ["opened a", "closed 3000 done"]);
    assert_eq!(ends.server.told(), ["opened a", "closed 3000 done"]);
    let ends = Ends::new(WebSocketConfig::default());
    ends.server.socket().close(reason);
    ends.settle();
    assert_eq!(ends.client.told(), ["opened a", "closed 3000 done"]);
    assert_eq!(ends.server.told(), ["opened a", "closed 3000 done"]);
    // Both at once: each gives its own reason.
    let ends = Ends::new(WebSocketConfig::default());
    ends.client.socket().close(CloseCode::NORMAL);
    ends.server.socket().close(CloseCode::GOING_AWAY);
    ends.settle();
    assert_eq!(ends.client.told(), ["opened a", "closed 1000 "]);
    assert_eq!(ends.server.told(), ["opened a", "closed 1001 "]);
}

/// A client, and a server that does nothing by itself.
struct WithScript {
    reactor: sinew_transports::reactor::Reactor,
    client: Recorder,
    server: Rc<RefCell<Vec<sinew_transports::Transport>>>,
    received: Rc<RefCell<Vec<u8>>>,
    _port: sinew_transports::ListeningPort<sinew_transports::Address>,
}

/// The server's end: keeps what it receives, and its transport.
struct Kept(Scripted, Rc<RefCell<Vec<sinew_transports::Transport>>>, bool);

impl sinew_transports::Protocol for Kept {
    fn connection_made(&mut self, transport: &sinew_transports::Transport) {
        self.1.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, transport: &sinew_transports::Transport, data: &[u8]) {
        if std::mem::take(&mut self.2) {
            let key = String::from_utf8_lossy(data);
            let key = key.split("Sec-WebSocket-Key: ").nth(1).unwrap();
            let key = key.split("\r\n").next().unwrap();
            transport.write(format!(
                "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                accept(key)
            ));
        } else {
            self.0.data_received(transport, data);
        }
    }
}

/// RFC 6455 4.2.2, by our server.
fn accept(key: &str) -> String {
    use sinew_http::{server::HttpServer, websocket::WebSocketUpgrade};
    use sinew_transports::{StreamConfig, memory, reactor::Reactor};
    let reactor = Reactor::simulated(0);
    let server = HttpServer::new(WebSocketUpgrade::new(|_| Recorder::default()));
    let (_, wire) =
        memory::connect(&reactor, StreamConfig::default(), server.connection()).unwrap();
    wire.receive(format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ));
    reactor.advance(Duration::ZERO).unwrap();
    let response = String::from_utf8(wire.sent()).unwrap();
    let accept = response.split("Sec-WebSocket-Accept: ").nth(1).unwrap();
    accept.split("\r\n").next().unwrap().to_owned()
}

fn scripted() -> WithScript {
    crate::watchdog::watch_this_test();
    let reactor = sinew_transports::reactor::Reactor::simulated(0);
    let (received, transports) = (Rc::default(), Rc::default());
    let (bytes, kept) = (Rc::clone(&received), Rc::clone(&transports));
    let port = listen(&reactor, move |_: &Peer| {
        let script = Scripted { answer: Vec::new(), received: Rc::clone(&bytes), closes: false };
        Kept(script, Rc::clone(&kept), true)
    });
    let recorder = Recorder::default();
    let opened = client().connect_to(&reactor, &endpoint(), recorder.clone());
    reactor.advance(Duration::ZERO).unwrap();
    assert!(opened.take().unwrap().is_ok());
    WithScript { reactor, client: recorder, server: transports, received, _port: port }
}

impl WithScript {
    fn settle(&self) {
        self.reactor.advance(Duration::ZERO).unwrap();
    }

    fn received(&self) -> Vec<u8> {
        self.received.take()
    }

    fn send(&self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        encode_frame(&mut frame, opcode, true, payload, None);
        self.transport().write(frame);
        self.settle();
    }

    fn transport(&self) -> sinew_transports::Transport {
        self.server.borrow()[0].clone()
    }

    fn is_lost(&self) -> bool {
        self.transport().is_closing()
    }
}

/// RFC 6455 7.1.1: the server closes the connection first; a client waits for it, but not for ever.
#[test]
fn a_client_waits_for_the_server_to_close() {
    let ends = scripted();
    ends.send(Opcode::Close, &[3, 232]);
    assert_eq!(ends.received()[..2], [0x88, 0x82]);
    ends.reactor.advance(Duration::from_millis(4_999)).unwrap();
    assert!(!ends.is_lost());
    ends.reactor.advance(Duration::from_millis(1)).unwrap();
    assert!(ends.is_lost());
    assert_eq!(ends.client.told(), ["opened -", "closed 1000 "]);
}

#[test]
fn a_client_that_gets_no_answer_to_its_close() {
    let ends = scripted();
    ends.client.socket().close(CloseCode::NORMAL);
    ends.settle();
    assert_eq!(ends.received()[..2], [0x88, 0x82]);
    ends.send(Opcode::Text, b"not delivered any more");
    ends.reactor.advance(Duration::from_secs(5)).unwrap();
    assert!(ends.is_lost());
    assert_eq!(ends.client.told(), ["opened -", "closed 1000 "]);
}

#[test]
fn a_server_that_masks_is_refused() {
    let ends = scripted();
    let mut frame = Vec::new();
    encode_frame(&mut frame, Opcode::Text, true, b"x", Some([1; 4]));
    ends.transport().write(frame);
    ends.settle();
    let told = ends.client.told();
    assert_eq!(told, ["opened -", "closed 1002 protocol violation: a frame with a mask"]);
    assert_eq!(ends.received()[0], 0x88);
}

#[test]
fn a_client_pings_in_silence() {
    let ends = scripted();
    ends.reactor.advance(Duration::from_secs(60)).unwrap();
    let received = ends.received();
    assert_eq!(
        (received.len(), &received[..2], &received[6..8]),
        (12, &[0x89, 0x80][..], &[0x89, 0x80][..])
    );
    ends.reactor.advance(Duration::from_secs(30)).unwrap();
    assert_eq!(ends.client.told(), ["opened -", "closed 1006 pings were not answered"]);
}
