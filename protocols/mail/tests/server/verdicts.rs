//! Verdicts that come later: the client waits, and what it has pipelined.

use std::time::Duration;

use sinew_mail::smtp::codec::Reply;

use crate::support::{Client, Notes, codes, config};

fn client(later: &[&'static str]) -> Client {
    let client = Client::with_notes(config(), Notes { later: later.to_vec(), ..Notes::default() });
    client.received();
    client
}

#[test]
fn every_step_may_be_decided_later() {
    let client = client(&["helo", "mail", "rcpt", "data", "write", "finish"]);
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nDATA\r\n");
    for expected in [&[250][..], &[250], &[250], &[550]] {
        assert_eq!(client.received(), "", "nothing is decided yet");
        let refusal = if expected == [550] { Err(Reply::refused()) } else { Ok(()) };
        client.settle(refusal);
        assert_eq!(codes(&client.received()), expected);
    }
    client.settle(Ok(()));
    assert_eq!(client.received(), "354 End with a line of one dot\r\n");
    assert_eq!(client.say("text\r\n.\r\nNOOP\r\n"), "");
    client.settle(Ok(()));
    assert_eq!(client.received(), "", "the end is not decided");
    let finish = client.notes.borrow_mut().open_finish.remove(0);
    finish
        .resolve(sinew_mail::smtp::server::Outcome::All(Reply::new(250, "2.0.0 queued").unwrap()));
    assert_eq!(client.received(), "250 2.0.0 queued\r\n250 2.0.0 Ok\r\n");
    assert_eq!(client.mails()[0].to, ["a@b.c"]);
}

#[test]
fn a_message_is_not_read_faster_than_it_is_taken() {
    let client = client(&["write"]);
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    client.say("DATA\r\n");
    for _ in 0..1_000 {
        client.wire.receive("x".repeat(998) + "\r\n");
        client.advance(Duration::ZERO);
    }
    assert!(client.wire.is_paused());
    assert_eq!(client.notes.borrow().writes, 1);
    assert!(
        client.wire.unread_len() > 900_000,
        "{} bytes stay with the client",
        client.wire.unread_len()
    );
    client.notes.borrow_mut().later.clear();
    client.settle(Ok(()));
    assert_eq!(codes(&client.say(".\r\n")), [250]);
    assert_eq!(client.mails()[0].text.len(), 1_000_000);
}

#[test]
fn a_sink_that_fails_refuses_the_message() {
    let notes =
        Notes { write_fails: Some(Reply::new(452, "4.3.1 full").unwrap()), ..Notes::default() };
    let client = Client::with_notes(config(), notes);
    client.received();
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n");
    assert_eq!(client.say("one\r\n..two\r\n.\r\n"), "452 4.3.1 full\r\n");
    assert_eq!((client.notes.borrow().writes, client.notes.borrow().dropped), (1, 1));
}

#[test]
fn a_client_that_leaves_cancels_verdicts_but_not_the_end_of_a_message() {
    let client = client(&["finish"]);
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n");
    client.say("text\r\n.\r\n");
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert!(client.notes.borrow().open_finish[0].is_awaited(), "the message is being stored");

    let client = self::client(&["rcpt"]);
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert!(!client.notes.borrow().open[0].is_pending());
}

#[test]
fn a_connection_that_is_lost_inside_of_a_message_delivers_nothing() {
    for end in [
        "DATA\r\n|text\r\n",
        "DATA\r\n|text\r\n.",
        "DATA\r\n|text\r\n.\r",
        "BDAT 10 LAST\r\n12345678\r",
    ] {
        let client = Client::with_message(config());
        for part in end.split('|') {
            client.say(part);
        }
        client.wire.close_if_open();
        client.advance(Duration::from_secs(60));
        assert_eq!((client.mails().len(), client.notes.borrow().dropped), (0, 1), "{end:?}");
    }
}

#[test]
fn a_client_that_half_closes_has_the_replies_to_what_it_has_sent() {
    const START: &str = "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n";
    for (later, end, expected) in [
        (&["finish"][..], "DATA\r\n|x\r\n.\r\n", &[354, 250][..]),
        (&["finish"], "DATA\r\n|x\r\n.\r\nQUIT\r\n", &[354, 250, 221]),
        (&["data", "finish"], "BDAT 0 LAST\r\n", &[250]),
        (&["write", "finish"], "BDAT 2 LAST\r\n\r\n", &[250]),
        (&["write", "finish"], "BDAT 2 LAST\r\n\r\nQUIT\r\n", &[250, 221]),
        (&["data"], "BDAT 0\r\nNO", &[250]),
    ] {
        let client = client(later);
        client.wire.set_separate_directions();
        client.say(START);
        let (first, last) = end.rsplit_once('|').unwrap_or(("", end));
        let mut replies = client.say(first);
        // With the end of the stream.
        client.wire.receive(last);
        client.wire.close();
        client.advance(Duration::from_secs(1));
        assert!(!client.is_closed(), "{end:?}");
        let open: Vec<_> = client.notes.borrow_mut().open.drain(..).collect();
        for verdict in open {
            verdict.settle(Ok(()));
            client.advance(Duration::ZERO);
        }
        for finish in client.notes.borrow_mut().open_finish.drain(..) {
            finish.resolve(sinew_mail::smtp::server::Outcome::All(Reply::ok()));
        }
        replies += &client.received();
        assert_eq!(codes(&replies), expected, "{end:?}");
        assert!(client.is_closed(), "{end:?}");
    }
}
