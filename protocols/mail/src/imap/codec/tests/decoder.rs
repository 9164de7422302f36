//! Where messages and literals begin and end, however the input is cut.

use proptest::prelude::*;

use super::super::{DecodeError, Event, MessageDecoder};

/// What a decoder has found, with the bytes of a literal joined.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Literal(u64, bool),
    Streamed(Vec<u8>),
    Message(Vec<u8>),
    TooLong,
    Failed(DecodeError),
}

/// What is done with each literal.
#[derive(Clone, Copy, PartialEq)]
enum Decision {
    Keep,
    Stream,
    Refuse,
}

fn found(mut decoder: MessageDecoder, pieces: &[&[u8]], decision: Decision) -> Vec<Found> {
    let (mut found, mut literal) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut input = *piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Event::Incomplete) => break,
                Ok(Event::Literal(head)) => {
                    found.push(Found::Literal(head.len, head.is_synchronizing));
                    match decision {
                        Decision::Keep => decoder.keep(),
                        Decision::Stream => decoder.stream(),
                        Decision::Refuse => decoder.refuse(),
                    }
                }
                Ok(Event::Bytes(bytes)) => literal.extend_from_slice(bytes),
                Ok(Event::LiteralEnd) => found.push(Found::Streamed(std::mem::take(&mut literal))),
                Ok(Event::Message(message)) => found.push(Found::Message(message.bytes().to_vec())),
                Ok(Event::TooLong) => found.push(Found::TooLong),
                Err(error) => {
                    found.push(Found::Failed(error));
                    return found;
                }
            }
        }
    }
    found
}

