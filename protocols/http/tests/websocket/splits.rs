//! Every split of the input gives the same output.

use std::time::Duration;

use sinew_http::{
    server::HttpServer,
    websocket::{DeflateConfig, Opcode, WebSocketConfig, WebSocketUpgrade, encode_frame},
};
use sinew_testkit::testing::{Draw, SystemUnderTest, every_split};

use crate::server::{Echo, frame, handshake};

fn server() -> HttpServer {
    let deflate = DeflateConfig::default().compress_from(10).receive_context_takeover(true);
    let config = WebSocketConfig::default().deflate(deflate);
    HttpServer::new(WebSocketUpgrade::new(|_| Echo(<_>::default(), <_>::default())).config(config))
}

fn start() -> Vec<u8> {
    handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n").into_bytes()
}

/// A frame of a client with another first byte.
fn with_first(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first][..], &frame(Opcode::Binary, payload)[1..]].concat()
}

fn check(frames: &[Vec<u8>]) {
    let input = [start(), frames.concat()].concat();
    let client = crate::support::Client::of(
        &sinew_transports::reactor::Reactor::simulated(0x5eed),
        &server(),
    );
    client.wire.receive(&input);
    client.advance(Duration::ZERO);
    let expected = client.wire.take(usize::MAX);
    assert!(!expected.is_empty());
    every_split(|| server().connection(), &input, &expected);
}

#[test]
fn messages_of_every_kind() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0];
    check(&[
        frame(Opcode::Text, b"one"),
        with_first(0x01, b"tw"),
        with_first(0x00, b""),
        with_first(0x80, b"o"),
        frame(Opcode::Binary, &[7; 200]),
        with_first(0xc1, &hello),
        with_first(0x41, &hello[..3]),
        with_first(0x80, &hello[3..]),
        with_first(0xc1, &[0xf2, 0, 0x11, 0, 0]),
        frame(Opcode::Close, &[3, 232]),
    ]);
}

#[test]
fn refused_ones() {
    check(&[frame(Opcode::Text, b"one"), frame(Opcode::Text, b"a\xffb")]);
    check(&[with_first(0x01, b"one"), frame(Opcode::Text, b"two")]);
    check(&[with_first(0xc1, &[0xff; 4])]);
    check(&[frame(Opcode::Close, &[3])]);
}

/// Without pings: how many are answered depends on the split.
#[test]
fn anything_at_all() {
    let inputs = |draw: &mut Draw| {
        let mut input = start();
        for _ in 0..draw.number(..=5) {
            let firsts = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0xc1, 0x41, 0x88, 0x91, 0x8a];
            let first = firsts[draw.number(..firsts.len())];
            let payload: Vec<u8> = match draw.number(..4) {
                0 => Vec::new(),
                1 => b"hello".to_vec(),
                2 => vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0],
                _ => (0..draw.number(..=130)).map(|_| draw.number(..256) as u8).collect(),
            };
            let mut out = Vec::new();
            encode_frame(&mut out, Opcode::Binary, true, &payload, Some([1, 2, 3, 4]));
            out[0] = first;
            input.extend(out);
        }
        input
    };
    SystemUnderTest::new(|| server().connection()).inputs(inputs).seeds(0..60).property();
}
