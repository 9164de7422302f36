//! permessage-deflate at the server's end.

use sinew_http::websocket::{
    DeflateConfig, MessageLimits, Opcode, PreparedMessage, WebSocketConfig, encode_frame,
};

use crate::server::{Site, frame, handshake, site, unmasked};

fn open_with(deflate: DeflateConfig, offer: &str) -> (Site, String) {
    let limits = MessageLimits::default().message_max(10_000);
    let config = WebSocketConfig::default().deflate(deflate).messages(limits);
    let site = site(|upgrade| upgrade.config(config));
    let fields = format!("Sec-WebSocket-Extensions: {offer}\r\n");
    let response = site.client.ask(handshake(&fields));
    (site, response)
}

/// "Hello", compressed, as a client sends it (RFC 7692 7.2.3.1).
fn hello() -> Vec<u8> {
    let mut out = Vec::new();
    let payload = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0];
    encode_frame(&mut out, Opcode::Text, true, &payload, Some([1, 2, 3, 4]));
    out[0] |= 0x40;
    out
}

#[test]
fn negotiated_in_the_handshake() {
    let takeover = DeflateConfig::default()
        .send_context_takeover(true)
        .receive_context_takeover(true)
        .compress_from(0);
    let (site, response) =
        open_with(takeover.clone(), "permessage-deflate; client_max_window_bits");
    assert!(
        response.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
        "{response}"
    );
    // The second message refers to the first, both ways.
    let second = [0xf2, 0, 0x11, 0, 0];
    let mut again = Vec::new();
    encode_frame(&mut again, Opcode::Text, true, &second, Some([9; 4]));
    again[0] |= 0x40;
    let answer = site.ask([hello(), again].concat());
    assert_eq!(site.told(), ["Hello", "Hello"]);
    assert!(answer.len() <= 9 + 7 && answer[0] == 0xc1, "{answer:02x?}");
    // What is not compressed is taken, too.
    site.ask(frame(Opcode::Text, b"plain"));
    assert_eq!(site.told(), ["plain"]);

    // Without an offer, and with one that is invalid, there is no compression.
    for offer in ["x-other", "permessage-deflate; x=y"] {
        let (site, response) = open_with(takeover.clone(), offer);
        assert!(response.contains(" 101 ") && !response.contains("Extensions"), "{response}");
        assert_eq!(site.ask(frame(Opcode::Text, b"Hello")), unmasked(Opcode::Text, b"Hello"));
        let answer = site.ask(hello());
        assert_eq!((answer[0], &answer[2..4]), (0x88, &[3, 234][..]), "closed with 1002");
    }
    let (_, response) = open_with(takeover, "permessage-deflate;;");
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}

#[test]
fn short_messages_are_not_compressed() {
    let (site, response) =
        open_with(DeflateConfig::default().compress_from(6), "permessage-deflate");
    assert!(response.contains(
        "Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
    ));
    assert_eq!(site.ask(hello()), unmasked(Opcode::Text, b"Hello"));
    let long = b"Hello! ".repeat(9);
    assert_eq!(site.ask(frame(Opcode::Text, &long))[0], 0xc1);
    // Neither is what would become longer.
    assert_eq!(site.ask(frame(Opcode::Text, b"Hello!")), unmasked(Opcode::Text, b"Hello!"));
}

#[test]
fn a_bomb_closes_with_1009() {
    let (site, _) = open_with(DeflateConfig::default(), "permessage-deflate");
    // 65,538 times the letter `a`: a literal, and matches of 258 bytes at distance 1, by the fixed code.
    let mut bits = vec![false, true, false];
    let mut push = |code: u32, len: u32| {
        bits.extend((0..len).rev().map(|at| code >> at & 1 > 0));
    };
    push(0x30 + u32::from(b'a'), 8);
    for _ in 0..254 {
        push(0b1100_0101, 8);
        push(0, 5);
    }
    push(0, 7);
    // An empty block that is not compressed begins, without its tail.
    bits.extend([false, false, false]);
    let payload: Vec<u8> = bits
        .chunks(8)
        .map(|bits| (0..bits.len()).map(|at| u8::from(bits[at]) << at).sum())
        .collect();
    let mut bomb = Vec::new();
    encode_frame(&mut bomb, Opcode::Text, true, &payload, Some([3; 4]));
    bomb[0] |= 0x40;
    let answer = site.ask(&bomb);
    assert_eq!((answer[0], &answer[2..4]), (0x88, &[3, 241][..]));
    assert_eq!(String::from_utf8_lossy(&answer[4..]), "message longer than 10000 bytes");
    site.client.end();
    assert_eq!(site.told(), ["closed 1009 message longer than 10000 bytes"]);
}

#[test]
fn prepared_messages_are_compressed_once() {
    let deflate = DeflateConfig::default().compress_from(0);
    let text = "news ".repeat(100);
    let message = PreparedMessage::text(&text);
    let mut all = Vec::new();
    for (deflate, offer) in [
        (deflate.clone(), "permessage-deflate"),
        (deflate.clone(), "x"),
        (deflate.clone().send_context_takeover(true), "permessage-deflate"),
        (deflate, "permessage-deflate"),
    ] {
        let (site, _) = open_with(deflate, offer);
        let socket = site.socket.borrow().clone().unwrap();
        socket.send(&message);
        socket.send(&message);
        let sent = site.taken();
        assert_eq!(sent[..sent.len() / 2], sent[sent.len() / 2..], "twice the same");
        all.push(sent);
    }
    assert_eq!(all[1], unmasked(Opcode::Text, text.as_bytes()).repeat(2));
    assert!(all[0][0] == 0xc1 && all[0].len() < 100 && all[0] == all[3] && all[0] == all[2]);
}
