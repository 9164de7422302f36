//! Compares the fast path with the complete decoder: what the first accepts, the second accepts with the same result.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::codec::Framing;

/// Everything that can be asked of a head.
fn summary(head: &RequestHead) -> String {
    let fields: Vec<_> = head.fields().iter().map(|(name, value)| (name, value.to_vec())).collect();
    format!(
        "{} {:?} {:?} {} {:?} {:?} {:?} {:?} {} {} {fields:?}",
        head.method(),
        head.version(),
        head.target_form(),
        head.path(),
        head.query(),
        head.authority(),
        head.framing(),
        head.is_persistent(),
        head.expects_continue(),
        head.wants_upgrade(),
    )
}

/// Whether the fast path accepts it. Checks that the complete decoder agrees.
fn is_usual(input: &[u8], limits: &HeadLimits) -> bool {
    // The previous head must not matter.
    let mut usual = RequestHead::default();
    let other = b"POST /x?y HTTP/1.1\r\nHost: b\r\nConnection: close, upgrade\r\nUpgrade: z\r\nExpect: 100-continue\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    assert_eq!(usual.decode(other, 0, &HeadLimits::default()), Ok(Some(other.len())));
    let mut any = RequestHead::default();
    let expected = any.decode_any(input, limits);
    match usual.decode_usual(input, limits) {
        None => false,
        Some(len) => {
            assert_eq!(expected, Ok(Some(len)), "{}", input.escape_ascii());
            assert_eq!(summary(&usual), summary(&any), "{}", input.escape_ascii());
            true
        }
    }
}

#[test]
fn what_clients_send_is_usual() {
    let limits = HeadLimits::default();
    let heads = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        "HEAD /%20?? HTTP/1.1\r\nHOST:example.org \r\nConnection: Keep-Alive\r\n\r\n",
        "POST /a HTTP/1.1\r\nx_1!: \r\nhost: x-y.z\r\nContent-Length: 12\r\ncontent-length: 12\r\n\r\nhello, world",
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n0\r\n\r\n",
        "DELETE /a HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\n\r\n",
    ];
    for head in heads {
        // Except with a space after the host.
        assert_eq!(is_usual(head.as_bytes(), &limits), !head.contains("org "), "{head:?}");
        for cut in 0..head.find("\r\n\r\n").unwrap() + 3 {
            assert!(!is_usual(&head.as_bytes()[..cut], &limits), "{head:?} {cut}");
        }
    }
    let mut head = RequestHead::default();
    head.decode_usual(heads[4].as_bytes(), &limits).unwrap();
    assert_eq!((head.framing(), head.wants_upgrade()), (Framing::Chunked, true));
}

#[test]
fn a_host_that_is_known_is_no_other() {
    let limits = HeadLimits::default();
    let with = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let hosts = [
        "a.b",
        "a.b:80",
        "a.",
        "b.a",
        "a.b",
        "a.bc",
        "A.b",
        "a.b:",
        "a.b:x",
        "a.b\0",
        "a.b c",
        "a",
        "a.b:80808",
        "[::1]",
    ];
    for (first, second) in hosts.iter().flat_map(|first| hosts.map(|second| (first, second))) {
        let mut head = RequestHead::default();
        // A rejected host is not remembered.
        drop(head.decode(with(first).as_bytes(), 0, &limits));
        let input = with(second);
        let mut fresh = RequestHead::default();
        let expected = fresh.decode_any(input.as_bytes(), &limits);
        assert_eq!(head.decode(input.as_bytes(), 0, &limits), expected, "{first} {second}");
        assert_eq!(head.authority(), fresh.authority(), "{first} {second}");
    }
    // An incomplete head leaves no host behind.
    let mut head = RequestHead::default();
    head.decode(with("a b").as_bytes(), 0, &limits).unwrap_err();
    head.decode(b"GET / HTTP/1.1\r\nHost: a.b\r\nX", 0, &limits).unwrap();
    head.decode(with("a b").as_bytes(), 0, &limits).unwrap_err();
}

#[test]
fn limits_are_those_of_any_head() {
    let head = b"GET /abc HTTP/1.1\r\nHost: example.org\r\nX: 12345678901234567890\r\n\r\n";
    for max in 0..2 * head.len() {
        let default = HeadLimits::default();
        assert_eq!(is_usual(head, &default.head_max(max)), max >= head.len());
        assert_eq!(is_usual(head, &default.fields_max(max)), max >= 2);
        // A head that could have a line that is too long is left to the complete decoder.
        assert_eq!(is_usual(head, &default.line_max(max)), max >= head.len());
    }
}

/// Heads, most of them valid or nearly valid.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let methods = select(vec![
        "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "BREW", "get", "",
    ]);
    let targets = select(vec![
        "/",
        "/a",
        "/a?b",
        "/?",
        "/a?b?c",
        "/a#b",
        "/{\"|^`",
        "*",
        "http://a/",
        "http://a",
        "a:1",
        "",
        "/\u{e4}",
        "//",
        "/a b",
        "/%00",
    ]);
    let versions = select(vec![
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/2.0",
        "HTTP/1.1 ",
        "http/1.1",
    ]);
    let names = select(vec![
        "Host",
        "host",
        "Host",
        "HOST",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "Upgrade",
        "X",
        "X-1",
        "a_b",
        "",
        "X ",
        " X",
        "X\0",
        "(X)",
        "Hosts",
        "\u{e4}",
        "User-Agent-Of-Some-Length",
    ]);
    let values = select(vec![
        "a",
        "a.b:80",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:1",
        "a:",
        ":1",
        "a:123456",
        "a b",
        "close",
        "keep-alive, x",
        "upgrade",
        "5",
        "5",
        "6",
        "+5",
        "chunked",
        "gzip, chunked",
        "100-continue",
        "",
        " a ",
        "\ta\t",
        "a\tb",
        "\u{e4}",
        "a\0b",
        "a\rb",
        "a\x7fb",
        "text of some length, as clients send it; q=0.5",
    ]);
    let colons = select(vec![":", ": ", ": ", ":  ", ":\t", " :", ""]);
    let ends = select(vec![
        "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n ",
    ]);
    let field = (names, colons, values, ends.clone())
        .prop_map(|(name, colon, value, end)| format!("{name}{colon}{value}{end}"));
    let first = (methods, targets, versions, ends)
        .prop_map(|(method, target, version, end)| format!("{method} {target} {version}{end}"));
    let hosts = select(vec!["", "Host: a\r\n", "Host: a\r\n", "Host: a\r\n"]);
    let lasts = select(vec!["\r\n", "\r\n", "\r\nbody", "\n", "", "\r"]);
    (first, hosts, vec(field, 0..5), lasts).prop_map(|(first, host, fields, last)| {
        [&first, host, &fields.concat(), last].concat().into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_path_accepts_nothing_else(head in heads()) {
        is_usual(&head, &HeadLimits::default());
    }

    #[test]
    fn the_fast_path_accepts_no_corrupted_head(at in any::<prop::sample::Index>(), byte: u8, len in 0_usize..3) {
        let head = b"GET /a?b HTTP/1.1\r\nHost: example.org:80\r\nUser-Agent: some text\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
        let mut changed = head.to_vec();
        let at = at.index(head.len());
        // One byte is replaced, removed, or comes in addition.
        changed.splice(at..(at + len.min(1)).min(head.len()), (len != 1).then_some(byte));
        is_usual(&changed, &HeadLimits::default());
    }
}
