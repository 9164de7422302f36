//! The text of a message, made ready to be sent: [`Text`]. Pure.

use bytes::Bytes;
use memchr::{memchr, memchr2};
use sinew_protocols::basic::DotStuffing;

/// Bytes that are encoded at once.
const PIECE: usize = 16 * 1024;

/// A message whose lines all end in CRLF.
#[derive(Clone, Debug)]
pub(super) struct Text {
    bytes: Bytes,
    /// Bytes from 128 on in the header, and in the body.
    pub(super) header_is_8bit: bool,
    pub(super) body_is_8bit: bool,
}

impl Text {
    /// Bare CRs and LFs become CRLF, and so does the end.
    pub(super) fn new(message: Bytes) -> Self {
        let bytes = if is_whole(&message) { message } else { normalized(&message) };
        let (header, body) = bytes.split_at(header_len(&bytes));
        let (header_is_8bit, body_is_8bit) = (!header.is_ascii(), !body.is_ascii());
        Self { header_is_8bit, body_is_8bit, bytes }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The text with stuffed dots and its end, piece by piece.
    pub(super) fn stuffed(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut stuffing = DotStuffing::strict();
        let mut rest = &self.bytes[..];
        let mut is_ended = false;
        std::iter::from_fn(move || {
            if is_ended {
                return None;
            }
            let (piece, after) = rest.split_at(rest.len().min(PIECE));
            rest = after;
            let mut out = Vec::with_capacity(piece.len() + 64);
            let whole = "all lines end in CRLF";
            stuffing.encode(piece, |bytes| out.extend_from_slice(bytes)).expect(whole);
            if rest.is_empty() {
                is_ended = true;
                stuffing.finish(|bytes| out.extend_from_slice(bytes)).expect(whole);
            }
            Some(out)
        })
    }
}

/// Whether all lines end in CRLF, the last too.
fn is_whole(message: &[u8]) -> bool {
    let mut rest = message;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        if !rest[at..].starts_with(b"\r\n") {
            return false;
        }
        rest = &rest[at + 2..];
    }
    rest.is_empty()
}

fn normalized(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 2);
    let mut rest = message;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        rest = rest[at..].strip_prefix(b"\r\n").unwrap_or(&rest[at + 1..]);
    }
    out.extend_from_slice(rest);
    if !rest.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}

/// Bytes up to the empty line.
fn header_len(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(len) = memchr(b'\n', &text[at..]) {
        if text[at..].starts_with(b"\r\n") {
            return at;
        }
        at += len + 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_protocols::basic::{DotStuffed, Unstuffed};

    use super::*;

    #[test]
    fn line_ends_become_crlf() {
        for (message, expected) in [
            ("", ""),
            ("one", "one\r\n"),
            ("one\ntwo\n", "one\r\ntwo\r\n"),
            ("one\rtwo\r", "one\r\ntwo\r\n"),
            ("one\r\ntwo\r\n", "one\r\ntwo\r\n"),
            ("\n.\n", "\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n"),
            ("a\n\r\nb", "a\r\n\r\nb\r\n"),
        ] {
            let text = Text::new(Bytes::from_static(message.as_bytes()));
            assert_eq!(text.bytes(), expected, "{message:?}");
        }
    }

    #[test]
    fn header_and_body_are_told_apart() {
        for (message, header, body) in [
            ("Subject: x\r\n\r\nx", false, false),
            ("Subject: ä\r\n\r\nx", true, false),
            ("Subject: x\n\nä", false, true),
            ("\r\nä", false, true),
            ("ä", true, false),
        ] {
            let text = Text::new(Bytes::from_static(message.as_bytes()));
            assert_eq!((text.header_is_8bit, text.body_is_8bit), (header, body), "{message:?}");
        }
    }

    const PARTS: [&[u8]; 6] = [b"\r", b"\n", b".", b"\r\n", b"x", &[b'y'; 20_000]];

    proptest! {
        /// No message can end early, whatever is in it: a strict server receives all of it, and nothing follows.
        #[test]
        fn a_server_receives_the_message_and_nothing_else(
            parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..40),
        ) {
            let text = Text::new(parts.concat().into());
            let sent: Vec<u8> = text.stuffed().flatten().collect();
            let (mut input, mut received, mut decoder) = (&sent[..], Vec::new(), DotStuffed::strict());
            loop {
                match decoder.decode(&mut input) {
                    Ok(Unstuffed::Text(text)) => received.extend_from_slice(text),
                    Ok(Unstuffed::End) => break,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(input.is_empty());
            prop_assert_eq!(&received[..], &text.bytes()[..]);
        }
    }
}