/// The same for every cut of the input into two pieces, and into single bytes.
fn always(decoder: fn() -> MessageDecoder, input: &str, decision: Decision, expected: &[Found]) {
    let input = input.as_bytes();
    for at in 0..=input.len() {
        let (one, other) = input.split_at(at);
        assert_eq!(found(decoder(), &[one, other], decision), expected, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(found(decoder(), &bytes, decision), expected, "cut everywhere");
}

fn message(text: &str) -> Found {
    Found::Message(text.as_bytes().to_vec())
}

#[test]
fn messages_end_with_their_lines() {
    let commands = || MessageDecoder::of_commands(20);
    always(
        commands,
        "a NOOP\r\n\r\nb NOOP\r\n",
        Decision::Keep,
        &[message("a NOOP"), message(""), message("b NOOP")],
    );
    always(
        commands,
        "a LOGIN {3}\r\na\nb {0}\r\n\r\nb",
        Decision::Keep,
        &[Found::Literal(3, true), Found::Literal(0, true), message("a LOGIN {3}\r\na\nb {0}\r\n")],
    );
    always(
        commands,
        "a X {5+}\r\nab\r\nc\r\nb NOOP\r\n",
        Decision::Stream,
        &[
            Found::Literal(5, false),
            Found::Streamed(b"ab\r\nc".to_vec()),
            message("a X {5+}\r\n"),
            message("b NOOP"),
        ],
    );
}

#[test]
fn a_refused_literal_ends_the_command() {
    let commands = || MessageDecoder::of_commands(30);
    // The client waits, and goes on with another command.
    always(
        commands,
        "a X {5}\r\nb NOOP\r\n",
        Decision::Refuse,
        &[Found::Literal(5, true), message("b NOOP")],
    );
    // It does not wait: what belongs to the command is skipped, to the end.
    always(
        commands,
        "a X {5+}\r\nab\r\nc {3+}\r\nd\r\n e\r\nb NOOP\r\n",
        Decision::Refuse,
        &[Found::Literal(5, false), message("b NOOP")],
    );
}

#[test]
fn lines_that_are_too_long_are_skipped() {
    let commands = || MessageDecoder::of_commands(6);
    always(
        commands,
        "a NOOP\r\nab NOOP\r\na NOOP\r\n",
        Decision::Keep,
        &[message("a NOOP"), Found::TooLong, message("a NOOP")],
    );
    always(
        commands,
        "ab NOOPNOOP {4+}\r\na\r\nb x\r\nb X\r\n",
        Decision::Keep,
        &[Found::TooLong, message("b X")],
    );
    // Its front is there for the answer.
    let mut decoder = commands();
    let mut input = &b"ab NOOPNOOP"[..];
    assert_eq!(decoder.decode(&mut input), Ok(Event::TooLong));
    assert_eq!(decoder.front().tag(), "ab".parse().ok());
}

#[test]
fn other_line_ends_are_errors_of_clients() {
    let commands = || MessageDecoder::of_commands(100);
    for (input, error) in [
        ("a NOOP\n", DecodeError::BareLf),
        ("a NO\rOP\r\n", DecodeError::BareCr),
        ("a NO\0OP\r\n", DecodeError::Nul),
        ("a X {99999999999999999999}\r\n", DecodeError::Length),
    ] {
        always(commands, input, Decision::Keep, &[Found::Failed(error)]);
    }
    let responses = || MessageDecoder::of_responses(100);
    always(responses, "* OK\n* X\r\n", Decision::Keep, &[message("* OK"), message("* X")]);
}

/// The text of a status may end in braces: a client that took it for a literal would wait forever.
#[test]
fn statuses_announce_no_literals() {
    let responses = || MessageDecoder::of_responses(100);
    for line in ["* OK see {12}", "* bye {3}", "a1 NO [ALERT] {3+}", "+ go {5}", "* OK {5}"] {
        always(responses, &format!("{line}\r\n"), Decision::Keep, &[message(line)]);
    }
    let mut decoder = responses();
    let mut input = &b"* OKAY {3}\r\n"[..];
    assert!(matches!(decoder.decode(&mut input), Ok(Event::Literal(_))));
}

/// Wherever a streamed literal is, the rest of its message can be skipped.
#[test]
fn the_rest_of_a_message_is_skipped() {
    for taken in 0..=3 {
        let mut decoder = MessageDecoder::of_commands(100);
        let mut input = &b"a X {3}\r\n"[..];
        assert!(matches!(decoder.decode(&mut input), Ok(Event::Literal(_))));
        decoder.stream();
        let (mut first, mut rest) = b"123 {2+}\r\n45 6\r\nb NOOP\r\n".split_at(taken);
        while !matches!(decoder.decode(&mut first), Ok(Event::Incomplete | Event::LiteralEnd)) {}
        decoder.skip();
        let next = decoder.decode(&mut rest);
        let Ok(Event::Message(message)) = next else { panic!("{next:?} behind {taken} bytes") };
        assert_eq!(message.bytes(), b"b NOOP", "behind {taken} bytes");
    }
}

#[test]
fn a_decoder_between_messages_holds_nothing() {
    let mut decoder = MessageDecoder::of_commands(100);
    let mut input = &b"a NOOP\r\n"[..];
    assert!(matches!(decoder.decode(&mut input), Ok(Event::Message(_))));
    assert!(decoder.is_between_messages());
    assert_eq!(decoder.front().bytes.capacity(), 0);
}

proptest! {
    /// What is found does not depend on how the input is cut.
    #[test]
    fn cuts_do_not_matter(
        parts in prop::collection::vec(
            prop::sample::select(&["a ", "{1}", "{3+}", "~{2}", "\r\n", "\r\n", "\n", "x", "{", "}", "\"", "OK", "* "][..]),
            0..30,
        ),
        cut in 1..9_usize,
        decision in prop::sample::select(&[Decision::Keep, Decision::Stream, Decision::Refuse][..]),
        is_server: bool,
    ) {
        let input = parts.concat();
        let decoder = || match is_server {
            true => MessageDecoder::of_commands(12),
            false => MessageDecoder::of_responses(12),
        };
        let whole = found(decoder(), &[input.as_bytes()], decision);
        let pieces: Vec<&[u8]> = input.as_bytes().chunks(cut).collect();
        prop_assert_eq!(found(decoder(), &pieces, decision), whole);
    }
}

impl std::fmt::Debug for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Stream => "stream",
            Self::Refuse => "refuse",
        })
    }
}
