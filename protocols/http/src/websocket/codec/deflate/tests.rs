//! Tests of permessage-deflate: negotiation, the examples of RFC 7692, bombs, and messages between two ends under all parameters, held
//! against a slow reading of RFC 1951.

mod reference;

use proptest::prelude::*;
use sinew_protocols::compression::Flush;

use super::super::{
    Message, MessageDecoder, MessageEncoder, MessageLimits, Opcode, Role, WebSocketError,
    encode_frame, extensions,
};
use super::*;
use crate::codec::list;

fn extension(value: &str) -> Vec<super::super::Extension> {
    extensions(list(value)).unwrap()
}

/// The response of a server to an offer, and what it has agreed to: window and takeover for sending, then for receiving.
fn accept(config: &DeflateConfig, offer: &str) -> Option<(String, String)> {
    let (params, response) = config.accept(&extension(offer))?;
    Some((response, shown(&params)))
}

fn shown(params: &DeflateParams) -> String {
    let direction =
        |it: Direction| format!("{}{}", it.window_bits, if it.takeover { "+" } else { "" });
    format!("{} {}", direction(params.send), direction(params.receive))
}

const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn takeover() -> DeflateConfig {
    DeflateConfig::default().send_context_takeover(true).receive_context_takeover(true)
}

#[test]
fn what_a_server_accepts() {
    let default = DeflateConfig::default();
    let small = takeover().send_window_bits(10).receive_window_bits(9);
    let cases = [
        (&default, "permessage-deflate", Some((NO_TAKEOVER, "15 15"))),
        (&default, "permessage-deflate; client_max_window_bits", Some((NO_TAKEOVER, "15 15"))),
        (&takeover(), "permessage-deflate", Some(("permessage-deflate", "15+ 15+"))),
        (
            &takeover(),
            "permessage-deflate; server_no_context_takeover",
            Some(("permessage-deflate; server_no_context_takeover", "15 15+")),
        ),
        (
            &takeover(),
            "permessage-deflate; client_no_context_takeover",
            Some(("permessage-deflate; client_no_context_takeover", "15+ 15")),
        ),
        (
            &takeover(),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
            Some((
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
                "10+ 11+",
            )),
        ),
        (
            &takeover(),
            "permessage-deflate; server_max_window_bits=15",
            Some(("permessage-deflate; server_max_window_bits=15", "15+ 15+")),
        ),
        (
            &small,
            "permessage-deflate; client_max_window_bits",
            Some((
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
                "10+ 9+",
            )),
        ),
        // Without a hint from the client, its window cannot be limited.
        (
            &small,
            "permessage-deflate",
            Some(("permessage-deflate; server_max_window_bits=10", "10+ 15+")),
        ),
        (
            &small,
            "permessage-deflate; server_max_window_bits=\"8\"",
            Some(("permessage-deflate; server_max_window_bits=8", "8+ 15+")),
        ),
        // The first offer that is valid.
        (
            &takeover(),
            "x-other, permessage-deflate; server_max_window_bits=7, permessage-deflate; \
             client_no_context_takeover, permessage-deflate",
            Some(("permessage-deflate; client_no_context_takeover", "15+ 15")),
        ),
        (&default, "", None),
        (&default, "x-webkit-deflate-frame", None),
        (&default, "permessage-deflate; x", None),
        (&default, "permessage-deflate; server_no_context_takeover=1", None),
        (&default, "permessage-deflate; server_max_window_bits", None),
        (&default, "permessage-deflate; server_max_window_bits=16", None),
        (&default, "permessage-deflate; server_max_window_bits=08", None),
        (&default, "permessage-deflate; client_max_window_bits=x", None),
        (&default, "permessage-deflate; client_max_window_bits; client_max_window_bits=9", None),
        (
            &default,
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            None,
        ),
    ];
    for (config, offer, expected) in cases {
        let accepted = accept(config, offer);
        let accepted = accepted.as_ref().map(|(response, params)| (&**response, &**params));
        assert_eq!(accepted, expected, "{offer}");
    }
}

