//! Tests of the example `key_value`.

use std::time::{Duration, Instant};

use super::process::Example;
use crate::ENGINES;

#[test]
fn commands_are_answered() {
    for engine in ENGINES {
        let server = Example::serve("key_value", engine, &[]);
        let mut client = server.connect();
        for (said, answer) in [
            ("GET colour\r\n", "- AUTH first\r\n"),
            ("AUTH wrong\r\n", "- AUTH first\r\n"),
            ("auth secret\n", "+ hello\r\n"),
            ("GET colour\r\n", "- there is no such key\r\n"),
            ("SET colour light blue\r\nGET colour\r\n", "+ kept\r\n+ light blue\r\n"),
            (
                "SET . dots ...\r\nLIST\r\n",
                "+ kept\r\n+ 2 follow\r\n.. dots ...\r\ncolour light blue\r\n.\r\n",
            ),
            ("SET colour\r\n", "- AUTH secret, GET key, SET key value, LIST or QUIT\r\n"),
            ("SET a\tb c\r\n", "- byte 0x09 at 1, which would end the argument or the line\r\n"),
            ("AUTH secret\r\n", "- you are known already\r\n"),
        ] {
            client.send(said);
            for line in answer.lines() {
                assert_eq!(client.line(), line, "{said:?}");
            }
        }
        client.send("QUIT\r\nGET colour\r\n");
        assert_eq!(client.rest(), b"+ bye\r\n");
        // Else the server would linger until its timeout.
        drop(client);
        server.finish();
    }
}

#[test]
fn clients_must_log_in_in_time() {
    let server = Example::serve("key_value", "mio", &["--login-timeout", "300"]);
    let mut client = server.connect();
    // A byte now and then does not extend the deadline.
    let begin = Instant::now();
    client.send("AUTH ");
    assert_eq!(String::from_utf8(client.rest()).unwrap(), "- login took longer than 300ms\r\n");
    assert!(begin.elapsed() >= Duration::from_millis(300));
    drop(client);
    assert!(server.line().ends_with(": login took longer than 300ms"));
    server.finish();
}

#[test]
fn a_client_is_rate_limited() {
    let server = Example::serve("key_value", "mio", &["--rate", "100000"]);
    let mut client = server.connect();
    let begin = Instant::now();
    client.send("AUTH secret\r\n");
    // The burst is one second's worth, so half of the data has to wait.
    let line = format!("SET key {}\r\n", "x".repeat(900));
    client.send(line.repeat(220));
    client.send("QUIT\r\n");
    let said = String::from_utf8(client.rest()).unwrap();
    assert_eq!(said.lines().count(), 222);
    assert!(said.ends_with("+ kept\r\n+ bye\r\n"));
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    drop(client);
    server.finish();
}
