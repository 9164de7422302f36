//! Messages in parts, both ways.

use std::{cell::RefCell, rc::Rc};

use sinew_http::{
    server::Request,
    websocket::{
        CloseReason, Opcode, SendStatus, WebSocket, WebSocketConfig, WebSocketHandler,
        WebSocketUpgrade,
    },
};

use crate::{
    server::{KEY, UPGRADE, close, frame, handshake, open, unmasked},
    support::Client,
};

/// A frame of a server that is not the last of its message.
fn fragment(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first][..], &unmasked(Opcode::Binary, payload)[1..]].concat()
}

#[test]
fn a_message_that_is_sent_in_parts() {
    let site = open();
    let socket = site.socket.borrow().clone().unwrap();
    let mut writer = socket.begin_text().unwrap();
    assert!(socket.begin_text().is_none() && socket.begin_binary().is_none());
    assert_eq!(writer.write("one "), SendStatus::Ok);
    assert_eq!(site.taken(), fragment(0x01, b"one "), "the peer has it before the rest is made");
    // Control frames go between, other messages wait.
    socket.ping(b"p");
    assert_eq!(socket.send_text("after"), SendStatus::Full);
    assert_eq!(socket.queued(), 5 + 3);
    assert_eq!(site.taken(), unmasked(Opcode::Ping, b"p"));
    writer.write("two");
    assert_eq!(writer.finish(), SendStatus::Ok);
    let rest = [fragment(0x00, b"two"), fragment(0x80, b""), unmasked(Opcode::Text, b"after")];
    assert_eq!(site.taken(), rest.concat());
    assert_eq!(socket.queued(), 0);
    let writer = socket.begin_binary().unwrap();
    writer.finish();
    assert_eq!(site.taken(), fragment(0x82, b""));
}

#[test]
fn a_message_that_is_not_completed() {
    let site = open();
    let socket = site.socket.borrow().clone().unwrap();
    // Nothing of it was sent.
    let writer = socket.begin_text().unwrap();
    socket.send_text("after");
    drop(writer);
    assert_eq!(site.taken(), unmasked(Opcode::Text, b"after"));
    let mut writer = socket.begin_text().unwrap();
    writer.write("one");
    drop(writer);
    let expected = [
        fragment(0x01, b"one"),
        unmasked(Opcode::Close, &close(1_011, "a message was not completed")),
    ];
    assert_eq!(site.taken(), expected.concat());
    assert!(socket.begin_text().is_none());
    assert_eq!(socket.send_text("late"), SendStatus::Closed);
}

#[test]
fn a_close_within_a_message_in_parts() {
    let site = open();
    let socket = site.socket.borrow().clone().unwrap();
    let mut writer = socket.begin_text().unwrap();
    writer.write("one");
    site.taken();
    assert_eq!(
        site.ask(frame(Opcode::Close, &close(1_000, ""))),
        unmasked(Opcode::Close, &close(1_000, ""))
    );
    assert_eq!(writer.write("two"), SendStatus::Closed);
    assert_eq!(writer.finish(), SendStatus::Closed);
}

/// Records pieces, and pauses after each.
struct Pieces(Rc<RefCell<Vec<String>>>, Rc<RefCell<Option<WebSocket>>>);

impl WebSocketHandler for Pieces {
    fn opened(&mut self, socket: &WebSocket) {
        *self.1.borrow_mut() = Some(socket.clone());
    }

    fn text_piece(&mut self, socket: &WebSocket, text: &str, is_last: bool) {
        self.0.borrow_mut().push(format!("{text}{}", if is_last { "." } else { "" }));
        socket.pause_reading();
    }

    fn binary_piece(&mut self, _: &WebSocket, data: &[u8], is_last: bool) {
        self.0.borrow_mut().push(format!("{}{}", data.len(), if is_last { "." } else { "" }));
    }

    fn ping(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.borrow_mut().push(format!("ping {}", data.escape_ascii()));
    }

    fn closed(&mut self, reason: &CloseReason) {
        self.0.borrow_mut().push(format!("closed {}", reason.code.number()));
    }
}

#[test]
fn messages_that_are_received_by_piece() {
    let (told, socket) = (Rc::default(), Rc::default());
    let (notes, kept) = (Rc::clone(&told), Rc::clone(&socket));
    let build = move |_: &Request| Pieces(Rc::clone(&notes), Rc::clone(&kept));
    let upgrade = WebSocketUpgrade::new(build).config(WebSocketConfig::default().by_piece(true));
    let client = Client::new(upgrade);
    assert!(client.ask(handshake("")).contains(" 101 "), "{UPGRADE}{KEY}");
    let text = frame(Opcode::Text, "a\u{20ac}b".as_bytes());
    // Head and a part of the euro sign, the rest, and a ping within the same input.
    client.send(&text[..8]);
    client.send([&text[8..], &frame(Opcode::Ping, b"x")].concat());
    let told = || told.take();
    assert_eq!(told(), ["a"]);
    let resume = || {
        socket.borrow().as_ref().unwrap().resume_reading();
        client.send(b"");
    };
    resume();
    assert_eq!(told(), ["\u{20ac}b."], "the pause holds the next piece");
    resume();
    assert_eq!(told(), ["ping x"]);
    // Longer than any limit of a message.
    let big = frame(Opcode::Binary, &vec![1; 3 << 20]);
    let (mut total, mut ends) = (0, 0);
    for piece in big.chunks(100_000) {
        client.send(piece);
        for piece in told() {
            total += piece.trim_end_matches('.').parse::<usize>().unwrap();
            ends += usize::from(piece.ends_with('.'));
        }
    }
    assert_eq!((total, ends), (3 << 20, 1));
    client.end();
    assert_eq!(told(), ["closed 1006"]);
}
