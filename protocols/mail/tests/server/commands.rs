//! Commands one by one: what is replied, and what counts as an error.

use sinew_mail::smtp::codec::Reply;

use crate::support::{Client, Notes, config};

#[test]
fn a_session() {
    let client = Client::new(config());
    assert_eq!(client.received(), "220 mail.example ESMTP\r\n");
    assert_eq!(
        client.say("EHLO client.example\r\n"),
        "250-mail.example\r\n250-SIZE 26214400\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
    );
    assert_eq!(client.say("MAIL FROM:<ann@example.net>\r\n"), "250 2.1.0 Ok\r\n");
    assert_eq!(client.say("RCPT TO:<bob@example.org>\r\n"), "250 2.1.5 Ok\r\n");
    assert_eq!(
        client.say("RCPT TO:<nobody@example.org>\r\n"),
        "550 5.1.1 No such mailbox here\r\n"
    );
    assert_eq!(
        client.say("RCPT TO:<later@example.org>\r\n"),
        "451 4.3.0 Not now, try again later\r\n"
    );
    assert_eq!(client.say("DATA\r\n"), "354 End with a line of one dot\r\n");
    assert_eq!(client.say("Subject: hello\r\n\r\n..dots\r\n.\r\n"), "250 2.0.0 Ok\r\n");
    assert_eq!(client.say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
    assert!(client.is_closed());
    let [mail] = &client.mails()[..] else { panic!("one mail") };
    assert_eq!(
        (mail.from.as_str(), &mail.to[..]),
        ("ann@example.net", &["bob@example.org".to_owned()][..])
    );
    assert_eq!(mail.text, "Subject: hello\r\n\r\n.dots\r\n");
}

#[test]
fn helo_has_no_extensions() {
    let client = Client::new(config());
    client.received();
    assert_eq!(client.say("HELO a\r\n"), "250 mail.example\r\n");
    assert_eq!(client.codes("LHLO a\r\n"), [502]);
    assert_eq!(client.codes("HELO spam.example\r\n"), [550]);
}

#[test]
fn errors_are_counted() {
    let client = Client::new(config().errors_max(3));
    client.received();
    assert_eq!(client.codes("HALLO\r\nMAIL\r\nDATA\r\n"), [500, 501, 503]);
    // What the handler refuses is no error of the protocol.
    assert_eq!(client.codes("HELO a\r\nMAIL FROM:<x@spam.example>\r\n"), [250, 550]);
    assert_eq!(client.codes("HALLO\r\nNOOP\r\n"), [421]);
    assert!(client.is_closed());
}

#[test]
fn a_line_that_is_too_long_is_skipped() {
    let client = Client::new(config());
    client.received();
    for len in [2_049, 2_050, 100_000] {
        let line = format!("NOOP {}\r\nRSET\r\n", "x".repeat(len - 5));
        assert_eq!(client.codes(line), [500, 250], "{len}");
    }
    assert_eq!(client.codes(format!("NOOP {}\r\n", "x".repeat(2_043))), [250]);
    assert_eq!(client.codes(format!("NOOP {}\n\r\n", "x".repeat(4_000))), [521]);
    assert!(client.is_closed());
}

#[test]
fn an_overlong_line_is_not_buffered() {
    let client = Client::new(config());
    client.received();
    for _ in 0..1_000 {
        client.wire.receive([b'x'; 1_000]);
        client.reactor.advance(std::time::Duration::ZERO).unwrap();
    }
    assert_eq!(client.codes("\r\nNOOP\r\n"), [500, 250]);
}

#[test]
fn limits_of_recipients_and_sizes() {
    let client = Client::new(config().recipients_max(2).size_max(100));
    client.received();
    assert_eq!(
        client.codes("EHLO a\r\nMAIL FROM:<> SIZE=101\r\nMAIL FROM:<> SIZE=100\r\n"),
        [250, 552, 250]
    );
    let recipients = "RCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nRCPT TO:<c@b.c>\r\n";
    assert_eq!(client.codes(recipients), [250, 250, 452]);
    assert_eq!(client.codes("DATA\r\n"), [354]);
    assert_eq!(client.codes(format!("{}\r\n.\r\n", "x".repeat(99))), [552]);
    assert_eq!((client.mails().len(), client.notes.borrow().dropped), (0, 1));
    assert_eq!(client.codes("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n"), [250, 250, 354]);
    assert_eq!(client.codes(format!("{}\r\n.\r\n", "x".repeat(98))), [250]);
}

#[test]
fn other_scripts_need_smtputf8() {
    let client = Client::new(config());
    client.received();
    assert_eq!(client.codes("EHLO a\r\nMAIL FROM:<änne@example.org>\r\n"), [250, 553]);
    assert_eq!(
        client.codes("MAIL FROM:<>\r\nRCPT TO:<änne@example.org>\r\nRSET\r\n"),
        [250, 553, 250]
    );
    assert_eq!(
        client.codes("MAIL FROM:<änne@example.org> SMTPUTF8\r\nRCPT TO:<änne@bücher.example>\r\n"),
        [250, 250]
    );
}

#[test]
fn a_handler_can_disconnect_and_cannot_accept_by_mistake() {
    let client = Client::with_message(config());
    assert_eq!(client.codes("RCPT TO:<wrong@example.org>\r\n"), [451]);
    assert_eq!(client.codes("RCPT TO:<away@example.org>\r\nNOOP\r\n"), [421]);
    assert!(client.is_closed());
}

#[test]
fn a_refused_client_gets_no_greeting() {
    let notes = Notes { later: vec!["connected"], ..Notes::default() };
    let client = Client::with_notes(config(), notes);
    assert_eq!(client.received(), "");
    client.settle(Err(Reply::new(554, "5.7.1 no").unwrap()));
    client.advance(std::time::Duration::from_millis(1));
    assert_eq!(client.received(), "554 5.7.1 no\r\n");
    assert!(client.is_closed());
}
