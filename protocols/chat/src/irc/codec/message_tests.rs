//! Tests of `message.rs` and `message_buf.rs`.

use proptest::prelude::*;

use super::{BuildError, IrcText, Message, MessageBuf, MessageError};

/// Tags, source, command and parameters.
type Parts = (&'static str, Option<&'static str>, &'static str, &'static [&'static str]);

#[test]
fn lines_and_their_parts() {
    let cases: [(&str, Parts); 13] = [
        ("foo bar baz asdf", ("", None, "foo", &["bar", "baz", "asdf"])),
        (":a foo bar :b c", ("", Some("a"), "foo", &["bar", "b c"])),
        ("foo bar :", ("", None, "foo", &["bar", ""])),
        ("foo :", ("", None, "foo", &[""])),
        ("foo  bar   baz  ", ("", None, "foo", &["bar", "baz"])),
        ("foo bar ::b", ("", None, "foo", &["bar", ":b"])),
        ("foo b:r :b", ("", None, "foo", &["b:r", "b"])),
        ("@a=b;c :s foo", ("a=b;c", Some("s"), "foo", &[])),
        ("@a=b   :s   foo", ("a=b", Some("s"), "foo", &[])),
        (":a!b@c 001 d", ("", Some("a!b@c"), "001", &["d"])),
        ("foo a\tb", ("", None, "foo", &["a\tb"])),
        (": foo", ("", Some(""), "foo", &[])),
        (" foo a", ("", None, "foo", &["a"])),
    ];
    for (line, (tags, source, command, params)) in cases {
        let message = Message::parse(line.as_bytes()).unwrap();
        let found: Vec<_> =
            message.params().iter().map(|param| IrcText::new(param).to_string()).collect();
        assert_eq!(message.raw_tags(), tags.as_bytes(), "{line}");
        assert_eq!(
            message.source().map(|source| source.whole()),
            source.map(IrcText::from),
            "{line}"
        );
        assert_eq!(
            (message.command(), found.as_slice()),
            (command, &params.map_to_owned()[..]),
            "{line}"
        );
    }
}

trait MapToOwned {
    fn map_to_owned(&self) -> Vec<String>;
}

impl MapToOwned for &[&str] {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn fifteenth_parameter_takes_rest() {
    let line = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17";
    let message = Message::parse(line.as_bytes()).unwrap();
    assert_eq!(message.params().len(), 15);
    assert_eq!(message.last(), Some("15 16 17".into()));
    let line = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 :15 16 17";
    assert_eq!(Message::parse(line.as_bytes()).unwrap().last(), Some("15 16 17".into()));
}

#[test]
fn lines_that_are_no_messages() {
    for (line, error) in [
        (&b""[..], MessageError::NoCommand),
        (b"   ", MessageError::NoCommand),
        (b"@a", MessageError::NoCommand),
        (b":a", MessageError::NoCommand),
        (b"@a :b ", MessageError::NoCommand),
        (b"f\x01o", MessageError::Command { byte: 1 }),
        (b"foo a\0b", MessageError::Nul),
    ] {
        assert_eq!(Message::parse(line), Err(error), "{line:?}");
    }
}

#[test]
fn latin1_survives() {
    let message = Message::parse(b":n\xe9 PRIVMSG #caf\xe9 :d\xe9j\xe0").unwrap();
    assert_eq!(message.last().unwrap().as_bytes(), b"d\xe9j\xe0");
    let sent = MessageBuf::new("PRIVMSG").unwrap().param(b"#caf\xe9").unwrap().text(b"d\xe9j\xe0");
    assert_eq!(sent.unwrap().encode().unwrap().as_ref(), b"PRIVMSG #caf\xe9 :d\xe9j\xe0\r\n");
}

#[test]
fn colon_only_trailing() {
    let message = || MessageBuf::new("PRIVMSG").unwrap().param("a").unwrap();
    for (param, error) in [
        (":b", BuildError::Colon),
        ("", BuildError::Empty),
        ("b c", BuildError::Forbidden { byte: b' ', at: 1 }),
        ("b\r", BuildError::Forbidden { byte: b'\r', at: 1 }),
        ("b\nc", BuildError::Forbidden { byte: b'\n', at: 1 }),
        ("\0", BuildError::Forbidden { byte: 0, at: 0 }),
    ] {
        assert_eq!(message().param(param), Err(error), "{param:?}");
    }
    for (text, at) in [("b\r\nQUIT", 1), ("\n", 0), ("ab\0", 2)] {
        let byte = text.as_bytes()[at];
        assert_eq!(message().text(text), Err(BuildError::Forbidden { byte, at }), "{text:?}");
    }
    assert_eq!(message().text(":b c").unwrap().encode().unwrap(), "PRIVMSG a ::b c\r\n");
    assert_eq!(message().text("").unwrap().param("c"), Err(BuildError::TooManyParameters));
    for command in ["", "A B", "A\r", "Ä"] {
        assert!(MessageBuf::new(command).is_err(), "{command:?}");
    }
    for key in ["", "a b", "a;b", "a=b", "a\n"] {
        assert!(message().tag(key, "v").is_err(), "{key:?}");
    }
    assert!(message().tag("k", "v\0").is_err());
}

#[test]
fn lengths_are_bytes_and_tags_apart() {
    let fits =
        |len: usize| MessageBuf::new("A").unwrap().text("ä".repeat(len / 2)).unwrap().encode();
    assert_eq!(fits(506).unwrap().len(), 511);
    assert_eq!(fits(508), Err(BuildError::TooLong { len: 511, max: 510 }));
    let tagged =
        |len: usize| MessageBuf::new("A").unwrap().tag("k", "v".repeat(len)).unwrap().encode();
    assert_eq!(tagged(4_092).unwrap().len(), 4_096 + 3);
    assert_eq!(tagged(4_093), Err(BuildError::TooLong { len: 4_097, max: 4_096 }));
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[^\\x00\\r\\n :][^\\x00\\r\\n ]{0,8}", 0..14)
}

proptest! {
    #[test]
    fn what_is_built_is_parsed_as_the_same(
        command in "[A-Z]{1,8}",
        params in words(),
        text in proptest::option::of("[^\\x00\\r\\n]{0,40}"),
        tags in proptest::collection::btree_map("[a-z/+.-]{1,8}", "[^\\x00]{0,12}", 0..5),
    ) {
        let mut message = MessageBuf::new(&command).unwrap();
        for (key, value) in &tags {
            message = message.tag(key, value).unwrap();
        }
        for param in &params {
            message = message.param(param).unwrap();
        }
        let mut expected = params.clone();
        if let Some(text) = &text {
            message = message.text(text).unwrap();
            expected.push(text.clone());
        }
        let Ok(encoded) = message.encode() else { return Ok(()) };
        let line = encoded.strip_suffix(b"\r\n").unwrap();
        prop_assert!(!line.iter().any(|byte| b"\0\r\n".contains(byte)));
        let parsed = Message::parse(line).unwrap();
        prop_assert_eq!(parsed.command(), command);
        let found: Vec<_> = parsed.params().iter().map(|param| String::from_utf8(param.to_vec()).unwrap()).collect();
        prop_assert_eq!(found, expected);
        for (key, value) in &tags {
            let found = parsed.tag(key).unwrap();
            prop_assert_eq!(found.as_ref(), value.as_bytes());
        }
    }

    #[test]
    fn no_line_panics(line: Vec<u8>) {
        if let Ok(message) = Message::parse(&line) {
            let _ = (message.numeric(), message.source(), message.tags().count(), format!("{message:?}"));
        }
    }
}
