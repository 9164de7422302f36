//! WebSockets as a client sees them: handshake, messages, closing, and keepalive.

use std::{
    cell::RefCell,
    io::{Read, Write},
    rc::Rc,
    time::Duration,
};

use crate::{support::Client, watchdog};
use sinew_http::{
    server::{HttpServer, Request, Router},
    websocket::{
        CloseCode, CloseReason, Opcode, PreparedMessage, WebSocket, WebSocketHandler,
        WebSocketUpgrade, encode_frame,
    },
};
use sinew_transports::{ReactorTcp, TimerId, reactor::Reactor};

pub(crate) type Told = Rc<RefCell<Vec<String>>>;

/// Echoes messages, and records events.
pub(crate) struct Echo(pub(crate) Told, pub(crate) Rc<RefCell<Option<WebSocket>>>);

impl WebSocketHandler for Echo {
    fn opened(&mut self, socket: &WebSocket) {
        *self.1.borrow_mut() = Some(socket.clone());
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
        match text {
            "close" => socket.close(CloseReason::new(CloseCode::NORMAL, "as you wish")),
            "pause" => socket.pause_reading(),
            _ => {
                socket.send_text(text);
            }
        }
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }

    fn pong(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.borrow_mut().push(format!("pong {}", data.escape_ascii()));
    }

    fn full(&mut self, _: &WebSocket) {
        self.0.borrow_mut().push("full".to_owned());
    }

    fn writable(&mut self, _: &WebSocket) {
        self.0.borrow_mut().push("writable".to_owned());
    }

    fn timer_fired(&mut self, _: &WebSocket, timer: TimerId) {
        self.0.borrow_mut().push(format!("timer {timer:?}"));
    }

    fn closed(&mut self, reason: &CloseReason) {
        self.0.borrow_mut().push(format!("closed {} {}", reason.code.number(), reason.text));
    }
}

pub(crate) struct Site {
    pub(crate) client: Client,
    told: Told,
    pub(crate) socket: Rc<RefCell<Option<WebSocket>>>,
}

pub(crate) fn site(
    change: impl FnOnce(
        WebSocketUpgrade<Box<dyn Fn(&Request) -> Echo>>,
    ) -> WebSocketUpgrade<Box<dyn Fn(&Request) -> Echo>>,
) -> Site {
    let (told, socket) = (Told::default(), Rc::default());
    let (notes, kept) = (Rc::clone(&told), Rc::clone(&socket));
    let build: Box<dyn Fn(&Request) -> Echo> =
        Box::new(move |_| Echo(Rc::clone(&notes), Rc::clone(&kept)));
    let client = Client::new(Router::new().get("/", change(WebSocketUpgrade::new(build))));
    Site { client, told, socket }
}

pub(crate) const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
pub(crate) const UPGRADE: &str =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

pub(crate) fn handshake(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: example.org\r\n{UPGRADE}{KEY}{fields}\r\n")
}

pub(crate) fn open() -> Site {
    let site = site(|upgrade| upgrade);
    assert!(site.client.ask(handshake("")).starts_with("HTTP/1.1 101 "));
    site
}

pub(crate) fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, opcode, true, payload, Some([9, 8, 7, 6]));
    out
}

pub(crate) fn unmasked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, opcode, true, payload, None);
    out
}

pub(crate) fn close(code: u16, text: &str) -> Vec<u8> {
    [&code.to_be_bytes(), text.as_bytes()].concat()
}

impl Site {
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        self.client.send(bytes);
        self.taken()
    }

    pub(crate) fn taken(&self) -> Vec<u8> {
        self.client.advance(Duration::ZERO);
        self.client.wire.take(usize::MAX)
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.take()
    }
}

#[test]
fn the_handshake() {
    let site = site(|upgrade| upgrade.protocol("b").protocol("a"));
    // The example of RFC 6455 1.3.
    assert_eq!(
        site.client.ask(handshake("Sec-WebSocket-Protocol: a, b, c\r\n")),
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    // client_order
    let site = self::site(|upgrade| upgrade.protocol("b").protocol("a").protocol_of_client());
    let accepted = site.client.ask(handshake("Sec-WebSocket-Protocol: x, a, b\r\n"));
    assert!(accepted.contains("Sec-WebSocket-Protocol: a\r\n"), "{accepted}");
    // no_common_subprotocol
    let site = super_site();
    let accepted = site.client.ask(handshake("Sec-WebSocket-Protocol: x\r\n"));
    assert!(accepted.starts_with("HTTP/1.1 101 ") && !accepted.contains("Protocol:"), "{accepted}");
}

fn super_site() -> Site {
    site(|upgrade| upgrade.protocol("a"))
}

#[test]
fn requests_that_are_no_handshakes() {
    let host = "Host: example.org\r\n";
    let cases = [
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), "426"),
        (
            format!(
                "GET / HTTP/1.1\r\n{host}{KEY}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ),
            "426",
        ),
        (handshake("").replace("websocket", "h2c"), "426"),
        (handshake("").replace("Version: 13", "Version: 8"), "426"),
        (handshake("").replace("HTTP/1.1", "HTTP/1.0"), "426"),
        (handshake("").replace(KEY, ""), "400"),
        (handshake(KEY), "400"),
        (handshake("").replace("Q==", "Q="), "400"),
        (handshake("").replace("dGhl", "dG*l"), "400"),
        (handshake("Content-Length: 1\r\n"), "400"),
    ];
    for (request, status) in cases {
        let received = site(|upgrade| upgrade).client.ask(&request);
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {received}");
        assert!(status != "426" || received.contains("Sec-WebSocket-Version: 13\r\n"));
    }
}