#[test]
fn what_a_client_offers_and_accepts() {
    let default = DeflateConfig::default();
    let small = takeover().send_window_bits(10).receive_window_bits(9);
    assert_eq!(default.offer(), format!("{NO_TAKEOVER}; client_max_window_bits"));
    assert_eq!(takeover().offer(), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        small.offer(),
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10"
    );
    let cases = [
        (&default, NO_TAKEOVER, Ok("15 15")),
        (&default, "permessage-deflate; server_no_context_takeover", Ok("15 15")),
        (&default, "permessage-deflate", Err("context takeover")),
        (&takeover(), "permessage-deflate", Ok("15+ 15+")),
        (&takeover(), "permessage-deflate; client_max_window_bits=8", Ok("8+ 15+")),
        (&takeover(), "permessage-deflate; server_max_window_bits=12", Ok("15+ 12+")),
        (&takeover(), "permessage-deflate; client_max_window_bits", Err("than was offered")),
        (&small, "permessage-deflate; server_max_window_bits=8", Ok("10+ 8+")),
        (&small, "permessage-deflate", Err("larger window")),
        (&small, "permessage-deflate; server_max_window_bits=10", Err("larger window")),
        (
            &small,
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=11",
            Err("than was offered"),
        ),
        (&default, "x", Err("not known")),
        (&default, "permessage-deflate; x", Err("not known")),
    ];
    for (config, response, expected) in cases {
        let checked = config.check(&extension(response)[0]).map(|params| shown(&params));
        match (checked, expected) {
            (Ok(checked), expected) => assert_eq!(Ok(&*checked), expected, "{response}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{response}: {error}"),
            (Err(error), Ok(_)) => panic!("{response}: {error}"),
        }
    }
}

/// What both ends agree on is the same, seen from either.
#[test]
fn both_ends_agree() {
    for bits in 0..64_u8 {
        let config = |bits: u8| {
            DeflateConfig::default()
                .send_context_takeover(bits & 1 > 0)
                .receive_context_takeover(bits & 2 > 0)
                .send_window_bits(if bits & 4 > 0 { 9 } else { 15 })
                .receive_window_bits(if bits & 4 > 0 { 12 } else { 15 })
        };
        let (client, server) = (config(bits & 7), config(bits >> 3));
        let (params, response) = server.accept(&extension(&client.offer())).unwrap();
        let seen = client.check(&extension(&response)[0]).unwrap();
        assert_eq!((seen.send, seen.receive), (params.receive, params.send), "{bits:06b}");
    }
}

// ---- messages ----

fn params(send: (u8, bool), receive: (u8, bool)) -> DeflateParams {
    let direction = |(window_bits, takeover)| Direction { window_bits, takeover };
    DeflateParams { level: 6, compress_from: 0, send: direction(send), receive: direction(receive) }
}

fn decoder(takeover: bool, limits: MessageLimits) -> MessageDecoder {
    MessageDecoder::new(Role::Client, limits).deflate(&params((15, true), (15, takeover)))
}

