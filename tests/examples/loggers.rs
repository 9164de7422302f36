//! Tests of the examples `simple_logger` and `line_logger`.

use super::process::Example;
use crate::ENGINES;

#[test]
fn simple_logger_prints_the_events_of_a_connection() {
    for engine in ENGINES {
        let server = Example::serve("simple_logger", engine, &[]);
        let mut client = server.connect();
        let name = client.addr();
        assert_eq!(server.line(), format!("{name} connected"));
        client.send(b"hello\n\xff\0");
        assert_eq!(server.line(), format!(r"{name} sent hello\n\xff\x00"));
        client.close_write();
        client.expect_end();
        drop(client);
        assert_eq!(server.line(), format!("{name} disconnected: closed by the peer"));

        let client = server.connect();
        let name = client.addr();
        assert_eq!(server.line(), format!("{name} connected"));
        client.reset();
        assert_eq!(server.line(), format!("{name} disconnected: reset by the peer"));
        server.finish();
    }
}

#[test]
fn line_logger_prints_lines() {
    for engine in ENGINES {
        let server = Example::serve("line_logger", engine, &[]);
        let mut client = server.connect();
        let name = client.addr();
        assert_eq!(server.line(), format!("{name} connected"));
        client.send("one\ntw");
        assert_eq!(server.line(), format!("{name} sent the line one"));
        client.send("o\r\n\nthr");
        assert_eq!(server.line(), format!("{name} sent the line two"));
        assert_eq!(server.line(), format!("{name} sent the line "));
        client.close_write();
        assert_eq!(server.line(), format!("{name} sent half a line: thr"));
        client.expect_end();
        drop(client);
        assert_eq!(server.line(), format!("{name} disconnected: closed by the peer"));
        server.finish();
    }
}

#[test]
fn line_logger_answers_a_line_that_is_too_long() {
    let server = Example::serve("line_logger", "mio", &[]);
    let mut client = server.connect();
    let name = client.addr();
    client.send(format!("first\n{}", "x".repeat(10_000)));
    assert_eq!(client.line(), "error: line longer than 1024 bytes");
    client.expect_end();
    drop(client);
    assert_eq!(server.line(), format!("{name} connected"));
    assert_eq!(server.line(), format!("{name} sent the line first"));
    assert_eq!(server.line(), format!("{name} disconnected: line longer than 1024 bytes"));
    server.finish();
}

/// `println!` would panic: a logger continues when its output is closed.
#[test]
fn the_log_need_not_be_read() {
    for name in ["simple_logger", "line_logger"] {
        let mut server = Example::serve(name, "mio", &[]);
        server.stop_reading();
        // The first lines find the reader; then the pipe is closed.
        for _ in 0..10 {
            let mut client = server.connect();
            client.send("hello\n");
            client.close_write();
            client.expect_end();
        }
        server.finish();
    }
}
