//! The clocks of each phase; and the end of the server.

use std::time::Duration;

use sinew_mail::smtp::codec::Reply;

use crate::support::{Client, Notes, codes, config};

const SECOND: Duration = Duration::from_secs(1);

/// Sends a byte each second, and returns after how many the server has closed.
fn seconds(client: &Client, byte: &str) -> Option<(u64, String)> {
    for second in 0..100 {
        if client.is_closed() {
            return Some((second, client.received()));
        }
        client.wire.receive_if_open(byte.as_bytes());
        client.advance(SECOND);
    }
    None
}

#[test]
fn a_command_in_total() {
    let client = Client::new(config().command_timeout(10 * SECOND));
    client.received();
    for byte in ["", "x"] {
        let client = Client::new(config().command_timeout(10 * SECOND));
        client.received();
        let (second, reply) = seconds(&client, byte).expect("it is closed");
        assert_eq!((second, &reply[..3]), (10, "421"), "{byte:?}");
    }
    // Each command has its time.
    for _ in 0..10 {
        client.advance(9 * SECOND);
        assert_eq!(client.codes("NOOP\r\n"), [250]);
    }
    // Also the one behind a line that is too long.
    client.advance(9 * SECOND);
    client.say("x".repeat(3_000));
    assert_eq!(client.codes("\r\n"), [500]);
    client.advance(9 * SECOND);
    assert_eq!(client.codes("NOOP\r\n"), [250]);
    // Such a line is a command, too.
    client.say("x".repeat(3_000));
    assert_eq!(seconds(&client, "x").map(|(second, _)| second), Some(10));
}

#[test]
fn silence_in_a_message_and_a_message_in_total() {
    for begin in ["DATA\r\n", "BDAT 1000\r\n"] {
        let client =
            Client::with_message(config().data_timeout(5 * SECOND).message_timeout(20 * SECOND));
        client.say(begin);
        let (second, reply) = seconds(&client, "").expect("it is closed");
        assert_eq!((second, codes(&reply)), (5, vec![421]));
        let client =
            Client::with_message(config().data_timeout(5 * SECOND).message_timeout(20 * SECOND));
        client.say(begin);
        let (second, reply) = seconds(&client, "x").expect("it is closed");
        assert_eq!((second, codes(&reply)), (20, vec![421]));
    }
}

#[test]
fn the_clock_runs_after_a_verdict_that_was_late() {
    let later = |step| {
        let limits = config().command_timeout(10 * SECOND).data_timeout(60 * SECOND);
        let notes = Notes { later: vec![step], ..Notes::default() };
        let client = Client::with_notes(limits.message_timeout(20 * SECOND), notes);
        client.received();
        client.say("EHLO a\r\nMAIL FROM:<>\r\n");
        client
    };
    // A line that is too long, behind the command that waited.
    let client = later("rcpt");
    client.say(format!("RCPT TO:<a@b.c>\r\n{}", "x".repeat(3_000)));
    client.settle(Ok(()));
    assert_eq!(seconds(&client, "x").map(|(second, _)| second), Some(10));
    // A chunk whose sink comes late.
    let client = later("data");
    client.say("RCPT TO:<a@b.c>\r\nBDAT 1000\r\n");
    client.settle(Ok(()));
    assert_eq!(seconds(&client, "x").map(|(second, _)| second), Some(20));
}

#[test]
fn no_clock_of_a_message_runs_after_it() {
    let client =
        Client::with_message(config().data_timeout(5 * SECOND).command_timeout(60 * SECOND));
    client.say("DATA\r\n");
    assert_eq!(client.codes("x\r\n.\r\n"), [250]);
    client.advance(30 * SECOND);
    assert_eq!(client.codes("NOOP\r\n"), [250]);
    assert_eq!(client.wire.timers(), 1, "that of the next command");
}

