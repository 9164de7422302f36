//! Tests of the example `proxy_echo`.

use super::process::Example;
use crate::ENGINES;

#[test]
fn reports_each_client_its_address() {
    for engine in ENGINES {
        let server = Example::serve("proxy_echo", engine, &[]);
        let mut first = server.connect();
        // Fragmented, with the client's first data in the last segment.
        first.send("PROXY TCP4 192.0.2.1 198.5");
        let mut second = server.connect();
        second.send(
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16\xc0\0\x02\x02\xc6\x33\x64\x02\0\x09\x01\xbb",
        );
        second.send(b"\x02\0\x07example");
        let told = format!("192.0.2.2:9 by {}, and asked for example", second.addr());
        assert_eq!(server.line(), told);
        assert_eq!(second.line(), format!("you are {told}"));
        // The name is chosen by the client.
        let mut third = server.connect();
        third.send(
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16\xc0\0\x02\x03\xc6\x33\x64\x02\0\x09\x01\xbb\x02\0\x07a\r\nb\x1b[m",
        );
        let told = format!(r"192.0.2.3:9 by {}, and asked for a\r\nb\u{{1b}}[m", third.addr());
        assert_eq!(server.line(), told);
        assert_eq!(third.line(), format!("you are {told}"));
        first.send("1.100.2 7 443\r\nhello\n");
        let told = format!("192.0.2.1:7 by {}, and asked for 198.51.100.2:443", first.addr());
        assert_eq!(server.line(), told);
        assert_eq!(first.line(), format!("you are {told}"));
        assert_eq!(first.line(), "hello");

        // A health check.
        let mut check = server.connect();
        check.send("PROXY UNKNOWN\r\n");
        assert_eq!(check.line(), format!("you are {}, a proxy", check.addr()));
        assert_eq!(server.line(), format!("{}, a proxy", check.addr()));

        // A client without a PROXY header, which affects nobody else.
        let mut stranger = server.connect();
        stranger.send("hello\n");
        stranger.close_write();
        stranger.expect_end();
        drop((first, second, third, check, stranger));
        server.finish();
    }
}

#[test]
fn only_trusted_proxies_are_accepted() {
    let server =
        Example::serve("proxy_echo", "mio", &["--trust", "192.0.2.0/24", "--trust", "::1"]);
    let mut client = server.connect();
    client.expect_end();
    drop(client);
    server.finish();
}