#[test]
fn foreign_origin() {
    let status = |origin: &str| {
        let site = site(|upgrade| upgrade.origin("https://friend.example"));
        site.client.ask(handshake(&format!("Origin: {origin}\r\n")))[9..12].to_owned()
    };
    for good in ["http://example.org", "https://example.org", "https://friend.example"] {
        assert_eq!(status(good), "101", "{good}");
    }
    for bad in [
        "https://evil.example",
        "null",
        "https://example.org.evil",
        "https://friend.example:1",
        "example.org",
    ] {
        assert_eq!(status(bad), "403", "{bad}");
    }
    let site = site(WebSocketUpgrade::any_origin);
    assert!(site.client.ask(handshake("Origin: null\r\n")).starts_with("HTTP/1.1 101 "));
}

#[test]
fn messages_round_trip() {
    let site = open();
    assert_eq!(
        site.ask(frame(Opcode::Text, "h\u{e4}llo".as_bytes())),
        unmasked(Opcode::Text, "h\u{e4}llo".as_bytes())
    );
    let big = vec![3; 100_000];
    assert_eq!(site.ask(frame(Opcode::Binary, &big)), unmasked(Opcode::Binary, &big));
    let several = [frame(Opcode::Text, b"a"), frame(Opcode::Text, b"b")].concat();
    assert_eq!(
        site.ask(several),
        [unmasked(Opcode::Text, b"a"), unmasked(Opcode::Text, b"b")].concat()
    );
    let socket = site.socket.borrow().clone().unwrap();
    let message = PreparedMessage::text("news");
    socket.send(&message);
    socket.send(&message);
    assert_eq!(site.taken(), unmasked(Opcode::Text, b"news").repeat(2));
}

#[test]
fn bytes_after_the_handshake() {
    let site = site(|upgrade| upgrade);
    let received = site.ask([handshake("").as_bytes(), &frame(Opcode::Text, b"early")].concat());
    assert!(received.ends_with(&unmasked(Opcode::Text, b"early")));
}

#[test]
fn ping_flood_one_pong() {
    let site = open();
    let pings = |count: u8| (0..count).flat_map(|n| frame(Opcode::Ping, &[n])).collect::<Vec<_>>();
    let pongs = |count: u8| (0..count).flat_map(|n| unmasked(Opcode::Pong, &[n])).collect();
    let few: Vec<u8> = pongs(16);
    assert_eq!(site.ask(pings(16)), few);
    // Of those beyond, only the last is answered.
    assert_eq!(site.ask(pings(200)), [few, unmasked(Opcode::Pong, &[199])].concat());
    site.ask(frame(Opcode::Pong, b"unasked"));
    assert_eq!(site.told(), ["pong unasked"]);
}

#[test]
fn the_peer_closes() {
    let site = open();
    assert_eq!(
        site.ask(frame(Opcode::Close, &close(3_000, "done"))),
        unmasked(Opcode::Close, &close(3_000, "done"))
    );
    assert!(site.client.wire.is_closing());
    site.client.end();
    assert_eq!(site.told(), ["closed 3000 done"]);
    // Without a code.
    let site = open();
    assert_eq!(site.ask(frame(Opcode::Close, b"")), unmasked(Opcode::Close, b""));
    site.client.end();
    assert_eq!(site.told(), ["closed 1005 "]);
}

#[test]
fn this_end_closes() {
    let site = open();
    let received =
        site.ask([frame(Opcode::Text, b"close"), frame(Opcode::Text, b"too late")].concat());
    assert_eq!(received, unmasked(Opcode::Close, &close(1_000, "as you wish")));
    assert!(!site.client.wire.is_closing(), "it waits for the answer");
    assert_eq!(site.ask(frame(Opcode::Close, &close(1_000, ""))), b"");
    assert!(site.client.wire.is_closing());
    site.client.end();
    assert_eq!(site.told(), ["close", "closed 1000 as you wish"]);
}

#[test]
fn peer_never_answers_close() {
    let site = open();
    site.ask(frame(Opcode::Text, b"close"));
    site.client.advance(Duration::from_millis(4_999));
    assert!(!site.client.wire.was_reset());
    site.client.advance(Duration::from_millis(1));
    assert!(site.client.wire.was_reset());
    assert_eq!(site.told(), ["close", "closed 1000 as you wish"]);
}

