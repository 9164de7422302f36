//! Requests that a proxy and a backend could understand in two ways: the backend gets none of them, or gets them unambiguous.

use super::backend::Through;

/// Requests, each with a second one hidden in it, and whether it is refused.
fn cases() -> Vec<(String, bool)> {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let len = hidden.len();
    let post =
        |fields: &str, body: &str| format!("POST /first HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let chunked = format!("0\r\n\r\n{hidden}");
    let mut cases = Vec::new();
    let mut refused = |request: String| cases.push((request, true));
    // Length and encoding.
    refused(post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &chunked));
    refused(post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunked));
    refused(post(&format!("Content-Length: 0\r\nContent-Length: {len}\r\n"), hidden));
    for length in ["+5", "-1", "0x5", "5 ", "5, 5", "", "99999999999999999999", "5;", "1_0"] {
        refused(post(&format!("Content-Length:{length}\r\nContent-Length: 0\r\n"), hidden));
    }
    for encoding in [
        "xchunked",
        "chunked, identity",
        "chunked, chunked",
        "identity",
        "\"chunked\"",
        "chunked;x=y",
        "\u{b}chunked",
        "gzip, chunked",
    ] {
        refused(post(&format!("Transfer-Encoding: {encoding}\r\n"), &chunked));
    }
    refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", &chunked));
    refused(post("Transfer-Encoding : chunked\r\n", &chunked));
    refused(post("Transfer-Encoding\u{a0}: chunked\r\n", &chunked));
    refused(post("X: y\r\n Transfer-Encoding: chunked\r\n", &chunked));
    refused(post("X: y\rTransfer-Encoding: chunked\r\n", &chunked));
    refused(post("X: y\nTransfer-Encoding: chunked\r\n", &chunked));
    refused(post("X: y\0\r\nTransfer-Encoding: chunked\r\n", &chunked));
    refused(format!(
        "POST /first HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
    ));
    refused(format!("POST /first HTTP/1.1\nHost: a\nContent-Length: 0\n\n{hidden}"));
    // The first line, and the host.
    refused(format!("GET /first\u{b}HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\n\r\n{hidden}"));
    refused(format!("GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\nHost: a@b\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\nHost: a/b\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1 \r\nHost: a\r\n\r\n{hidden}"));
    refused(format!("\u{feff}GET /first HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n{hidden}"));
    refused(format!("GET /first HTTP/1.1\r\nHost: a\r\nX\r\n\r\n{hidden}"));
    cases
}

#[test]
fn ambiguous_requests_never_reach_the_backend() {
    for (request, is_refused) in cases() {
        let through = Through::new();
        let received = through.client.ask(&request);
        assert!(
            is_refused && received.starts_with("HTTP/1.1 4") || received.starts_with("HTTP/1.1 5"),
            "{request:?}: {received}"
        );
        assert!(received.contains("\r\nConnection: close\r\n"), "{request:?}: {received}");
        assert!(through.client.is_closing(), "{request:?}");
        assert_eq!(through.backend.count(), 0, "{request:?}");
    }
}

#[test]
fn ambiguous_chunks_end_the_request() {
    let head = "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for body in [
        "\r\n0\r\n\r\n",
        ";\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n\n",
    ] {
        let through = Through::new();
        let received = through.client.ask(format!("{head}{body}{hidden}"));
        assert!(received.starts_with("HTTP/1.1 400 "), "{body:?}: {received}");
        assert!(through.client.is_closing(), "{body:?}");
        assert!(through.backend.count() <= 1, "{body:?}");
        if through.backend.count() == 1 {
            assert!(!through.backend.received(0).contains("hidden"), "{body:?}");
            assert!(through.backend.is_over(0), "{body:?}");
        }
    }
}

#[test]
fn what_is_passed_on_is_unambiguous() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let len = hidden.len();
    let cases = [
        // Equal lengths are one.
        format!("Content-Length: {len}\r\nContent-Length: {len}\r\n\r\n{hidden}"),
        // A name with an underscore is nothing, whatever a backend takes it for.
        format!("Content-Length: {len}\r\nTransfer_Encoding: chunked\r\n\r\n{hidden}"),
        format!("Content-Length: {len}\r\nContent_Length: 0\r\n\r\n{hidden}"),
        // Nor can the framing be struck out by naming it.
        format!("Content-Length: {len}\r\nConnection: Content-Length\r\n\r\n{hidden}"),
        format!(
            "Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n{len:x};ext\r\n{hidden}\r\n0\r\n\r\n"
        ),
        format!("Connection: Host\r\nContent-Length: {len}\r\n\r\n{hidden}"),
    ];
    for fields in cases {
        let through = Through::new();
        let received = through.ask(format!("POST /first HTTP/1.1\r\nHost: a\r\n{fields}"));
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /first HTTP/1.1\r\nHost: a\r\n"), "{fields}: {head}");
        assert!(!head.contains('_'), "{head}");
        let lower = head.to_ascii_lowercase();
        let lengths = lower.matches("\r\ncontent-length: ").count();
        let encodings = lower.matches("\r\ntransfer-encoding: ").count();
        assert_eq!(lengths + encodings, 1, "{head}");
        match encodings {
            1 => assert_eq!(body, format!("{len:x}\r\n{hidden}\r\n0\r\n\r\n")),
            _ => assert!(
                head.ends_with(&format!("\r\nContent-Length: {len}")) && body == hidden,
                "{received}"
            ),
        }
    }
}

#[test]
fn bytes_behind_an_upgrade_that_was_refused_are_a_request() {
    let through = Through::new();
    let request =
        "GET /first HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n";
    through.ask(format!("{request}{hidden}"));
    through.answer("HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n");
    // It went through the proxy like any other, and has its marks.
    let received = through.backend.received(1);
    assert!(received.starts_with("GET /hidden ") && !received.contains("6.6.6.6"), "{received}");
    assert!(received.contains("\r\nVia: 1.1 sinew\r\n"), "{received}");
}
