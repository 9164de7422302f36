//! WebSocket messages, held against RFC 6455 5 read frame by frame from the whole text.

use sinew::http::websocket::{
    CloseCode, Message, MessageDecoder, MessageLimits, Opcode, Role, encode_frame,
};

use super::{input::Input, pieces::pieces};

const LEN_MAX: usize = 4 * 1024;

/// Longest message here.
const MESSAGE_MAX: usize = 300;

/// What a peer has sent: kind and payload; then whether it was refused.
type Sent = (Vec<(char, Vec<u8>)>, bool);

/// Which end, the lengths of pieces, then the stream.
pub(crate) fn check(data: &mut Input<'_>) {
    let role = if data.byte() & 1 == 1 { Role::Server } else { Role::Client };
    let cut = data.piece_lens(5);
    let stream = data.bytes(LEN_MAX);
    let expected = by_the_words(stream, role);
    for cut in [&[1][..], &cut, &[usize::MAX]] {
        assert_eq!(decode(stream, role, cut), expected, "{cut:?}");
    }
    // The stream as a message, in two frames: it comes back.
    let message = &stream[..stream.len().min(MESSAGE_MAX)];
    let (first, second) = message.split_at(message.len() / 2);
    let mut sent = Vec::new();
    let mask = (role == Role::Server).then_some([7, 0, 255, 1]);
    encode_frame(&mut sent, Opcode::Binary, false, first, mask);
    encode_frame(&mut sent, Opcode::Ping, true, b"?", mask);
    encode_frame(&mut sent, Opcode::Continuation, true, second, mask);
    let whole = (vec![('?', b"?".to_vec()), ('b', message.to_owned())], false);
    assert_eq!(decode(&sent, role, &cut), whole);
}

fn decode(stream: &[u8], role: Role, cut: &[usize]) -> Sent {
    let limits = MessageLimits::default().message_max(MESSAGE_MAX).fragments_max(4);
    let mut decoder = MessageDecoder::new(role, limits);
    let mut sent = Vec::new();
    for mut piece in pieces(stream, cut) {
        loop {
            let message = match decoder.decode(&mut piece) {
                Ok(Message::Text(text)) => ('t', text.as_bytes().to_vec()),
                Ok(Message::Binary(data)) => ('b', data.to_vec()),
                Ok(Message::Ping(data)) => ('?', data.to_vec()),
                Ok(Message::Pong(data)) => ('!', data.to_vec()),
                Ok(Message::Close(reason)) => {
                    let code = reason.code.number().to_be_bytes();
                    ('x', [&code, reason.text.as_bytes()].concat())
                }
                Ok(_) => break assert!(piece.is_empty()),
                Err(_) => return (sent, true),
            };
            sent.push(message);
        }
    }
    (sent, false)
}

fn by_the_words(mut stream: &[u8], role: Role) -> Sent {
    let mut sent = Vec::new();
    // What the message in pieces is, how many they are, and what there is of it.
    let mut message: Option<(char, usize, Vec<u8>)> = None;
    loop {
        let [first, second, rest @ ..] = stream else {
            // Of the first byte alone, some things are known.
            return (sent, matches!(stream, [first] if is_bad_first(*first)));
        };
        let (opcode, is_final) = (first & 15, first & 0x80 != 0);
        let is_control = opcode >= 8;
        let short = u64::from(second & 0x7f);
        if is_bad_first(*first) || (second & 0x80 != 0) != (role == Role::Server) {
            return (sent, true);
        }
        let extra = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(len) = rest.get(..extra) else { return (sent, false) };
        let len = if extra == 0 {
            short
        } else {
            len.iter().fold(0, |len, byte| len << 8 | u64::from(*byte))
        };
        let smallest = [0, 0, 126, 0, 0, 0, 0, 0, 65_536][extra];
        if len < smallest || len > i64::MAX as u64 || is_control && len > 125 {
            return (sent, true);
        }
        let key_len = if role == Role::Server { 4 } else { 0 };
        let Some(key) = rest.get(extra..extra + key_len) else { return (sent, false) };
        let have = message.as_ref().map_or(0, |(_, _, data)| data.len());
        let pieces = message.as_ref().map_or(0, |(_, pieces, _)| *pieces) + 1;
        if !is_control
            && ((opcode == 0) != message.is_some()
                || pieces > 4
                || have as u64 + len > MESSAGE_MAX as u64)
        {
            return (sent, true);
        }
        let rest = &rest[extra + key_len..];
        let there = rest.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let unmask =
            |(at, byte): (usize, &u8)| if key.is_empty() { *byte } else { byte ^ key[at % 4] };
        let payload: Vec<u8> = rest[..there].iter().enumerate().map(unmask).collect();
        let is_whole = there as u64 == len;
        stream = &rest[there..];
        if is_control {
            if !is_whole {
                return (sent, false);
            }
            match opcode {
                8 => return close(sent, &payload),
                9 => sent.push(('?', payload)),
                _ => sent.push(('!', payload)),
            }
            continue;
        }
        let (kind, _, mut data) =
            message.take().unwrap_or((if opcode == 1 { 't' } else { 'b' }, 0, Vec::new()));
        data.extend_from_slice(&payload);
        let is_over = is_final && is_whole;
        let text =
            std::str::from_utf8(&data).map_err(|error| error.error_len().is_some() || is_over);
        if kind == 't' && text == Err(true) {
            return (sent, true);
        }
        if !is_whole {
            return (sent, false);
        }
        if is_final {
            sent.push((kind, data));
        } else {
            message = Some((kind, pieces, data));
        }
    }
}

fn is_bad_first(first: u8) -> bool {
    let opcode = first & 15;
    first & 0x70 != 0 || matches!(opcode, 3..=7 | 11..) || opcode >= 8 && first & 0x80 == 0
}

/// Nothing counts behind a close.
fn close(mut sent: Vec<(char, Vec<u8>)>, payload: &[u8]) -> Sent {
    let is_good = match payload {
        [] => true,
        [high, low, text @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            CloseCode::new(code).is_some() && std::str::from_utf8(text).is_ok()
        }
        _ => false,
    };
    if is_good {
        let none = CloseCode::NONE.number().to_be_bytes();
        sent.push(('x', if payload.is_empty() { none.to_vec() } else { payload.to_owned() }));
    }
    (sent, !is_good)
}
