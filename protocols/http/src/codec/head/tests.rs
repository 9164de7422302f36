//! Tests of request heads: a table of rejected heads with their status, one of accepted heads with the reason, and every split.

use super::*;

fn limits() -> HeadLimits {
    HeadLimits::default()
}

/// The result of decoding the input in pieces of this length, until it is known.
fn decode(input: &[u8], piece: usize) -> Result<Option<(RequestHead, usize)>, HeadError> {
    let mut head = RequestHead::default();
    let (mut shown, mut seen) = (0, 0);
    while shown < input.len() {
        shown = shown.saturating_add(piece).min(input.len());
        if let Some(len) = head.decode(&input[..shown], seen, &limits())? {
            return Ok(Some((head, len)));
        }
        seen = shown;
    }
    Ok(None)
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}

#[test]
fn rejected_inputs() {
    let malformed = |what| HeadError::Malformed { what };
    let host = "Host: a\r\n";
    let many = format!("{host}{}", "A: b\r\n".repeat(100));
    let cases = [
        // two_lengths
        (get("Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: 5, 5\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: +5\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: -5\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length:\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: 0x5\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: 5 5\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: 9223372036854775808\r\n"), HeadError::Length),
        (get("Host: a\r\nContent-Length: 99999999999999999999999\r\n"), HeadError::Length),
        // te_and_length
        (
            get("Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            HeadError::LengthAndEncoding,
        ),
        (
            get("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
            HeadError::LengthAndEncoding,
        ),
        // te_twice
        (
            get("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            HeadError::Encoding,
        ),
        (get("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding: chunked, gzip\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding: identity\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding:\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding: xchunked\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding: \"chunked\"\r\n"), HeadError::Encoding),
        (get("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"), HeadError::UnknownEncoding),
        // te_in_http_1_0
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), HeadError::Encoding),
        // Host
        (get(""), HeadError::Host),
        (get("Host: a\r\nHost: a\r\n"), HeadError::Host),
        (get("Host:\r\n"), HeadError::Host),
        (get("Host: a b\r\n"), HeadError::Host),
        (get("Host: a/b\r\n"), HeadError::Host),
        (get("Host: u@a\r\n"), HeadError::Host),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), HeadError::HostDiffers),
        // Line ends and fields
        ("GET / HTTP/1.1\nHost: a\n\n".into(), HeadError::BareLineFeed),
        (get("Host: a\nX: b\r\n"), HeadError::BareLineFeed),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), HeadError::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n".into(), HeadError::BareLineFeed),
        (get("Host: a\rX: b\r\n"), malformed("value of a field")),
        (get("Host: a\r\nX : b\r\n"), malformed("name of a field")),
        (get("Host: a\r\nX: b\r\n c\r\n"), malformed("name of a field")),
        (get("Host: a\r\n X: b\r\n"), malformed("name of a field")),
        (get("Host: a\r\n: b\r\n"), malformed("name of a field")),
        (get("Host: a\r\nX\r\n"), malformed("name of a field")),
        (get("Host: a\r\nX: a\0b\r\n"), malformed("value of a field")),
        (get("Host: a\r\nX\0: ab\r\n"), malformed("name of a field")),
        (get("Host: a\r\nX: a\x0bb\r\n"), malformed("value of a field")),
        // The request line
        ("GET  / HTTP/1.1\r\n\r\n".into(), malformed("first line")),
        ("GET /\r\n\r\n".into(), malformed("first line")),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n".into(), malformed("end of a line")),
        ("G\0T / HTTP/1.1\r\n\r\n".into(), malformed("first line")),
        ("\x16\x03\x01\x02\n".into(), HeadError::BareLineFeed),
        ("GET / HTTQ/1.1\r\n\r\n".into(), malformed("first line")),
        ("GET / HTTP/2.0\r\n\r\n".into(), HeadError::Version),
        ("GET / HTTP/1.2\r\n\r\n".into(), HeadError::Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), HeadError::Version),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(), HeadError::Target),
        ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n".into(), HeadError::Target),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n".into(), HeadError::Target),
        (get("Host: a\r\nExpect: 200-ok\r\n"), HeadError::Expectation),
        // Sizes
        (get(&many), HeadError::TooManyFields { max: 100 }),
        (
            format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000)),
            HeadError::TargetTooLong { max: 8_192 },
        ),
        (format!("\r\n\r\nGET /{}", "x".repeat(9_000)), HeadError::TargetTooLong { max: 8_192 }),
        (
            get(&format!("Host: a\r\nX: {}\r\nbad\r\n", "x".repeat(9_000))),
            HeadError::LineTooLong { max: 8_192 },
        ),
        (
            get(&format!("Host: a\r\n{}", format!("X: {}\r\n", "x".repeat(3_000)).repeat(6))),
            HeadError::TooLong { max: 16_384 },
        ),
        ("\r\n".repeat(5), malformed("first line")),
    ];
    for (input, error) in cases {
        for piece in [usize::MAX, 1, 7] {
            let what = &input[..input.len().min(100)];
            assert_eq!(decode(input.as_bytes(), piece).unwrap_err(), error, "{piece} {what:?}");
        }
    }
}

