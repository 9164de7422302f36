//! Structures of messages, ordinary and awkward, in pieces of all sizes.

use proptest::prelude::*;

use super::*;

fn scanned(message: &[u8]) -> Part {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish()
}

fn structure(message: &str, is_extended: bool) -> String {
    let mut out = Vec::new();
    scanned(message.as_bytes()).write_structure(&mut out, is_extended);
    String::from_utf8_lossy(&out).into_owned()
}

const TEXT: &str = r#""text" "plain" ("charset" "us-ascii") NIL NIL "7bit""#;

#[test]
fn structures() {
    let cases: Vec<(&str, String)> = vec![
        ("", format!("({TEXT} 0 0)")),
        ("\r\n", format!("({TEXT} 0 0)")),
        ("Subject: only a header\r\n", format!("({TEXT} 0 0)")),
        ("\r\na\r\nb", format!("({TEXT} 4 1)")),
        ("\na\nb\n", format!("({TEXT} 4 2)")),
        (
            "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
            r#"("image" "png" NIL NIL NIL "base64" 6)"#.into(),
        ),
        // No boundary, or one that is too long.
        (
            "Content-Type: multipart/mixed\r\n\r\n--a\r\n",
            r#"("application" "octet-stream" NIL NIL NIL "7bit" 5)"#.into(),
        ),
        // No part.
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\nb\r\n",
            format!("(({TEXT} 0 0) \"mixed\")"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a--\r\n",
            format!("(({TEXT} 0 0) \"mixed\")"),
        ),
        // No last delimiter; a part without the end of its header.
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\nX: 1\r\n",
            format!("(({TEXT} 1 0)({TEXT} 0 0) \"mixed\")"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/x\r\n--a--\r\n",
            r#"(("text" "x" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")"#.into(),
        ),
        // Delimiters with blanks behind them, and lines that only begin like one.
        (
            "Content-Type: multipart/mixed; boundary=\"a\"\r\n\r\n--a \t\r\n\r\nx\r\n--ab\r\n --a\r\n-- a\r\n--a-- \r\n",
            format!("(({TEXT} 19 3) \"mixed\")"),
        ),
        // What is behind the last delimiter is no part.
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n--a\r\n\r\ny\r\n",
            format!("(({TEXT} 1 0) \"mixed\")"),
        ),
        // The boundary of the outer part begins like that of the inner one, and the inner one has no end.
        (
            "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\n1\r\n--a\r\n\r\n2\r\n--a--\r\n",
            format!("((({TEXT} 1 0) \"mixed\")({TEXT} 1 0) \"mixed\")"),
        ),
        // A boundary that ends in hyphens.
        (
            "Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/y; boundary=a--\r\n\r\n--a--\r\n\r\n1\r\n--a----\r\n--a--\r\n",
            format!("((({TEXT} 1 0) \"y\") \"x\")"),
        ),
        (
            "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: s\r\n\r\nx\r\n--a--\r\n",
            format!(
                r#"(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ({TEXT} 1 0) 2) "digest")"#
            ),
        ),
        (
            "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\n",
            format!(
                r#"("message" "rfc822" NIL NIL NIL "7bit" 46 ({nil}) ("message" "rfc822" NIL NIL NIL "7bit" 14 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ({TEXT} 0 0) 2) 4)"#,
                nil = "NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL"
            ),
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(structure(message, false), expected, "{message}");
    }
}

