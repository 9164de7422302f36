//! Clients behind WebSockets: the kinds of messages, and the limits that clients over TCP have.

use std::{cell::RefCell, time::Duration};

use sinew_http::{
    server::{Handler, HttpConnection, HttpServer, TrustedProxies},
    websocket::{Opcode, encode_frame},
};
use sinew_transports::{
    Connection, Peer, StreamConfig,
    memory::{self, Wire},
    reactor::Reactor,
};

use crate::server::network::{Network, codes, config, users};

/// A browser, as far as it is one.
struct Browser {
    reactor: Reactor,
    wire: Wire,
    _connection: Connection<HttpConnection>,
    head: String,
    kind: Opcode,
    /// The front of a frame.
    pending: RefCell<Vec<u8>>,
}

impl Browser {
    /// Sends a handshake with these fields.
    fn asks(network: &Network, handler: impl Handler, fields: &str) -> Self {
        let peer = Peer::Inet("192.0.2.1:1".parse().unwrap());
        let connection = HttpServer::new(handler).connection();
        let stream = StreamConfig::default();
        let made = memory::connect_as(&network.reactor, stream, connection, peer, None);
        let (_connection, wire) = made.expect("there is room");
        let reactor = network.reactor.clone();
        let (head, kind) = (String::new(), Opcode::Text);
        let pending = RefCell::default();
        let mut browser = Self { reactor, wire, _connection, head, kind, pending };
        browser.advance(0);
        browser.wire.receive(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        ).as_bytes());
        browser.advance(0);
        let sent = browser.wire.sent();
        let end = sent.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        browser.head = String::from_utf8(sent[..end].to_vec()).unwrap();
        browser.pending.borrow_mut().extend(&sent[end..]);
        browser
    }

    fn connect(network: &Network, protocols: &str) -> Self {
        let fields = match protocols {
            "" => String::new(),
            protocols => format!("Sec-WebSocket-Protocol: {protocols}\r\n"),
        };
        let mut browser = Self::asks(network, network.server.websocket(), &fields);
        assert!(browser.head.starts_with("HTTP/1.1 101 "), "{}", browser.head);
        if browser.head.contains("Sec-WebSocket-Protocol: binary.ircv3.net\r\n") {
            browser.kind = Opcode::Binary;
        }
        browser
    }

    /// A client that was welcomed.
    fn client(network: &Network, nick: &str) -> Self {
        let browser = Self::connect(network, "text.ircv3.net");
        let welcome = browser.say(&format!("NICK {nick}\nUSER {nick} 0 * :Name of {nick}"));
        assert!(welcome.contains(" 001 "), "{welcome}");
        browser
    }

    fn send(&self, message: &[u8]) {
        let mut frame = Vec::new();
        encode_frame(&mut frame, self.kind, true, message, Some([9, 8, 7, 6]));
        self.wire.receive_if_open(&frame);
        self.advance(0);
    }

    /// Sends each line as a message, and returns what is received then.
    fn say(&self, lines: &str) -> String {
        lines.lines().for_each(|line| self.send(line.as_bytes()));
        self.received()
    }

    /// The messages since the last call, with LF. Each has to be of the kind that was agreed on; a close frame is `close CODE TEXT`.
    fn received(&self) -> String {
        self.advance(0);
        let mut pending = self.pending.borrow_mut();
        pending.extend(self.wire.sent());
        let (mut rest, mut lines) = (&pending[..], String::new());
        while let [first, len, more @ ..] = rest {
            let (len, body) = match (len, more) {
                (126, [high, low, body @ ..]) => (u16::from_be_bytes([*high, *low]).into(), body),
                (len, body) => (usize::from(*len), body),
            };
            let Some(payload) = body.get(..len) else { break };
            match (first, self.kind) {
                (0x88, _) => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    lines += &format!("close {code} {}", String::from_utf8_lossy(&payload[2..]));
                }
                (0x81, Opcode::Text) => lines += str::from_utf8(payload).expect("it is text"),
                (0x82, Opcode::Binary) => lines += &payload.escape_ascii().to_string(),
                other => panic!("{other:?}"),
            }
            assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'));
            lines.push('\n');
            rest = &body[len..];
        }
        let rest = rest.to_vec();
        *pending = rest;
        lines
    }

    fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }
}