#[test]
fn protocol_errors_close_with_a_code() {
    for (bytes, code) in [
        (vec![0x81, 0x00], 1_002),
        (frame(Opcode::Text, b"\xff"), 1_007),
        (vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4], 1_009),
    ] {
        let site = open();
        let received = site.ask(bytes);
        assert_eq!(received[0], 0x88);
        assert_eq!(received[2..4], u16::to_be_bytes(code));
        assert!(site.client.wire.is_closing());
        site.client.end();
        assert!(site.told()[0].starts_with(&format!("closed {code} ")));
    }
}

#[test]
fn half_a_message_then_fin() {
    let site = open();
    site.client.send(&frame(Opcode::Text, b"hello")[..8]).end();
    assert_eq!(site.told(), ["closed 1006 closed by the peer"]);
}

#[test]
fn silence_is_pinged_and_then_dropped() {
    let site = open();
    let seconds = Duration::from_secs;
    let ping = unmasked(Opcode::Ping, b"");
    site.client.advance(seconds(30));
    assert_eq!(site.taken(), ping);
    site.ask(frame(Opcode::Pong, b""));
    site.client.advance(seconds(30));
    assert_eq!(site.taken(), ping, "any byte counts as an answer");
    site.client.advance(seconds(30));
    assert_eq!(site.taken(), ping);
    site.client.advance(seconds(30));
    assert!(site.client.wire.was_reset());
    assert_eq!(site.told(), ["pong ", "closed 1006 pings were not answered"]);
}

#[test]
fn drain_sends_1001() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let (told, socket) = (Told::default(), Rc::default());
    let notes = Rc::clone(&told);
    let upgrade =
        WebSocketUpgrade::new(move |_: &Request| Echo(Rc::clone(&notes), Rc::clone(&socket)));
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(upgrade)).unwrap();
    let mut stream = std::net::TcpStream::connect(port.local()).unwrap();
    let client = std::thread::spawn(move || {
        let closes = [frame(Opcode::Text, b"ready"), frame(Opcode::Close, &close(1_001, ""))];
        stream.write_all(handshake("").as_bytes()).unwrap();
        stream.write_all(&closes[0]).unwrap();
        let mut received = Vec::new();
        while !received.ends_with(&unmasked(Opcode::Close, &close(1_001, ""))) {
            let mut piece = [0; 1_000];
            let len = stream.read(&mut piece).unwrap();
            assert!(len > 0, "no close frame came");
            received.extend_from_slice(&piece[..len]);
        }
        stream.write_all(&closes[1]).unwrap();
        stream.read(&mut [0; 1]).unwrap()
    });
    let (handle, seen) = (reactor.clone(), Rc::clone(&told));
    let drained = async move {
        while seen.borrow().is_empty() {
            handle.sleep(Duration::from_millis(1)).await;
        }
        port.drain(Duration::from_secs(60)).await
    };
    reactor.run_until(drained).unwrap().unwrap();
    assert_eq!(client.join().unwrap(), 0);
    assert_eq!(told.take(), ["ready", "closed 1001 "]);
}

#[test]
fn a_pause_applies_to_the_next_message() {
    let site = open();
    let three =
        [frame(Opcode::Text, b"pause"), frame(Opcode::Text, b"a"), frame(Opcode::Text, b"b")]
            .concat();
    site.client.send(three);
    assert_eq!(site.told(), ["pause"]);
    site.socket.borrow().as_ref().unwrap().resume_reading();
    site.client.advance(Duration::ZERO);
    assert_eq!(site.told(), ["a", "b"]);
}

/// Those of the WebSocket itself, for its queue and for its end, are told to nobody.
#[test]
fn timers_of_the_handler() {
    let site = open();
    let socket = site.socket.borrow().clone().unwrap();
    let timer = socket.call_later(Duration::from_secs(1)).unwrap();
    let cancelled = socket.call_later(Duration::from_secs(1)).unwrap();
    socket.cancel_timer(cancelled);
    site.client.wire.set_capacity(0);
    for _ in 0..20 {
        socket.send_binary([0; 10_000]);
    }
    site.client.advance(Duration::from_millis(999));
    assert_eq!(site.told(), ["full"]);
    site.client.advance(Duration::from_millis(1));
    assert_eq!(site.told(), [format!("timer {timer:?}")]);
    let (reactor, own) = (socket.reactor().unwrap(), &site.client.reactor);
    assert_eq!(reactor.now(), own.now());
    socket.call_later(Duration::from_secs(1)).unwrap();
    socket.close(CloseCode::NORMAL);
    site.client.advance(Duration::from_secs(20));
    assert_eq!(site.told(), ["closed 1000 "], "none fires after the end");
    assert_eq!(socket.call_later(Duration::ZERO), None);
}
