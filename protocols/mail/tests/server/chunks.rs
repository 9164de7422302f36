//! BDAT (RFC 3030).

use sinew_mail::smtp::codec::Reply;

use crate::support::{Client, Notes, codes, config};

#[test]
fn chunks_make_a_message() {
    let client = Client::with_message(config());
    assert_eq!(client.codes("BDAT 7\r\none\r\n.\r"), [250]);
    assert_eq!(client.codes("BDAT 6\r\n\n..two"), [250]);
    assert_eq!(client.codes("BDAT 0\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n"), [250, 250, 250]);
    assert_eq!(client.mails()[0].text, "one\r\n.\r\n..two\r\n");
}

#[test]
fn a_message_without_bytes() {
    let client = Client::with_message(config());
    assert_eq!(client.codes("BDAT 0 LAST\r\nQUIT\r\n"), [250, 221]);
    assert_eq!(client.mails()[0].text, "");
}

#[test]
fn chunks_are_read_even_if_they_are_refused() {
    let client = Client::new(config());
    client.received();
    assert_eq!(client.codes("EHLO a\r\nBDAT 12\r\nRCPT TO:<a>\nNOOP\r\n"), [250, 503, 250]);
    assert_eq!(client.codes("BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"), [503, 250]);
    assert!(client.mails().is_empty());
}

#[test]
fn errors_of_chunks_are_counted() {
    let client = Client::new(config().errors_max(2));
    client.received();
    assert_eq!(
        client.codes("BDAT 0 LAST\r\nBDAT 0 LAST\r\nBDAT 0 LAST\r\nNOOP\r\n"),
        [503, 503, 421]
    );
    assert!(client.is_closed());
}

#[test]
fn a_message_that_is_too_large_is_refused_with_its_last_chunk() {
    let client = Client::with_message(config().size_max(10));
    assert_eq!(client.codes("BDAT 6\r\n1234\r\n"), [250]);
    assert_eq!(client.codes("BDAT 6\r\n1234\r\n"), [552]);
    assert_eq!(client.codes("BDAT 2 LAST\r\n\r\nNOOP\r\n"), [552, 250]);
    assert!(client.mails().is_empty());
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [250], "the next may begin");
}

#[test]
fn a_bare_line_end_in_a_chunk_is_refused() {
    for chunk in ["a\nb", "a\rb", "a\r\n.\n", "abc\r"] {
        let client = Client::with_message(config());
        assert_eq!(
            client.codes(format!("BDAT {} LAST\r\n{chunk}", chunk.len())),
            [554],
            "{chunk:?}"
        );
        assert_eq!(client.codes("NOOP\r\n"), [250]);
        assert!(client.mails().is_empty());
    }
}

#[test]
fn verdicts_about_chunks_may_come_later() {
    let later = vec!["data", "write", "finish"];
    let client = Client::with_notes(config(), Notes { later, ..Notes::default() });
    client.received();
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    assert_eq!(client.say("BDAT 3\r\nabcBDAT 0\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n"), "");
    client.settle(Ok(())); // the sink
    client.settle(Ok(())); // "abc"
    assert_eq!(client.received(), "250 2.0.0 Ok, go on\r\n250 2.0.0 Ok, go on\r\n");
    client.settle(Ok(())); // the last line end
    let finish = client.notes.borrow_mut().open_finish.remove(0);
    finish.reject(Reply::new(450, "4.2.0 full").unwrap());
    assert_eq!(client.received(), "450 4.2.0 full\r\n250 2.0.0 Ok\r\n");
    assert_eq!(client.mails()[0].text, "abc\r\n");
}

#[test]
fn an_empty_message_may_be_decided_later() {
    let client = Client::with_notes(config(), Notes { later: vec!["data"], ..Notes::default() });
    client.received();
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    assert_eq!(client.say("BDAT 0 LAST\r\nNOOP\r\n"), "");
    client.settle(Ok(()));
    assert_eq!(client.received(), "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n");
    assert_eq!(client.codes("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 0 LAST\r\n"), [250, 250]);
    client.settle(Ok(()));
    assert_eq!(client.received(), "250 2.0.0 Ok\r\n");
}

#[test]
fn a_line_that_is_skipped_between_chunks_is_no_chunk() {
    let client = Client::with_notes(config(), Notes { later: vec!["data"], ..Notes::default() });
    client.received();
    client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
    assert_eq!(client.say(format!("BDAT 0\r\n{}", "X".repeat(2_049))), "");
    client.settle(Ok(()));
    assert_eq!(codes(&client.received()), [250], "one reply to one chunk");
    assert_eq!(client.codes("NOOP\r\n"), [500], "it is the end of the line");
    assert_eq!(client.codes("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), [250, 250]);
    assert_eq!(client.mails()[0].text, "QUIT\r\n");
}

#[test]
fn a_chunk_of_unknown_length_is_not_read_as_commands() {
    let too_long = format!("BDAT {:0>2100}", 6);
    for (line, code) in [
        ("BDAT  6", 501),
        ("BDAT 99999999999999999999", 501),
        ("bdat 6 LAST now", 501),
        ("BDAT", 501),
        ("BDAT\t6", 500),
        ("BDAT 6\x01", 500),
        (&too_long, 500),
    ] {
        let client = Client::with_message(config());
        assert_eq!(client.codes(format!("{line}\r\nNOOP\r\nNOOP\r\n")), [code], "{line:?}");
        assert!(client.is_closed(), "{line:?}");
        assert_eq!(client.mails(), []);
    }
}
