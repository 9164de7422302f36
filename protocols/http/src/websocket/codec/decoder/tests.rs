//! Tests of messages: errors with their close codes, every split of the input, and round trips.

use super::*;
use crate::websocket::{CloseCode, MessageEncoder, encode_frame};

const KEY: [u8; 4] = [1, 2, 3, 4];

/// A frame as a client sends it.
fn masked(opcode: Opcode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, opcode, is_final, payload, Some(KEY));
    out
}

/// The decoded events as text, or the error.
fn decode(
    role: Role,
    limits: MessageLimits,
    input: &[u8],
    piece: usize,
) -> Result<Vec<String>, WebSocketError> {
    let mut decoder = MessageDecoder::new(role, limits);
    let mut found = Vec::new();
    for mut piece in input.chunks(piece) {
        loop {
            match decoder.decode(&mut piece)? {
                Message::Incomplete => break assert!(piece.is_empty()),
                message => found.push(format!("{message:?}")),
            }
        }
    }
    Ok(found)
}

fn received(input: &[u8], piece: usize) -> Result<Vec<String>, WebSocketError> {
    decode(Role::Server, MessageLimits::default(), input, piece)
}

#[test]
fn rejected_inputs() {
    let broken = |what| WebSocketError::Protocol { what };
    let unfinished = [masked(Opcode::Text, false, b"a"), masked(Opcode::Text, true, b"b")].concat();
    let wrong_later =
        [masked(Opcode::Text, false, b"\xce"), masked(Opcode::Continuation, false, b"x")].concat();
    let cases: [(Vec<u8>, WebSocketError); 19] = [
        (b"\x81\x01a".to_vec(), broken("a frame without a mask")), // unmasked_from_client
        (vec![0xc1, 0x80], broken("reserved bits without an extension")), // rsv_without_extension
        (vec![0x91, 0x80], broken("reserved bits without an extension")),
        (vec![0x83, 0x80], broken("unknown opcode")),
        (vec![0x8b, 0x80], broken("unknown opcode")),
        (vec![0x09, 0x80], broken("a control frame in pieces")), // control_in_pieces
        (vec![0x89, 0xfe, 0, 126], broken("a control frame longer than 125 bytes")),
        (vec![0x82, 0xfe, 0, 125], broken("a length that is not minimal, or past 2^63-1")), // length_not_minimal
        (
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            broken("a length that is not minimal, or past 2^63-1"),
        ),
        (
            vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
            broken("a length that is not minimal, or past 2^63-1"),
        ), // length_2_to_63
        (masked(Opcode::Continuation, true, b""), broken("a continuation without a message")),
        (unfinished, broken("a message within a message")),
        (masked(Opcode::Close, true, b"\x03"), broken("a close frame of one byte")), // one_byte_close
        (
            masked(Opcode::Close, true, &1005_u16.to_be_bytes()),
            broken("a close code that is never sent"),
        ),
        (
            masked(Opcode::Close, true, &2999_u16.to_be_bytes()),
            broken("a close code that is never sent"),
        ),
        (masked(Opcode::Close, true, b"\x03\xe8\xff"), WebSocketError::Text),
        (masked(Opcode::Text, true, b"a\xff"), WebSocketError::Text),
        (masked(Opcode::Text, true, b"\xce"), WebSocketError::Text),
        (wrong_later, WebSocketError::Text), // utf8_wrong_in_second_fragment
    ];
    for (input, error) in cases {
        for piece in [1, 2, usize::MAX] {
            assert_eq!(received(&input, piece).unwrap_err(), error, "{}", input.escape_ascii());
        }
    }
    // masked_from_server
    let error =
        decode(Role::Client, MessageLimits::default(), &masked(Opcode::Text, true, b"a"), 1)
            .unwrap_err();
    assert_eq!((error.code(), error), (CloseCode::PROTOCOL, broken("a frame with a mask")));
}

#[test]
fn invalid_text_is_rejected_before_the_message_is_complete() {
    let mut decoder = MessageDecoder::new(Role::Server, MessageLimits::default());
    let frame = masked(Opcode::Text, true, &[b"ok\xff".as_slice(), &[b'x'; 100]].concat());
    assert_eq!(decoder.decode(&mut &frame[..9]), Err(WebSocketError::Text));
}