#[test]
fn a_verdict_that_never_comes() {
    for step in ["connected", "helo", "mail", "rcpt", "data", "write", "finish"] {
        let notes = Notes { later: vec![step], ..Notes::default() };
        let client = Client::with_notes(config().verdict_timeout(30 * SECOND), notes);
        if step != "connected" {
            client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n");
            client.say(if ["data", "write", "finish"].contains(&step) { "x\r\n.\r\n" } else { "" });
        }
        client.received();
        client.advance(29 * SECOND);
        assert_eq!((client.received(), client.is_closed()), (String::new(), false), "{step}");
        client.advance(SECOND);
        assert_eq!(codes(&client.received()), [421], "{step}");
    }
}

#[test]
fn a_server_that_drains_finishes_messages() {
    let client = Client::new(config());
    client.received();
    client.say("EHLO a\r\n");
    client.drain();
    assert_eq!(codes(&client.received()), [421]);
    let client = Client::with_message(config());
    client.drain();
    assert_eq!(client.codes("DATA\r\n"), [354]);
    assert_eq!(client.codes("x\r\n.\r\n"), [250, 421]);
    assert_eq!(client.mails().len(), 1);
}

#[test]
fn late_verdicts_do_not_extend_the_time_of_a_message() {
    for begin in ["DATA\r\n", "BDAT 1000\r\n"] {
        let notes = Notes { later: vec!["write"], ..Notes::default() };
        let limits = config().data_timeout(5 * SECOND).message_timeout(20 * SECOND);
        let client = Client::with_notes(limits, notes);
        client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
        client.say(begin);
        // A byte each second, whose verdict takes half of it.
        for second in 0..20 {
            assert!(!client.is_closed(), "{begin:?} after {second} s");
            client.say("x");
            client.advance(SECOND / 2);
            client.settle(Ok(()));
            client.advance(SECOND / 2);
        }
        assert_eq!((codes(&client.received()).pop(), client.is_closed()), (Some(421), true));
    }
}

#[test]
fn a_client_whose_message_is_not_taken_is_not_silent() {
    let notes = Notes { later: vec!["write"], ..Notes::default() };
    let client = Client::with_notes(config().data_timeout(5 * SECOND), notes);
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    client.say("DATA\r\n");
    client.say("x\r\n");
    client.advance(60 * SECOND);
    assert!(!client.is_closed(), "{}", client.received());
    client.settle(Ok(()));
    client.notes.borrow_mut().later.clear();
    assert_eq!(client.codes(".\r\n"), [250]);
}

#[test]
fn a_server_that_drains_leaves_as_soon_as_there_is_no_message() {
    // What is said, with the late verdicts that are then settled, and what is replied.
    let refused = || Err(Reply::refused());
    for (later, said, verdicts, then, expected) in [
        (&["connected"][..], "", &[Ok(())][..], "", &[220, 421][..]),
        (&["helo"], "EHLO a\r\nMAIL FROM:<>\r\n", &[Ok(())], "", &[250, 421]),
        (&["mail"], "HELO a\r\nMAIL FROM:<>\r\nNOOP\r\n", &[refused()], "", &[550, 421]),
        (&["mail"], "HELO a\r\nMAIL FROM:<>\r\n", &[Ok(())], "RSET\r\n", &[250, 250, 421]),
        (&[], "HELO a\r\nMAIL FROM:<>\r\n", &[], "NOOP\r\nRSET\r\nNOOP\r\n", &[250, 250, 421]),
        (&[], "HELO a\r\nMAIL FROM:<>\r\n", &[], "EHLO a\r\nNOOP\r\n", &[250, 421]),
        (&[], "HELO a\r\nBDAT 2\r\n", &[], "\r\nBDAT 0 LAST\r\nNOOP\r\n", &[503, 503, 421]),
    ] {
        let client =
            Client::with_notes(config(), Notes { later: later.to_vec(), ..Notes::default() });
        client.say(said);
        client.drain();
        assert!(!client.is_closed(), "{later:?} {said:?}");
        for verdict in verdicts {
            client.settle(verdict.clone());
        }
        client.advance(SECOND);
        let replies = client.received() + &client.say(then);
        assert_eq!(codes(&replies), expected, "{later:?} {said:?} {then:?}");
        assert!(client.is_closed(), "{later:?} {said:?} {then:?}");
    }
}