#[test]
fn the_subprotocol_is_that_which_the_client_prefers() {
    let network = Network::new(config());
    for (offered, chosen) in [
        ("text.ircv3.net, binary.ircv3.net", Some("text.ircv3.net")),
        ("binary.ircv3.net, text.ircv3.net", Some("binary.ircv3.net")),
        ("chat, binary.ircv3.net", Some("binary.ircv3.net")),
        ("chat", None),
        ("", None),
    ] {
        let browser = Browser::connect(&network, offered);
        let field = chosen.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        assert_eq!(browser.head.contains("Protocol:"), chosen.is_some(), "{offered}");
        assert!(browser.head.contains(&field.unwrap_or_default()), "{offered}");
        // In either kind, or text if there is none.
        assert_eq!(codes(&browser.say("NICK ann\nUSER ann 0 * :x\nQUIT"))[0], "001");
    }
}

#[test]
fn other_origins_are_refused_unless_they_are_allowed() {
    let network = Network::new(config());
    for (origin, status) in [("http://a", 101), ("https://b.example", 403), ("https://c", 101)] {
        let upgrade = network.server.websocket().origin("https://c");
        let browser = Browser::asks(&network, upgrade, &format!("Origin: {origin}\r\n"));
        assert!(browser.head.starts_with(&format!("HTTP/1.1 {status} ")), "{}", browser.head);
    }
    assert_eq!(network.server.report().connections, 2);
}

#[test]
fn clients_of_both_doors_talk() {
    let network = Network::new(config());
    let [ann] = network.in_channel(["ann"]);
    let (text, binary) =
        (Browser::client(&network, "tex"), Browser::connect(&network, "binary.ircv3.net"));
    binary.say("NICK bin\nUSER bin 0 * :x");
    text.say("JOIN #a");
    assert!(ann.received().contains(":tex!~tex@192.0.2.1 JOIN #a"));
    binary.say("JOIN #a");
    drop((ann.received(), text.received(), binary.received()));
    ann.send(b"PRIVMSG #a :gr\xfc\xdfe, \xc3\xbc\n");
    assert_eq!(text.received(), ":ann!~ann@localhost PRIVMSG #a :gr\u{fffd}\u{fffd}e, ü\n");
    assert_eq!(binary.received(), ":ann!~ann@localhost PRIVMSG #a :gr\\xfc\\xdfe, \\xc3\\xbc\n");
    text.say("PRIVMSG #a :hello");
    assert_eq!(ann.received(), ":tex!~tex@192.0.2.1 PRIVMSG #a :hello\n");
    text.wire.reset();
    assert!(ann.received().contains(":tex!~tex@192.0.2.1 QUIT :"));
}

#[test]
fn messages_that_are_no_line() {
    let network = Network::new(config());
    let client = Browser::client(&network, "ann");
    assert_eq!(codes(&client.say("PING x")), ["PONG"]);
    // A line end behind a line does no harm.
    for (message, code) in
        [(&b"PING x\r\n"[..], "PONG"), (b"PING x\n", "PONG"), (&[b'x'; 600], "417")]
    {
        client.send(message);
        assert_eq!(codes(&client.received()), [code]);
    }
    for nothing in [&b""[..], b"\r\n", b" "] {
        client.send(nothing);
        assert_eq!(client.received(), "");
    }
    client.send(b"PING x\r\nPING y");
    assert_eq!(client.received(), "close 1008 a line end in a message\n");
    let client = Browser::client(&network, "bob");
    client.send(&[b'x'; 17_000]);
    assert!(client.received().starts_with("close 1009 "));
    // It does not answer the close frame.
    client.advance(10_000);
    assert_eq!(network.server.report().connections, 0);
}