#[test]
fn limits_are_checked_before_data_are_buffered() {
    let limits = MessageLimits::default().message_max(10).fragments_max(3);
    let too_long = WebSocketError::TooLong { max: 10 };
    let head = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    assert_eq!(decode(Role::Server, limits, &head, 1).unwrap_err(), too_long);
    let pieces =
        [masked(Opcode::Binary, false, b"123456"), masked(Opcode::Continuation, true, b"78901")]
            .concat();
    assert_eq!(decode(Role::Server, limits, &pieces, 3).unwrap_err(), too_long);
    let many =
        [masked(Opcode::Binary, false, b""), masked(Opcode::Continuation, false, b"").repeat(3)]
            .concat();
    let error = decode(Role::Server, limits, &many, 3).unwrap_err();
    assert_eq!(
        (error.code(), error),
        (CloseCode::TOO_LONG, WebSocketError::TooManyFragments { max: 3 })
    );
    let exact =
        [masked(Opcode::Binary, false, b"12345"), masked(Opcode::Continuation, true, b"67890")]
            .concat();
    assert!(decode(Role::Server, limits, &exact, 3).is_ok());
}

#[test]
fn any_split_gives_the_same() {
    let euro = "\u{20ac}".as_bytes();
    let input = [
        masked(Opcode::Text, true, b"Hello"),
        masked(Opcode::Text, false, &euro[..1]), // utf8_split_in_code_point
        masked(Opcode::Ping, true, b"p1"),       // ping_between_fragments
        masked(Opcode::Continuation, false, &euro[1..2]),
        masked(Opcode::Ping, true, b"p2"),
        masked(Opcode::Pong, true, b""),
        masked(Opcode::Continuation, true, &euro[2..]),
        masked(Opcode::Binary, true, &[7; 200]),
        masked(Opcode::Text, true, b""),
        masked(Opcode::Close, true, b"\x03\xe8bye"),
        masked(Opcode::Text, true, b"behind the end"),
    ]
    .concat();
    let bytes = format!("Binary({:?})", [7; 200]);
    let expected = [
        "Text(\"Hello\")",
        "Ping([112, 49])",
        "Ping([112, 50])",
        "Pong([])",
        "Text(\"\u{20ac}\")",
        &bytes,
        "Text(\"\")",
        "Close(CloseReason { code: CloseCode(1000), text: \"bye\" })",
    ];
    for piece in (1..20).chain([50, 150, 1_000]) {
        assert_eq!(received(&input, piece).unwrap(), expected, "{piece}");
    }
}

#[test]
fn frame_heads_round_trip_at_every_length() {
    for len in (0..140).chain([65_535, 65_536, 70_000]) {
        let payload: Vec<u8> = (0..len).map(|n| (n * 7) as u8).collect();
        for mask in [None, Some([0x12, 0x34, 0x56, 0x78])] {
            let role = if mask.is_some() { Role::Server } else { Role::Client };
            let mut frame = Vec::new();
            encode_frame(&mut frame, Opcode::Binary, true, &payload, mask);
            let mut decoder = MessageDecoder::new(role, MessageLimits::default());
            for mut piece in frame.chunks(4_099) {
                match decoder.decode(&mut piece).unwrap() {
                    Message::Incomplete => {}
                    message => assert!(message == Message::Binary(&payload), "{len}"),
                }
            }
            assert_eq!(decoder.decode(&mut &b""[..]), Ok(Message::Incomplete));
            assert!(
                !decoder.is_in_message() && decoder.partial.is_none(),
                "no buffer between messages"
            );
        }
    }
}

#[test]
fn a_close_without_a_code() {
    let found = received(&masked(Opcode::Close, true, b""), 1).unwrap();
    assert_eq!(found, ["Close(CloseReason { code: CloseCode(1005), text: \"\" })"]);
}

#[test]
fn a_frame_has_a_limit_of_its_own() {
    let limits = MessageLimits::default().message_max(10).frame_max(4);
    let fragments =
        [masked(Opcode::Binary, false, b"1234"), masked(Opcode::Continuation, true, b"56")]
            .concat();
    assert!(decode(Role::Server, limits, &fragments, 3).is_ok());
    let error = decode(Role::Server, limits, &masked(Opcode::Binary, true, b"12345")[..6], 1);
    let error = error.unwrap_err();
    assert_eq!(
        (error.code(), error),
        (CloseCode::TOO_LONG, WebSocketError::FrameTooLong { max: 4 })
    );
}

