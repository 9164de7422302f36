//! Compressed WebSocket messages, held against RFC 7692 7.2.2 read message by message; and messages between an encoder and a decoder.

use sinew::{
    http::websocket::{
        DeflateConfig, Message, MessageDecoder, MessageEncoder, MessageLimits, Opcode, Role,
    },
    protocols::compression::{Format, Inflate, Inflated},
};

use super::{input::Input, pieces::pieces};

const LEN_MAX: usize = 4 * 1024;

/// Longest message here.
const MESSAGE_MAX: usize = 2_000;

/// The messages, and whether the stream was refused.
type Received = (Vec<Vec<u8>>, bool);

/// What is agreed, how messages are encoded, the lengths of pieces, then the payloads of messages, each behind its kind and length.
pub(crate) fn check(data: &mut Input<'_>) {
    let flags = data.byte();
    let takeover = flags & 1 > 0;
    let config = DeflateConfig::default()
        .level(flags >> 4)
        .compress_from(0)
        .send_window_bits(8 + (flags >> 1 & 7))
        .send_context_takeover(takeover)
        .receive_context_takeover(takeover);
    let fragment = usize::from(data.byte()) + 1;
    let cut = data.piece_lens(5);
    let stream = data.bytes(LEN_MAX);

    // As the payloads of compressed messages, whatever they are.
    let frames = frames(stream, fragment);
    let whole = decode(&config, &frames, &[usize::MAX], false);
    for cut in [&[1][..], &cut] {
        assert_eq!(decode(&config, &frames, cut, false), whole, "{cut:?}");
    }
    assert_eq!(by_the_words(stream, takeover), whole);
    // The pieces of messages that are complete make up the same messages.
    let (by_piece, _) = decode(&config, &frames, &cut, true);
    assert!(by_piece.starts_with(&whole.0));

    // There and back.
    let mut encoder =
        MessageEncoder::new(Role::Server).deflate(&config.params()).fragment_len(fragment);
    let mut sent = Vec::new();
    let messages: Vec<_> = split(stream).into_iter().map(<[u8]>::to_vec).collect();
    for message in &messages {
        encoder.encode(&mut sent, Opcode::Binary, message, &mut || [0; 4]);
    }
    assert_eq!(decode(&config, &sent, &cut, false), (messages, false));
}

/// Each begins with its length, in a byte.
fn split(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let [len, rest @ ..] = stream {
        let (message, behind) = rest.split_at(usize::from(*len).min(rest.len()));
        messages.push(message);
        stream = behind;
    }
    messages
}

/// Frames of a server with these payloads, compressed or not.
fn frames(stream: &[u8], fragment: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for payload in split(stream) {
        let mut encoder = MessageEncoder::new(Role::Server).fragment_len(fragment);
        let start = out.len();
        encoder.encode(&mut out, Opcode::Binary, payload, &mut || [0; 4]);
        out[start] |= 0x40;
    }
    out
}

fn decode(config: &DeflateConfig, frames: &[u8], cut: &[usize], by_piece: bool) -> Received {
    let limits = MessageLimits::default().message_max(MESSAGE_MAX).fragments_max(u32::MAX);
    let decoder = MessageDecoder::new(Role::Client, limits).deflate(&config.params());
    let mut decoder = decoder.by_piece(by_piece);
    let (mut messages, mut begun) = (Vec::new(), Vec::new());
    for mut piece in pieces(frames, cut) {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Message::Binary(data)) => messages.push(data.to_vec()),
                Ok(Message::BinaryPiece { data, is_last }) => {
                    begun.extend_from_slice(data);
                    if is_last {
                        messages.push(std::mem::take(&mut begun));
                    }
                }
                Ok(Message::Incomplete) => break assert!(piece.is_empty()),
                Ok(other) => panic!("{other:?}"),
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

fn by_the_words(stream: &[u8], takeover: bool) -> Received {
    let new = || Inflate::new(Format::Raw).output_max(MESSAGE_MAX as u64);
    let (mut messages, mut inflate) = (Vec::new(), new());
    for payload in split(stream) {
        if !takeover {
            inflate = new();
        }
        inflate.renew_budget();
        let data = [payload, &[0, 0, 0xff, 0xff]].concat();
        let (mut input, mut message) = (&data[..], Vec::new());
        loop {
            match inflate.inflate(&mut input) {
                Ok(Inflated::Output(piece)) => message.extend_from_slice(piece),
                Ok(Inflated::Incomplete) => break,
                Ok(Inflated::End) => inflate.next_stream(),
                Err(_) => return (messages, true),
            }
        }
        messages.push(message);
    }
    (messages, false)
}
