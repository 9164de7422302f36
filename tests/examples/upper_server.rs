//! Tests of the example `upper_server`.

use super::process::Example;
use crate::ENGINES;

#[test]
fn answers_in_upper_case() {
    for engine in ENGINES {
        let server = Example::serve("upper_server", engine, &[]);
        let mut client = server.connect();
        let cases: [(&[u8], &[u8]); 6] = [
            (b"hello\n", b"HELLO\r\n"),
            (b"Hello, World\r\n", b"HELLO, WORLD\r\n"),
            (b"\n", b"\r\n"),
            ("straße ξένος\n".as_bytes(), "STRASSE ΞΈΝΟΣ\r\n".as_bytes()),
            (b"not \xff text\n", b"NOT \xff TEXT\r\n"),
            (b"a\nb\nc\n", b"A\r\nB\r\nC\r\n"),
        ];
        for (line, answer) in cases {
            client.send(line);
            client.expect(answer);
        }
        // A letter split over two segments, and a last line without an end.
        for byte in "é".as_bytes() {
            client.send([*byte]);
        }
        client.close_write();
        assert_eq!(client.rest(), "É\r\n".as_bytes());
        server.finish();
    }
}

#[test]
fn a_line_may_grow_in_upper_case() {
    let server = Example::serve("upper_server", "mio", &[]);
    let mut client = server.connect();
    client.send(format!("{}\nmore\n", "ŉ".repeat(8_000)));
    client.expect_end();
    drop(client);
    server.finish();
}