/// A client is what its messages are, whatever the frames; and one that breaks the rules of WebSocket is gone.
#[test]
fn frames_of_hostile_clients() {
    const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);
    let network = Network::new(config());
    let frames = |frames: &[(Opcode, bool, &[u8])], mask| {
        let mut bytes = Vec::new();
        for (opcode, is_last, payload) in frames {
            encode_frame(&mut bytes, *opcode, *is_last, payload, mask);
        }
        bytes
    };
    let client = Browser::client(&network, "ann");
    // A line in fragments with a ping between them, and one in the other kind of message.
    for (bytes, code) in [
        (
            frames(
                &[
                    (Opcode::Text, false, b"PI"),
                    (Opcode::Continuation, false, b""),
                    (Opcode::Continuation, true, b"NG x"),
                ],
                MASK,
            ),
            "PONG",
        ),
        (frames(&[(Opcode::Binary, true, b"PING \xff")], MASK), "PONG"),
    ] {
        client.wire.receive_if_open(&bytes);
        assert_eq!(codes(&client.received()), [code]);
    }
    client.say("QUIT");
    // Each line end ends it, also that of the other half of CRLF.
    for text in ["PING x\nPING y", "PING x\rPING y", "\nPING x", "PING x\n\r\n", "\r\nQUIT"] {
        let client = Browser::client(&network, "bob");
        client.send(text.as_bytes());
        assert_eq!(client.received(), "close 1008 a line end in a message\n", "{text:?}");
        // What comes behind it, or instead of the answer, is not carried out.
        client.send(b"NICK eve");
        assert_eq!(client.received(), "");
        client.advance(20_000);
        assert!(client.wire.is_closing());
    }
    for (bytes, code) in [
        (frames(&[(Opcode::Text, true, b"PING \xff")], MASK), 1007),
        (frames(&[(Opcode::Text, true, b"PING x")], None), 1002),
        (frames(&[(Opcode::Continuation, true, b"PING x")], MASK), 1002),
        (frames(&[(Opcode::Text, false, b"PI"), (Opcode::Text, true, b"NG")], MASK), 1002),
        (frames(&[(Opcode::Ping, false, b"")], MASK), 1002),
        (vec![0xff; 64], 1002),
    ] {
        let client = Browser::client(&network, "bob");
        client.wire.receive_if_open(&bytes);
        let received = client.received();
        assert!(received.starts_with(&format!("close {code} ")), "{code}: {received}");
        client.advance(20_000);
        assert!(client.wire.is_closing());
    }
    assert_eq!(network.server.report().connections, 0);
}

#[test]
fn commands_that_come_too_fast_wait() {
    let network = Network::new(config().flood(5, Duration::from_secs(1)).waiting_max(10));
    let client = Browser::client(&network, "ann");
    client.advance(10_000);
    assert_eq!(codes(&client.say(&"PING x\n".repeat(10))).len(), 5);
    for _ in 0..5 {
        client.advance(999);
        assert_eq!(client.received(), "");
        client.advance(1);
        assert_eq!(codes(&client.received()).len(), 1);
    }
    client.advance(10_000);
    let received = client.say(&"PING x\n".repeat(20));
    assert!(received.contains("Excess Flood") && received.contains("\nclose 1000 "), "{received}");
    assert_eq!(network.server.report().connections, 0);
}

#[test]
fn kill_by_sendq() {
    let network = Network::new(config().send_queue_max(50_000));
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let slow = Browser::client(&network, "slow");
    slow.say("JOIN #a");
    slow.wire.set_capacity(100);
    let text = "x".repeat(400);
    let mut told = String::new();
    for _ in 0..500 {
        ann.send(format!("PRIVMSG #a :{text}\n").as_bytes());
        told += &bob.received();
        if network.server.report().clients == 2 {
            break;
        }
    }
    let quit = told + &bob.received() + &ann.received();
    assert_eq!(quit.matches(":slow!~slow@192.0.2.1 QUIT :SendQ exceeded").count(), 2);
    assert_eq!(bob.say("PING x"), ":irc.test PONG irc.test :x\n");
    // What was queued is dropped, and the connection with it when nothing more is received.
    slow.advance(20_000);
    assert!(slow.wire.is_closing());
}