/// Heads that violate the grammar, or that other servers reject, and that are accepted; with the reason.
#[test]
fn accepted_inputs() {
    let cases = [
        (get("Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n"), "RFC 9110 8.6 allows it"),
        (
            "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "RFC 9112 2.2: old clients end a body so",
        ),
        (get("Host:a\r\n"), "blanks are optional"),
        (get("Host: \t a \t \r\n"), "so are several"),
        (get("Host: a\r\nX: \u{e4}\r\n"), "obs-text"),
        ("GET / HTTP/1.0\r\n\r\n".into(), "HTTP/1.0 has no Host"),
        ("GET http://A/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), "hosts have no case"),
        (get("Host: a\r\nTransfer-Encoding: Chunked\r\n"), "codings have no case"),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "a method for the handler to know"),
    ];
    for (input, reason) in cases {
        for piece in [usize::MAX, 1, 7] {
            let (_, len) = decode(input.as_bytes(), piece).expect(reason).expect(reason);
            assert_eq!(len, input.len(), "{reason}");
        }
    }
}

#[test]
fn what_is_found() {
    let input = b"POST /a/b?c HTTP/1.1\r\nhost: x:81\r\nX-One:  1 \r\nExpect: 100-Continue\r\n\
        Transfer-Encoding: chunked\r\nConnection: Upgrade, close\r\nUpgrade: y\r\nx-one: 2\r\n\r\nbody";
    for piece in 1..=input.len() {
        let (head, len) = decode(input, piece).unwrap().unwrap();
        assert_eq!(&input[len..], b"body");
        assert_eq!((head.method(), head.version()), (&Method::POST, Version::HTTP_11));
        assert_eq!((head.target(), head.path(), head.query()), ("/a/b?c", "/a/b", Some("c")));
        assert_eq!((head.authority(), head.target_form()), (Some("x:81"), TargetForm::Origin));
        assert_eq!((head.framing(), head.is_persistent()), (Framing::Chunked, false));
        assert!(head.expects_continue() && head.wants_upgrade());
        assert_eq!(head.fields().all("X-ONE").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(head.fields().len(), 7);
    }
}

#[test]
fn storage_is_reused_and_cleared() {
    let mut head = RequestHead::default();
    head.decode(
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
        0,
        &limits(),
    )
    .unwrap();
    assert_eq!((head.path(), head.authority()), ("", Some("a:1")));
    head.decode(b"GET http://b HTTP/1.0\r\n\r\n", 0, &limits()).unwrap();
    assert_eq!((head.path(), head.authority(), head.framing()), ("/", Some("b"), Framing::None));
    assert!(head.fields().is_empty() && !head.is_persistent());
    head.decode(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, &limits()).unwrap();
    assert!(head.is_persistent() && !head.wants_upgrade());
}

#[test]
fn limits_are_exact() {
    let head = get("Host: a\r\nX: 12345\r\n");
    let exact = limits().head_max(head.len()).line_max("GET / HTTP/1.1\r".len()).fields_max(2);
    assert!(RequestHead::default().decode(head.as_bytes(), 0, &exact).unwrap().is_some());
    for (limits, error) in [
        (exact.head_max(head.len() - 1), HeadError::TooLong { max: head.len() - 1 }),
        (exact.line_max(14), HeadError::TargetTooLong { max: 14 }),
        (exact.fields_max(1), HeadError::TooManyFields { max: 1 }),
    ] {
        assert_eq!(RequestHead::default().decode(head.as_bytes(), 0, &limits).unwrap_err(), error);
    }
}