/// The messages in frames that a server sends, in pieces of this length.
fn decoded(
    decoder: &mut MessageDecoder,
    sent: &[u8],
    piece: usize,
) -> Result<Vec<Vec<u8>>, WebSocketError> {
    let mut found = Vec::new();
    for mut piece in sent.chunks(piece.max(1)) {
        loop {
            match decoder.decode(&mut piece)? {
                Message::Incomplete => break,
                Message::Text(text) => found.push(text.as_bytes().to_vec()),
                Message::Binary(data) => found.push(data.to_vec()),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(found)
}

fn no_masks() -> [u8; 4] {
    panic!("a server does not mask")
}

#[test]
fn the_examples_of_rfc_7692() {
    let cases: [(&[u8], usize); 6] = [
        // 7.2.3.1: one block, in one frame and in two.
        (&[0xc1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0], 1),
        (&[0x41, 3, 0xf2, 0x48, 0xcd, 0x80, 4, 0xc9, 0xc9, 7, 0], 1),
        // 7.2.3.2: the second message refers to the first.
        (&[0xc1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0xc1, 5, 0xf2, 0, 0x11, 0, 0], 2),
        // 7.2.3.3: a block that is not compressed.
        (&[0xc1, 11, 0, 5, 0, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0], 1),
        // 7.2.3.4: a block that ends the stream.
        (&[0xc1, 8, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0], 1),
        // 7.2.3.5: two blocks.
        (&[0xc1, 13, 0xf2, 0x48, 5, 0, 0, 0, 0xff, 0xff, 0xca, 0xc9, 0xc9, 7, 0], 1),
    ];
    for (frames, times) in cases {
        for piece in 1..frames.len() {
            let found = decoded(&mut decoder(true, MessageLimits::default()), frames, piece);
            assert_eq!(
                found,
                Ok(vec![b"Hello".to_vec(); times]),
                "{frames:02x?} in pieces of {piece}"
            );
        }
    }
    // 7.2.3.6: an empty message, compressed. And messages that are not compressed, between two that are.
    let mixed = [&[0xc1, 1, 0, 0x81, 2, b'h', b'i'][..], cases[2].0].concat();
    let found = decoded(&mut decoder(true, MessageLimits::default()), &mixed, 3);
    assert_eq!(found.unwrap(), [&b""[..], b"hi", b"Hello", b"Hello"]);
    let mut encoder = MessageEncoder::new(Role::Server).deflate(&params((15, true), (15, true)));
    for message in [&b""[..], b"Hello", b"", b"Hello", b""] {
        let mut out = Vec::new();
        encoder.encode(&mut out, Opcode::Text, message, &mut no_masks);
        match message {
            b"" => assert_eq!(out, [0xc1, 1, 0]),
            _ => assert!(out.len() <= 9 && out[0] == 0xc1),
        }
    }
}

#[test]
fn invalid_compressed_messages() {
    let broken = |what| WebSocketError::Protocol { what };
    let not_first = "a compressed frame that is not the first of a message";
    let cases: [(&[u8], WebSocketError); 4] = [
        (&[0xc9, 0], broken(not_first)),
        (&[0x01, 0, 0xc0, 0], broken(not_first)),
        (&[0xd1, 0], broken("reserved bits without an extension")),
        (&[0xa1, 0], broken("reserved bits without an extension")),
    ];
    for (frames, error) in cases {
        let found = decoded(&mut decoder(true, MessageLimits::default()), frames, 1);
        assert_eq!(found, Err(error), "{frames:02x?}");
    }
    // Without an agreement.
    let mut plain = MessageDecoder::new(Role::Client, MessageLimits::default());
    assert!(decoded(&mut plain, &[0xc1, 1, 0], 9).is_err());
    let corrupt = [
        &[0xc1, 2, 0xff, 0xff][..],
        // It refers to what is before its beginning.
        &[0xc1, 5, 0xf2, 0, 0x11, 0, 0],
    ];
    for frames in corrupt {
        let error = decoded(&mut decoder(true, MessageLimits::default()), frames, 9).unwrap_err();
        assert!(matches!(error, WebSocketError::Inflate(_)), "{error}");
        assert_eq!(error.code().number(), 1_007);
    }
    // Text that is not UTF-8 after inflating, before the message is complete.
    let mut out = Vec::new();
    let mut encoder = MessageEncoder::new(Role::Server).deflate(&params((15, true), (15, true)));
    encoder.encode_part(&mut out, Opcode::Text, b"a\xff", false, &mut no_masks);
    let found = decoded(&mut decoder(true, MessageLimits::default()), &out, 1);
    assert_eq!(found, Err(WebSocketError::Text));
}

/// A compressed message of so many zeros, in frames of this payload.
fn zeros(len: usize, fragment: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut deflate = pool::new_deflate(9, 15);
    let block = vec![0; 1 << 20];
    let mut next = |len: usize| {
        let start = payload.len();
        deflate.deflate_into(&block[..len], Flush::Sync, &mut payload);
        payload[start..].to_vec()
    };
    // All blocks but the first look alike.
    let mut rest = len;
    let first = rest.min(block.len());
    next(first);
    rest -= first;
    if rest >= block.len() {
        let alike = next(block.len());
        rest -= block.len();
        payload.extend(alike.repeat(rest / block.len()));
        rest %= block.len();
    }
    if rest > 0 {
        deflate.deflate_into(&block[..rest], Flush::Sync, &mut payload);
    }
    payload.truncate(payload.len() - TAIL.len());
    let count = payload.len().div_ceil(fragment);
    let mut out = Vec::new();
    for (number, piece) in payload.chunks(fragment).enumerate() {
        let opcode = if number == 0 { Opcode::Binary } else { Opcode::Continuation };
        let start = out.len();
        encode_frame(&mut out, opcode, number + 1 == count, piece, None);
        if number == 0 {
            out[start] |= 0x40;
        }
    }
    out
}

#[test]
fn bomb_1_gib() {
    let bomb = zeros(1 << 30, usize::MAX);
    assert!(bomb.len() < 1_100_000);
    let max = 1 << 20;
    // The announced length is above the limit already; with a higher one, inflating stops.
    let mut tight = decoder(false, MessageLimits::default().message_max(max / 2));
    assert_eq!(tight.decode(&mut &bomb[..10]), Err(WebSocketError::TooLong { max: max / 2 }));
    let mut decoder = decoder(false, MessageLimits::default().message_max(max));
    let mut fed = 0;
    let error = bomb.chunks(100).find_map(|mut piece| {
        fed += piece.len();
        decoder.decode(&mut piece).err()
    });
    assert_eq!(error, Some(WebSocketError::TooLong { max }));
    assert!(fed < 3_000, "it stopped after {fed} bytes");
}

#[test]
fn bomb_over_fragments() {
    let max = 100_000;
    let limits = MessageLimits::default().message_max(max);
    for fragment in [1, 7, 500] {
        let exact = zeros(max, fragment);
        let more = zeros(max + 1, fragment);
        let many = limits.fragments_max(u32::MAX);
        let found = decoded(&mut decoder(false, many), &exact, usize::MAX).unwrap();
        assert_eq!(found[0].len(), max);
        let found = decoded(&mut decoder(false, many), &more, usize::MAX);
        assert_eq!(found, Err(WebSocketError::TooLong { max }), "{fragment}");
    }
    // The budget is that of each message, with context takeover, too.
    let twice = zeros(max, usize::MAX).repeat(2);
    assert_eq!(decoded(&mut decoder(true, limits), &twice, 1_000).unwrap().len(), 2);
    // Blocks that inflate to nothing are bounded by what is received.
    let empty = [0, 0, 0, 0xff, 0xff].repeat(max);
    let mut frame = Vec::new();
    encode_frame(&mut frame, Opcode::Binary, true, &empty, None);
    frame[0] |= 0x40;
    assert!(decoded(&mut decoder(false, limits), &frame, usize::MAX).is_err());
}

#[test]
fn pieces_of_a_bomb_come_one_by_one() {
    let len = 20 << 20;
    let bomb = zeros(len, usize::MAX);
    let mut decoder = decoder(false, MessageLimits::default()).by_piece(true);
    let (mut input, mut total, mut pieces) = (&bomb[..], 0, 0);
    loop {
        match decoder.decode(&mut input).unwrap() {
            Message::BinaryPiece { data, is_last } => {
                assert!(data.len() <= 16 * 1024);
                total += data.len();
                pieces += 1;
                if is_last {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(total == len && pieces >= len / (16 * 1024));
}

/// Text, noise, and repetitions of what was before.
fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = prop::collection::vec(prop::sample::select(&b"abc \n"[..]), 0..2_000);
    let noise = prop::collection::vec(any::<u8>(), 0..1_500);
    let message = prop_oneof![
        text,
        noise.clone(),
        (noise, 1..40_usize).prop_map(|(noise, times)| { noise.repeat(times) })
    ];
    prop::collection::vec(message, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A message arrives as it was sent, whatever was agreed, however it is cut; and no reference goes further back than the window.
    #[test]
    fn messages_between_two_ends(
        messages in messages(),
        bits in 8..=15_u8,
        takeover: bool,
        level in 0..=9_u8,
        fragment in prop_oneof![Just(None), (1..3_000_usize).prop_map(Some)],
        piece in 1..4_000_usize,
        parts: bool,
    ) {
        let agreed = DeflateParams { level, ..params((bits, takeover), (bits, takeover)) };
        let mut encoder = MessageEncoder::new(Role::Server).deflate(&agreed).fragment_len(fragment);
        let mut sent = Vec::new();
        for message in &messages {
            if parts {
                let (first, last) = message.split_at(message.len() / 2);
                encoder.encode_part(&mut sent, Opcode::Binary, first, false, &mut no_masks);
                encoder.encode(&mut sent, Opcode::Ping, b"between", &mut no_masks);
                encoder.encode_part(&mut sent, Opcode::Binary, last, true, &mut no_masks);
            } else {
                encoder.encode(&mut sent, Opcode::Binary, message, &mut no_masks);
            }
        }
        let limits = MessageLimits::default().fragments_max(u32::MAX);
        let mut decoder = MessageDecoder::new(Role::Client, limits).deflate(&agreed);
        let found = decoded(&mut decoder, &sent, piece).unwrap();
        prop_assert!(found == messages);
        // The same by the words of RFC 1951, which also tells how far it refers back.
        let mut window = Vec::new();
        for (payload, message) in reference::payloads(&sent).iter().zip(&messages) {
            if !takeover {
                window.clear();
            }
            let payload = match payload {
                reference::Payload::Compressed(payload) => payload,
                reference::Payload::Plain(payload) => {
                    prop_assert!(!parts && payload == message);
                    continue;
                }
            };
            // Only what may be referred to is sent without becoming shorter.
            let is_shorter = payload.len() - TAIL.len() < message.len();
            prop_assert!(is_shorter || parts || takeover && message.len() < 1 << bits);
            let (output, distance) = reference::inflate(payload, &window).expect("valid");
            prop_assert!(output == *message);
            prop_assert!(distance <= 1 << bits, "{distance} with {bits} bits");
            window.extend(output);
        }
    }

    /// A prepared message between others is compressed by itself, and the next ones refer to nothing before it.
    #[test]
    fn messages_compressed_alone(messages in messages(), alone in 0..5_usize, bits in 9..=15_u8) {
        let agreed = params((bits, true), (bits, true));
        let mut encoder = MessageEncoder::new(Role::Server).deflate(&agreed);
        let mut sent = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            if number == alone {
                let deflater = encoder.deflater().unwrap();
                match super::super::compressed_frame(Opcode::Binary, message, deflater) {
                    Some(frame) => {
                        deflater.forget();
                        sent.extend(frame);
                    }
                    None => encode_frame(&mut sent, Opcode::Binary, true, message, None),
                }
            } else {
                encoder.encode(&mut sent, Opcode::Binary, message, &mut no_masks);
            }
        }
        let mut decoder = MessageDecoder::new(Role::Client, MessageLimits::default()).deflate(&agreed);
        prop_assert!(decoded(&mut decoder, &sent, 1_000).unwrap() == messages);
    }
}

/// Bytes that do not become shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_does_not_become_shorter_is_sent_as_it_is() {
    let text = b"abc ".repeat(300);
    // Length of the noise, window, takeover, and whether the noise is compressed.
    let cases = [
        (1_000, 15, false, false),
        (0, 15, false, false),
        (1_000, 15, true, true),
        (1_000, 9, true, false),
        (100_000, 15, true, false),
    ];
    for (len, bits, takeover, is_compressed) in cases {
        let messages = [text.clone(), noise(len), text.clone(), noise(len), text.clone()];
        let agreed = params((bits, takeover), (bits, takeover));
        let mut encoder = MessageEncoder::new(Role::Server).deflate(&agreed);
        let (mut sent, mut rsv1) = (Vec::new(), Vec::new());
        for message in &messages {
            let start = sent.len();
            encoder.encode(&mut sent, Opcode::Binary, message, &mut no_masks);
            rsv1.push(sent[start] & 0x40 > 0);
        }
        assert_eq!(rsv1, [true, is_compressed, true, is_compressed, true], "{len} {bits}");
        let limits = MessageLimits::default();
        let mut decoder = MessageDecoder::new(Role::Client, limits).deflate(&agreed);
        assert!(decoded(&mut decoder, &sent, 999).unwrap() == messages, "{len} {bits}");
    }
    // Prepared, it is the frame that every connection gets.
    let deflater = MessageDeflater::new(&params((15, true), (15, true)), &ContextPool::default());
    assert!(super::super::compressed_frame(Opcode::Binary, &noise(5_000), &deflater).is_none());
    assert!(super::super::compressed_frame(Opcode::Binary, &text, &deflater).is_some());
}

#[test]
fn context_takeover_makes_similar_messages_small() {
    let message = b"{\"kind\":\"tick\",\"price\":12345,\"name\":\"example\"}";
    let sizes = |takeover| {
        let agreed = params((15, takeover), (15, takeover));
        let mut encoder = MessageEncoder::new(Role::Server).deflate(&agreed);
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let mut out = Vec::new();
            encoder.encode(&mut out, Opcode::Text, message, &mut no_masks);
            sizes.push(out.len());
        }
        sizes
    };
    let (with, without) = (sizes(true), sizes(false));
    assert!(with[0] > 40 && with[1] < 12 && with[2] < 12, "{with:?}");
    assert_eq!(without, [without[0]; 3]);
}

#[test]
fn without_takeover_a_pool_keeps_the_contexts() {
    let pool = ContextPool::default();
    let agreed = params((15, false), (15, false));
    let mut out = Vec::new();
    let mut encoder = MessageEncoder::new(Role::Server).deflate_in(&agreed, &pool);
    encoder.encode(&mut out, Opcode::Text, b"Hello, hello, hello, hello", &mut no_masks);
    assert_eq!(format!("{pool:?}"), "ContextPool { inflates: 0, deflates: 1 }");
    let limits = MessageLimits::default();
    let new = || MessageDecoder::new(Role::Client, limits).deflate_in(&agreed, &pool);
    let mut decoders: Vec<_> = (0..10).map(|_| new()).collect();
    // All are within a message, and each has a context of its own until it ends.
    for decoder in &mut decoders {
        assert_eq!(decoder.decode(&mut &out[..5]), Ok(Message::Incomplete));
    }
    for decoder in &mut decoders {
        assert_eq!(decoder.decode(&mut &out[5..]), Ok(Message::Text("Hello, hello, hello, hello")));
        assert_eq!(decoder.decode(&mut &b""[..]), Ok(Message::Incomplete));
    }
    assert_eq!(format!("{pool:?}"), "ContextPool { inflates: 4, deflates: 1 }");
}
