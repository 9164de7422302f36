//! The messages, as a table of bytes; and hostile ones.

use proptest::prelude::*;

use super::*;

fn decoded(bytes: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let mut messages = Vec::new();
    while let Some(message) = decoder.next()? {
        messages.push(message);
    }
    Ok(messages)
}

fn every_kind() -> Vec<Message> {
    vec![
        Message::Offer { pid: 77, sockets: 2 },
        Message::Socket { name: "web".to_owned(), kind: Kind::Port, has_lock: true },
        Message::Socket { name: String::new(), kind: Kind::Udp, has_lock: false },
        Message::Ready { takes: vec!["chat".to_owned(), "é".to_owned()] },
        Message::Go,
        Message::Taken,
        Message::Connection { port: "chat".to_owned(), state: b"ann".into(), unread: b"he".into() },
        Message::Settled,
        Message::Failed { why: "no such file".to_owned() },
        Message::Serves,
    ]
}

#[test]
fn a_message_is_these_bytes() {
    let cases: [(Message, &[u8]); 3] = [
        (Message::Offer { pid: 77, sockets: 2 }, b"SH\x01\x01\0\0\0\x08\0\0\0\x4d\0\0\0\x02"),
        (
            Message::Socket { name: "web".to_owned(), kind: Kind::Port, has_lock: true },
            b"SH\x01\x02\0\0\0\x09\0\0\0\x03web\x01\x01",
        ),
        (Message::Go, b"SH\x01\x04\0\0\0\0"),
    ];
    for (message, bytes) in cases {
        assert_eq!(message.to_bytes(), bytes, "{message:?}");
        assert_eq!(decoded(bytes), Ok(vec![message]));
    }
}

#[test]
fn messages_are_the_same_however_they_arrive() {
    let all = every_kind();
    let bytes: Vec<u8> = all.iter().flat_map(Message::to_bytes).collect();
    assert_eq!(decoded(&bytes).unwrap(), all);
    for step in 1..20 {
        let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
        for part in bytes.chunks(step) {
            decoder.push(part);
            while let Some(message) = decoder.next().unwrap() {
                messages.push(message);
            }
        }
        assert_eq!(messages, all, "in steps of {step}");
        assert_eq!(decoder.unfinished.capacity(), 0, "no buffer between messages");
    }
}

#[test]
fn hostile_bytes_are_refused() {
    let head = |version: u8, number: u8, len: u32| {
        let mut bytes = vec![b'S', b'H', version, number];
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes
    };
    let with = |number: u8, body: &[u8]| {
        let mut bytes = head(1, number, body.len() as u32);
        bytes.extend_from_slice(body);
        bytes
    };
    let name = |len: usize| [&(len as u32).to_be_bytes()[..], &vec![b'x'; len]].concat();
    let socket = |name: &[u8], rest: &[u8]| with(2, &[name, rest].concat());
    let cases: [(Vec<u8>, Malformed); 13] = [
        (b"GET / HTTP/1.1".into(), Malformed::Magic),
        (head(2, 1, 8), Malformed::Version(2)),
        (head(1, 0, 0), Malformed::Type(0)),
        (head(1, 10, 0), Malformed::Type(10)),
        (head(1, 4, 1), Malformed::TooLong { len: 1, max: 0 }),
        (head(1, 6, u32::MAX), Malformed::TooLong { len: u32::MAX as usize, max: BODY_MAX }),
        (with(1, &[0; 7]), Malformed::Length),
        (with(8, b"\0\0\0\x09no"), Malformed::Length),
        (with(8, b"\0\0\0\x01no"), Malformed::Length),
        (with(8, b"\0\0\0\x02\xff\xfe"), Malformed::Text),
        (socket(&name(3), &[0, 0]), Malformed::Value),
        (socket(&name(3), &[1, 2]), Malformed::Value),
        (with(3, &[0xff; 8]), Malformed::Value),
    ];
    for (bytes, error) in cases {
        assert_eq!(decoded(&bytes), Err(error), "{}", bytes.escape_ascii());
    }
    let long = with(6, &[name(NAME_MAX + 1), name(0), name(0)].concat());
    assert_eq!(decoded(&long), Err(Malformed::Text));
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let message = Message::Failed { why: "é".repeat(WHY_MAX) };
    let [Message::Failed { why }] = &decoded(&message.to_bytes()).unwrap()[..] else { panic!() };
    assert_eq!(why.len(), WHY_MAX);
}

proptest! {
    #[test]
    fn no_bytes_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&bytes);
        // And behind a good head of each type.
        for number in 1..=9 {
            let len = u32::try_from(bytes.len()).unwrap();
            let head = [&[b'S', b'H', 1, number][..], &len.to_be_bytes()].concat();
            let _ = decoded(&[head, bytes.clone()].concat());
        }
    }

    #[test]
    fn connections_go_there_and_back(
        port in "[a-z]{0,20}",
        state in proptest::collection::vec(any::<u8>(), 0..100),
        unread in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let message = Message::Connection { port, state, unread };
        prop_assert_eq!(decoded(&message.to_bytes()).unwrap(), vec![message]);
    }
}
