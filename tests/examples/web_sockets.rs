//! `ws_echo`, `ws_echo_client`, `web_chat` and `sse_clock`, by hand and together.

use sinew::http::websocket::{Opcode, encode_frame};

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// A WebSocket of the test's own, which receives frames up to 64 KiB.
pub(crate) struct Socket(pub(crate) Peer);

impl Socket {
    fn open(server: &Example, target: &str) -> Self {
        Self::over(server.connect(), target)
    }

    pub(crate) fn over(mut peer: Peer, target: &str) -> Self {
        peer.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        assert_eq!(peer.line(), "HTTP/1.1 101 Switching Protocols");
        while !peer.line().is_empty() {}
        Self(peer)
    }

    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::new();
        encode_frame(&mut frame, opcode, true, payload, Some([1, 2, 3, 4]));
        self.0.send(frame);
    }

    /// The payload of the next frame, which has to be a text.
    pub(crate) fn text(&mut self) -> String {
        let head = self.0.exactly(2);
        assert!(head[0] == 0x81 && head[1] < 127, "{head:?}");
        let len = match head[1] {
            126 => u16::from_be_bytes(self.0.exactly(2).try_into().unwrap()).into(),
            len => len.into(),
        };
        String::from_utf8(self.0.exactly(len)).unwrap()
    }
}

#[test]
fn ws_echo_client_talks_to_ws_echo() {
    for engine in ENGINES {
        for flags in [&[][..], &["--deflate"]] {
            let server =
                Example::serve("ws_echo", engine, &[&["--max-message", "5000"], flags].concat());
            let url = format!("ws://{}/", server.addr);
            let mut client =
                Example::start("ws_echo_client", &[&[&*url, "--engine", engine], flags].concat());
            client.input("hello\n\u{20ac}\n".as_bytes());
            assert_eq!((client.line(), client.line()), ("hello".into(), "\u{20ac}".into()));
            // The end of its input: it closes once all is answered.
            client.input(format!("{}\n", "x".repeat(4_000)).as_bytes());
            let ended = client.wait();
            assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1), "{ended:?}");
            // A message that is too long for the server, and one that is too long for the client.
            let mut client = Example::start("ws_echo_client", &[&[&*url], flags].concat());
            client.input(format!("{}\n", "x".repeat(6_000)).as_bytes());
            let ended = client.wait();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert_eq!(ended.stderr, ["error: closed with 1009: message longer than 5000 bytes"]);
            let mut client = Example::start(
                "ws_echo_client",
                &[&[&*url, "--max-message", "10"], flags].concat(),
            );
            client.input(b"short\nlonger than ten\n");
            let ended = client.wait();
            assert_eq!(ended.stdout, ["short"]);
            assert_eq!(ended.stderr, ["error: closed with 1009: message longer than 10 bytes"]);
            server.finish();
        }
    }
}

#[test]
fn ws_echo_client_says_why_it_fails() {
    let server = Example::serve("ws_echo", "mio", &[]);
    let cases = [
        (vec!["http://a/".to_owned()], "is no URL of a WebSocket: the scheme is not ws"),
        (vec![format!("ws://{}/page", server.addr)], "error: the server answered with 200 OK"),
        (
            vec![format!("ws://{}/", server.addr), "--protocol".into(), "chat".into()],
            "error: the server chose none of the subprotocols that were offered",
        ),
    ];
    for (args, part) in cases {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let ended = Example::start("ws_echo_client", &args).wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1), "{ended:?}");
        assert!(
            ended.stderr[0].starts_with("error: ") && ended.stderr[0].contains(part),
            "{ended:?}"
        );
    }
    server.finish();
}

#[test]
fn ws_echo_compresses_if_it_is_told_to() {
    for (flags, expected) in [(&["--deflate"][..], true), (&[], false)] {
        let server = Example::serve("ws_echo", "mio", flags);
        let mut peer = server.connect();
        peer.send(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
        );
        let mut head = String::new();
        loop {
            let line = peer.line();
            if line.is_empty() {
                break;
            }
            head += &line;
        }
        assert_eq!(
            head.contains("Sec-WebSocket-Extensions: permessage-deflate"),
            expected,
            "{head}"
        );
        server.finish();
    }
}

#[test]
fn web_chat_is_a_room() {
    for engine in ENGINES {
        let server = Example::serve("web_chat", engine, &[]);
        let mut ann = Socket::open(&server, "/chat?name=ann");
        assert_eq!(ann.text(), "* ann has joined; 1 in the room");
        let mut bob =
            Socket::open(&server, "/chat?name=b%00ob%20the%20second%20with%20a%20long%20name");
        let name = "bob the second with ";
        for member in [&mut ann, &mut bob] {
            assert_eq!(member.text(), format!("* {name} has joined; 2 in the room"));
        }
        ann.send(Opcode::Text, b"hello <b>");
        for member in [&mut ann, &mut bob] {
            assert_eq!(member.text(), "ann: hello <b>");
        }
        bob.send(Opcode::Close, &[3, 232]);
        bob.0.expect([0x88, 2, 3, 232]);
        bob.0.expect_end();
        drop(bob);
        assert_eq!(ann.text(), format!("* {name} has left"));
        // A page, and nothing else.
        let mut peer = server.connect();
        peer.send("GET / HTTP/1.0\r\n\r\n");
        let page = String::from_utf8(peer.rest()).unwrap();
        assert!(page.contains("<title>Chat</title>") && page.contains("new WebSocket"), "{page}");
        drop((ann, peer));
        server.finish();
    }
}

#[test]
fn web_chat_disconnects_a_slow_member() {
    let server = Example::serve("web_chat", "mio", &["--backlog", "100000"]);
    let ann = Socket::open(&server, "/chat?name=ann");
    let mut bob = Socket::open(&server, "/chat?name=bob");
    assert_eq!(bob.text(), "* bob has joined; 2 in the room");
    // Ann does not read. What the kernel buffers for her counts for nothing, so there is much to say.
    let line = "x".repeat(4_000);
    let mut said = 0;
    let left = loop {
        bob.send(Opcode::Text, line.as_bytes());
        let heard = bob.text();
        if heard.starts_with("* ") {
            break heard;
        }
        said += heard.len();
        assert!(said < 1 << 30, "she was never disconnected");
    };
    assert_eq!(left, "* ann has left");
    drop((ann, bob));
    server.finish();
}

#[test]
fn sse_clock_sends_the_time() {
    for engine in ENGINES {
        let server = Example::serve("sse_clock", engine, &["--interval", "20"]);
        let mut page = server.connect();
        page.send("GET / HTTP/1.0\r\n\r\n");
        assert!(String::from_utf8(page.rest()).unwrap().contains("new EventSource"));
        drop(page);
        let mut events = server.connect();
        events.send("GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n");
        assert_eq!(events.line(), "HTTP/1.1 200 OK");
        let mut fields = Vec::new();
        while fields.len() < 12 {
            let line = events.line();
            if line.contains(": ") && !line.starts_with(char::is_uppercase) {
                fields.push(line);
            }
        }
        for (number, event) in fields.chunks(3).enumerate() {
            assert_eq!(event[0], "event: tick");
            assert_eq!(event[1], format!("id: {}", 42 + number));
            assert!(event[2].starts_with("data: ") && event[2].ends_with(" UTC"), "{event:?}");
        }
        drop(events);
        server.finish();
    }
}