#[test]
fn extended_structures() {
    let message = "Content-Type: multipart/mixed; boundary=a\r\nContent-Language: de\r\n\r\n--a\r\nContent-Type: text/x; charset=y\r\n\
        Content-Disposition: attachment; filename=\"f\"\r\nContent-MD5: m\r\nContent-Location: l\r\nContent-ID: <i>\r\n\r\n--a--";
    let part = r#"("text" "x" ("charset" "y") "<i>" NIL "7bit" 0 0 "m" ("attachment" ("filename" "f")) NIL "l")"#;
    assert_eq!(
        structure(message, true),
        format!(r#"({part} "mixed" ("boundary" "a") NIL ("de") NIL)"#)
    );
    let empty = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    assert_eq!(
        structure(empty, true),
        format!(r#"(({TEXT} 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "a") NIL NIL NIL)"#)
    );
}

#[test]
fn depth_and_count_are_bounded() {
    let mut deep = String::new();
    for depth in 0..100_000 {
        deep +=
            &format!("Content-Type: multipart/mixed; boundary=\"{depth}\"\r\n\r\n--{depth}\r\n");
    }
    let mut out = Vec::new();
    scanned(deep.as_bytes()).write_structure(&mut out, true);
    assert!(out.starts_with(&[b'('; 100]) && !out.starts_with(&[b'('; 101]));

    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    let mut out = Vec::new();
    scanned(messages.as_bytes()).write_structure(&mut out, true);
    assert!(out.len() < 20_000, "{} bytes", out.len());

    let many =
        format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", "--a\r\n".repeat(100_000));
    let Content::Multipart(parts) = scanned(many.as_bytes()).content else {
        panic!("there are parts")
    };
    assert_eq!(parts.len(), PARTS_MAX - 1);

    let mut scanner = Scanner::new();
    for _ in 0..10_000 {
        scanner.push(&[b'a'; 1_000]);
    }
    assert!(scanner.header.len() <= HEADERS_MAX);
    assert_eq!(scanner.finish().header, 0..10_000_000);
}

#[test]
fn the_header_is_known_when_it_has_ended() {
    let mut scanner = Scanner::new();
    scanner.push(b"Subject: a\r\n");
    assert_eq!(scanner.header_end(), None);
    scanner.push(b"\r\nxyz");
    assert_eq!(scanner.header_end(), Some(14));
    assert_eq!(
        scanner.envelope().and_then(|envelope| envelope.subject.as_deref()),
        Some(&b"a"[..])
    );
}

#[test]
fn pieces_do_not_matter() {
    let message = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: 1\r\n\r\nx\n--a\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: s\r\n\r\nt\r\n--a--\r\n";
    let whole = scanned(message);
    for first in 0..=message.len() {
        for second in [first, first + 1, first + 2, message.len()] {
            let second = second.min(message.len());
            let mut scanner = Scanner::new();
            scanner.push(&message[..first]);
            scanner.push(&message[first..second]);
            scanner.push(&message[second..]);
            assert_eq!(scanner.finish(), whole);
        }
    }
}

/// All ranges are inside of their outer part, in order.
fn check(part: &Part, within: &std::ops::Range<u64>) {
    assert!(within.start <= part.header.start && part.header.end <= part.body.start, "{part:?}");
    assert!(part.header.start <= part.header.end, "{part:?}");
    assert!(
        part.body.start <= part.body.end && part.body.end <= within.end,
        "{part:?} in {within:?}"
    );
    match &part.content {
        Content::Single => {}
        Content::Multipart(parts) => {
            let mut left = part.body.clone();
            for part in parts {
                check(part, &left);
                left.start = part.body.end;
            }
        }
        Content::Message { message, .. } => check(message, &part.body),
    }
}

proptest! {
    #[test]
    fn parts_are_inside_of_their_parts(lines in proptest::collection::vec(
        prop_oneof![
            Just("--a"), Just("--a--"), Just("--b"), Just("--b--"), Just(""), Just("x"), Just("Content-Type: message/rfc822"),
            Just("Content-Type: multipart/mixed; boundary=a"), Just("Content-Type: multipart/digest; boundary=b"), Just(" y"),
        ], 0..40), ends in prop_oneof![Just("\r\n"), Just("\n")])
    {
        let message = lines.join(ends);
        let part = scanned(message.as_bytes());
        check(&part, &(0..message.len() as u64));
        prop_assert_eq!(part.body.end, message.len() as u64);
    }
}
