//! Tests of the client's handshake: its request, and every response that is not an answer to it.

use super::*;

fn handshake() -> ClientHandshake {
    let mut fields = Fields::new();
    fields.append("Cookie", "a=b").unwrap();
    ClientHandshake {
        host: "example.org:81".into(),
        target: "/chat?x=1".into(),
        protocols: vec!["a".into(), "b".into()],
        deflate: Some(DeflateConfig::default()),
        fields,
    }
}

/// The key of the example of RFC 6455 1.3.
const KEY: [u8; 16] = *b"the sample nonce";

const OK: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: x, upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                  Sec-WebSocket-Protocol: b\r\n";

#[test]
fn the_request() {
    let mut out = Vec::new();
    handshake().request(&mut out, KEY).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "GET /chat?x=1 HTTP/1.1\r\nHost: example.org:81\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: a, b\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
         client_no_context_takeover; client_max_window_bits\r\nCookie: a=b\r\n\r\n"
    );
    let plain = ClientHandshake { protocols: Vec::new(), deflate: None, ..handshake() };
    let mut out = Vec::new();
    plain.request(&mut out, KEY).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("Protocol:") && !text.contains("Extensions"), "{text}");
}

#[test]
fn responses() {
    let deflate = "permessage-deflate; server_no_context_takeover";
    let good = format!("{OK}Sec-WebSocket-Extensions: {deflate}\r\n\r\n");
    for len in 0..good.len() {
        let part = handshake().response(&good.as_bytes()[..len], 0, KEY);
        assert!(part.unwrap().is_none(), "{len}");
    }
    let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    for text in [good.clone(), format!("{early}{early}{good}")] {
        let behind = format!("{text}\u{81}\0");
        let (agreed, len) = handshake().response(behind.as_bytes(), 0, KEY).unwrap().unwrap();
        assert_eq!((len, agreed.protocol.as_deref()), (text.len(), Some("b")));
        assert!(agreed.deflate.is_some());
    }
    let (agreed, _) =
        handshake().response(format!("{OK}\r\n").as_bytes(), 0, KEY).unwrap().unwrap();
    assert!(agreed.deflate.is_none(), "the server does not compress");

    let status = |status: StatusCode| HandshakeError::Status { status };
    let bad = [
        (OK.replace("101", "200"), status(StatusCode::OK)),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n".into(), status(StatusCode::FORBIDDEN)),
        ("HTTP/1.1 304 Not Modified\r\n".into(), status(StatusCode::NOT_MODIFIED)),
        (
            "HTTP/1.1 302 Found\r\nLocation: wss://b/\r\n".into(),
            HandshakeError::Redirect { status: StatusCode::FOUND, location: "wss://b/".into() },
        ),
        (OK.replace("WebSocket\r\nC", "h2c\r\nC"), HandshakeError::NotSwitched),
        (OK.replace(", upgrade", ""), HandshakeError::NotSwitched),
        (OK.replace("s3pP", "S3pP"), HandshakeError::Accept),
        (
            format!("{OK}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            HandshakeError::Accept,
        ),
        (
            OK.replace("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ""),
            HandshakeError::Accept,
        ),
        (
            OK.replace("Protocol: b", "Protocol: c"),
            HandshakeError::Subprotocol { protocol: "c".into() },
        ),
        (
            format!("{OK}Sec-WebSocket-Protocol: a\r\n"),
            HandshakeError::Subprotocol { protocol: "b".into() },
        ),
        (OK.replace("Sec-WebSocket-Protocol: b\r\n", ""), HandshakeError::NoSubprotocol),
        (
            format!("{OK}Sec-WebSocket-Extensions: {deflate}, {deflate}\r\n"),
            HandshakeError::Extension { why: "there is more than one" },
        ),
        (
            format!("{OK}Sec-WebSocket-Extensions: x\r\n"),
            HandshakeError::Extension { why: "an extension that is not known" },
        ),
        (
            format!("{OK}Sec-WebSocket-Extensions: ;\r\n"),
            HandshakeError::Extension { why: "they do not follow the grammar" },
        ),
        (OK.replace("\r\nUpgrade", "\nUpgrade"), HandshakeError::Head(HeadError::BareLineFeed)),
    ];
    for (text, error) in bad {
        let found = handshake().response(format!("{text}\r\n").as_bytes(), 0, KEY);
        assert_eq!(found.unwrap_err(), error, "{text}");
    }
    let plain = ClientHandshake { protocols: Vec::new(), deflate: None, ..handshake() };
    let unasked = [
        ("", "subprotocol"),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "none was offered"),
    ];
    for (field, part) in unasked {
        let text = if field.is_empty() {
            OK.to_owned()
        } else {
            OK.replace("Sec-WebSocket-Protocol: b\r\n", field)
        };
        let error = plain.response(format!("{text}\r\n").as_bytes(), 0, KEY).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let endless = format!("HTTP/1.1 101 X\r\nA: {}", "x".repeat(20_000));
    assert!(handshake().response(endless.as_bytes(), 0, KEY).is_err());
    let hints = early.repeat(1_000);
    assert!(handshake().response(hints.as_bytes(), 0, KEY).is_err(), "hints without end");
}

#[test]
fn keys() {
    assert_eq!(accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(is_key(base64_encode(&KEY).as_bytes()));
    for bad in
        ["", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZ===", "dG*lIHNhbXBsZSBub25jZQ=="]
    {
        assert!(!is_key(bad.as_bytes()), "{bad}");
    }
}
