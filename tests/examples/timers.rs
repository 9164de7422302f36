//! Tests of the example `timers`.

use super::process::Example;
use crate::ENGINES;

#[test]
fn reminds() {
    for engine in ENGINES {
        let server = Example::serve("timers", engine, &[]);
        let mut client = server.connect();
        client.send("in 200 second\nin 1 first\n");
        assert_eq!(client.line(), "first");
        assert_eq!(client.line(), "second");

        client.send("every 5 tick\n");
        for _ in 0..3 {
            assert_eq!(client.line(), "tick");
        }
        client.send("stop\nwhat?\n");
        let mut line = client.line();
        while line == "tick" {
            line = client.line();
        }
        assert_eq!(line, "in MS TEXT, every MS TEXT, stop, idle MS");
        // If the series had continued, its output would come before this.
        client.send("in 50 no tick\n");
        assert_eq!(client.line(), "no tick");

        // A series ends with its connection, and does not delay the shutdown.
        client.send("every 1 tick\n");
        assert_eq!(client.line(), "tick");
        drop(client);

        let mut client = server.connect();
        client.send("idle 10\n");
        assert_eq!(client.line(), "Good night.");
        client.expect_end();
        drop(client);
        server.finish();
    }
}

#[test]
fn does_not_understand_everything() {
    let server = Example::serve("timers", "mio", &[]);
    let mut client = server.connect();
    for line in ["", "in", "in x y", "in -1 y", "every 0 y", "idle", "in 99999999999999999999 y"] {
        client.send(format!("{line}\n"));
        assert_eq!(client.line(), "in MS TEXT, every MS TEXT, stop, idle MS", "{line:?}");
    }
    // Very long times must not overflow.
    client.send("in 18446744073709551615 never\nin 1 soon\n");
    assert_eq!(client.line(), "soon");
    drop(client);
    server.finish();
}
