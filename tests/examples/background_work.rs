//! Tests of the example `background_work`.

use super::process::Example;
use crate::ENGINES;

const USAGE: &str = "say a number up to 5000000";

#[test]
fn the_loop_answers_while_threads_work() {
    for engine in ENGINES {
        let server = Example::serve("background_work", engine, &[]);
        let mut client = server.connect();
        // The job's result is delivered in a later turn, so it must be second.
        client.send("100000\nhello\n");
        assert_eq!(client.line(), USAGE);
        assert_eq!(client.line(), "there are 9592 primes up to 100000");
        client.send("5000001\n10\n");
        assert_eq!(client.line(), USAGE);
        assert_eq!(client.line(), "there are 4 primes up to 10");

        // A client that half-closes still gets its answers.
        client.send("50000\n50000\n");
        client.close_write();
        assert_eq!(client.line(), "there are 5133 primes up to 50000");
        assert_eq!(client.line(), "there are 5133 primes up to 50000");
        client.expect_end();
        drop(client);
        server.finish();
    }
}

#[test]
fn the_queue_is_limited() {
    let server = Example::serve("background_work", "mio", &[]);
    let mut client = server.connect();
    client.send("20000\n".repeat(300));
    client.close_write();
    let answers = String::from_utf8(client.rest()).unwrap();
    let refused = answers.lines().filter(|line| *line == "there is too much to do").count();
    let done = answers.lines().filter(|line| line.starts_with("there are 2262 ")).count();
    assert_eq!(refused + done, 300);
    assert!(refused > 0 && done > 100, "{refused} refused, {done} done");
    drop(client);
    server.finish();
}

#[cfg(unix)]
#[test]
fn a_drain_waits_for_jobs() {
    let server = Example::serve("background_work", "mio", &[]);
    let mut client = server.connect();
    client.send("300000\nhello\n");
    assert_eq!(client.line(), USAGE);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(client.line(), "there are 25997 primes up to 300000");
    client.expect_end();
    drop(client);
    let ended = server.wait();
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
}
