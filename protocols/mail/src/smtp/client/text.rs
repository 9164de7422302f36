//! The text of a message in memory, made ready to be sent: [`Text`]. Pure.

use std::io;

use bytes::Bytes;
use memchr::memchr2;

use super::MessageSource;
use crate::smtp::codec::MessageFacts;

/// Bytes of a piece.
const PIECE: usize = 16 * 1024;

/// A message in memory whose lines all end in CRLF.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    facts: MessageFacts,
    /// What is not sent yet.
    rest: Bytes,
}

impl Text {
    /// Bare CRs and LFs become CRLF, and so does the end.
    pub(crate) fn new(message: Bytes) -> Self {
        let rest = if is_whole(&message) { message } else { normalized(&message) };
        let mut facts = MessageFacts::default();
        facts.feed(&rest);
        Self { facts, rest }
    }

    /// All of it.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.rest
    }
}

impl MessageSource for Text {
    fn facts(&self) -> MessageFacts {
        self.facts
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_protocols::basic::{DotStuffed, DotStuffing, Unstuffed};

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
            assert_eq!(text.into_bytes(), expected, "{message:?}");
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
            let (mut stuffing, mut sent) = (DotStuffing::strict(), Vec::new());
            for piece in text.clone().into_bytes().chunks(PIECE) {
                stuffing.encode(piece, |bytes| sent.extend_from_slice(bytes)).unwrap();
            }
            stuffing.finish(|bytes| sent.extend_from_slice(bytes)).unwrap();
            let (mut input, mut received, mut decoder) = (&sent[..], Vec::new(), DotStuffed::strict());
            loop {
                match decoder.decode(&mut input) {
                    Ok(Unstuffed::Text(text)) => received.extend_from_slice(text),
                    Ok(Unstuffed::End) => break,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert!(input.is_empty());
            prop_assert_eq!(received, text.into_bytes());
        }
    }
}