#[test]
fn silence() {
    let network = Network::new(config().ping_after(Duration::from_secs(20)));
    let silent = Browser::connect(&network, "text.ircv3.net");
    let client = Browser::client(&network, "ann");
    client.advance(20_000);
    assert_eq!(client.received(), "PING :irc.test\n");
    client.advance(10_000);
    assert!(silent.received().contains("Registration timed out"));
    assert_eq!(client.received(), "");
    client.advance(50_000);
    assert!(client.received().contains("(Ping timeout: 80 seconds)\nclose 1000 "));
}

#[test]
fn a_long_list_is_sent_as_it_is_received() {
    let network = Network::new(config().channels_per_client_max(500).send_queue_max(20_000));
    let ann = network.client("ann");
    for number in 0..400 {
        ann.say(&format!("JOIN #{number}-{}", "x".repeat(50)));
    }
    let client = Browser::client(&network, "tex");
    client.wire.set_capacity(300);
    let mut received = client.say("LIST\nPING between");
    for _ in 0..2_000 {
        client.wire.set_capacity(300);
        received += &whole(&client);
    }
    let codes = codes(&received);
    assert_eq!(codes.iter().filter(|code| *code == "322").count(), 400, "{}", codes.len());
    assert_eq!(codes.iter().filter(|code| *code == "323").count(), 1);
    assert!(codes.contains(&"PONG".to_owned()));
}

/// What is received when there is room for all that was sent so far.
fn whole(client: &Browser) -> String {
    client.wire.set_capacity(1 << 20);
    client.received()
}

#[test]
fn logins_pause_the_client() {
    let network = Network::new(config().accounts(users()).account_required(true));
    // It is not encrypted, which this authenticator allows. All at once: what is behind a step waits for it.
    let client = Browser::connect(&network, "text.ircv3.net");
    let received = client.say(
        "CAP REQ :sasl\nAUTHENTICATE PLAIN\nAUTHENTICATE AGFubgBzZWNyZXQ=\nNICK ann\nUSER ann 0 * :x\nCAP END",
    );
    let received = received + &client.received();
    assert!(received.contains(" 903 ") && received.contains(" 001 "), "{received}");
}

#[test]
fn addresses_of_clients_behind_proxies() {
    for (trusted, host) in [("192.0.2.0/24", "198.51.100.7"), ("10.0.0.0/8", "192.0.2.1")] {
        let network = Network::new(config().clients_per_network_max(1));
        let connect = |nick: &str, forwarded: &str| {
            let site =
                TrustedProxies::new(network.server.websocket()).trust([trusted.parse().unwrap()]);
            let fields = format!("X-Forwarded-For: {forwarded}\r\n");
            let browser = Browser::asks(&network, site, &fields);
            browser.say(&format!("NICK {nick}\nUSER {nick} 0 * :x\nWHOIS {nick}"))
        };
        let first = connect("ann", "198.51.100.7");
        assert!(first.contains(&format!(" 311 ann ann ~ann {host} ")), "{first}");
        let second = connect("bob", "198.51.100.7");
        assert!(second.contains("Too many connections from your network"), "{second}");
    }
}

#[test]
fn a_close_frame_says_why() {
    let network = Network::new(config());
    let ann = network.client("ann");
    ann.say("JOIN #a");
    let client = Browser::client(&network, "tex");
    client.say("JOIN #a");
    ann.received();
    let mut close = Vec::new();
    encode_frame(&mut close, Opcode::Close, true, b"\x03\xe8so long", Some([9, 8, 7, 6]));
    client.wire.receive_if_open(&close);
    assert_eq!(client.received(), "close 1000 so long\n");
    client.wire.close();
    // As for QUIT, so that nobody can say what only the server says.
    assert_eq!(ann.received(), ":tex!~tex@192.0.2.1 QUIT :Quit: so long\n");
}