/// Piece by piece: whole characters, nothing collected, control frames in between, no limit of the message.
#[test]
fn pieces_as_they_arrive() {
    let text = "a\u{20ac}b\u{1f600}c".repeat(50);
    let input = [
        masked(Opcode::Text, false, &text.as_bytes()[..7]),
        masked(Opcode::Ping, true, b"p"),
        masked(Opcode::Continuation, false, b""),
        masked(Opcode::Continuation, true, &text.as_bytes()[7..]),
        masked(Opcode::Binary, true, b""),
        masked(Opcode::Binary, true, &[7; 100]),
    ]
    .concat();
    let limits = MessageLimits::default().message_max(10).fragments_max(1);
    for len in (1..30).chain([1_000]) {
        let mut decoder = MessageDecoder::new(Role::Server, limits).by_piece(true);
        let (mut texts, mut data, mut ends, mut pings) = (String::new(), Vec::new(), 0, 0);
        for mut piece in input.chunks(len) {
            loop {
                match decoder.decode(&mut piece).unwrap() {
                    Message::Incomplete => break assert!(piece.is_empty()),
                    Message::TextPiece { text, is_last } => {
                        assert!(is_last || !text.is_empty());
                        texts += text;
                        ends += usize::from(is_last);
                    }
                    Message::BinaryPiece { data: piece, is_last } => {
                        data.extend_from_slice(piece);
                        ends += usize::from(is_last);
                    }
                    Message::Ping(_) => pings += 1,
                    other => panic!("{other:?}"),
                }
            }
            let held = decoder.partial.as_ref().map_or(0, |partial| partial.message.len());
            assert!(held < 4, "at most a part of a character is held");
        }
        assert_eq!((&*texts, &*data, ends, pings), (&*text, &[7; 100][..], 3, 1), "{len}");
    }
    let wrong = masked(Opcode::Text, true, b"a\xce");
    let mut decoder = MessageDecoder::new(Role::Server, limits).by_piece(true);
    let mut input = &wrong[..];
    let found = loop {
        match decoder.decode(&mut input) {
            Ok(Message::TextPiece { is_last: false, .. }) => {}
            other => break other.map(|message| format!("{message:?}")),
        }
    };
    assert_eq!(found, Err(WebSocketError::Text));
}

/// A state that is lent comes back empty, unless the decoder is within a message.
#[test]
fn state_is_lent_between_messages() {
    let frame = masked(Opcode::Text, true, b"hello");
    let limits = MessageLimits::default();
    let mut decoders = [(); 2].map(|()| MessageDecoder::new(Role::Server, limits));
    let mut spare = None;
    for decoder in &mut decoders {
        decoder.lend(&mut spare);
        assert_eq!(decoder.decode(&mut &frame[..]), Ok(Message::Text("hello")));
        spare = decoder.take_back();
        assert!(spare.as_ref().is_some_and(|spare| spare.message.capacity() > 0));
        assert!(decoder.partial.is_none() && !decoder.is_in_message());
    }
    decoders[0].lend(&mut spare);
    assert_eq!(decoders[0].decode(&mut &frame[..8]), Ok(Message::Incomplete));
    assert!(decoders[0].take_back().is_none() && decoders[0].is_in_message());
    assert_eq!(decoders[0].decode(&mut &frame[8..]), Ok(Message::Text("hello")));
}

/// In fragments of any length, masked or not, what was encoded is decoded.
#[test]
fn messages_round_trip_in_fragments() {
    for role in [Role::Server, Role::Client] {
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        for fragment in [1, 2, 100, 1_000] {
            let mut encoder = MessageEncoder::new(role).fragment_len(fragment);
            let mut sent = Vec::new();
            let mut next = 0_u8;
            let mut masks = || {
                next += 1;
                [next, 2, 3, 4]
            };
            let payload: Vec<u8> = (0..250).collect();
            for payload in [&b""[..], &payload] {
                encoder.encode(&mut sent, Opcode::Binary, payload, &mut masks);
            }
            assert_eq!(
                usize::from(next),
                if role == Role::Client { 1 + 250_usize.div_ceil(fragment) } else { 0 },
                "a mask for each frame"
            );
            let found = decode(other, MessageLimits::default(), &sent, 7).unwrap();
            assert_eq!(found, ["Binary([])".to_owned(), format!("Binary({payload:?})")]);
        }
    }
}
