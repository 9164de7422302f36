//! What ends a message, and what does not (SMTP smuggling); clients that talk too early.

use std::time::Duration;

use crate::support::{Client, Notes, config};

#[test]
fn only_crlf_dot_crlf_ends_data() {
    const SMUGGLED: &str = "MAIL FROM:<boss@bank.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
    let ends = [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\r\r\n.\r\r\n",
        "\r\n.\r\r\n",
        "\n.\r\r\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
        "\r\n. \r\n",
        "\r\n..\r\n",
        "\r\n.\n\r\n",
        "\n\r\n.\r\n",
    ];
    for end in ends {
        let client = Client::with_message(config());
        assert_eq!(client.codes("DATA\r\n"), [354]);
        let replies = client.codes(format!("text{end}{SMUGGLED}"));
        assert!(!replies.contains(&354), "{end:?}: a second message begins: {replies:?}");
        assert!(client.mails().is_empty(), "{end:?} ends the message");
        // It is refused, or it is text.
        let is_text = ["\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n", "\r\n..\r\n"].contains(&end);
        assert_eq!(client.is_closed(), !is_text, "{end:?}");
        if !is_text {
            assert_eq!(replies, [521], "{end:?}");
        }
    }
}

#[test]
fn a_bare_line_end_in_a_command_ends_the_connection() {
    for line in ["NOOP\n", "NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", "EHLO a\nMAIL FROM:<>\r\n"] {
        let client = Client::new(config());
        client.received();
        let replies = client.say(line);
        assert!(replies.starts_with("521 5.5.2 bare "), "{line:?}: {replies}");
        assert!(client.is_closed(), "{line:?}");
    }
}

#[test]
fn talk_before_the_greeting() {
    let notes = Notes { later: vec!["connected"], ..Notes::default() };
    for client in [
        Client::new(config().greeting_delay(Duration::from_secs(6))),
        Client::with_notes(config(), notes),
    ] {
        assert_eq!(client.received(), "");
        assert_eq!(client.codes("EHLO spam.example\r\n"), [554]);
        assert!(client.is_closed());
    }
}

#[test]
fn a_client_that_waits_for_the_greeting_gets_it() {
    let client = Client::new(config().greeting_delay(Duration::from_secs(6)));
    client.advance(Duration::from_secs(5));
    assert_eq!(client.received(), "");
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), "220 mail.example ESMTP\r\n");
    assert_eq!(client.codes("NOOP\r\n"), [250]);
}

#[test]
fn talk_before_354() {
    for later in [vec![], vec!["data"]] {
        let client = Client::with_notes(config(), Notes { later, ..Notes::default() });
        client.received();
        client.say("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n");
        client.say("DATA\r\nSubject: spam\r\n\r\nspam\r\n.\r\n");
        if !client.notes.borrow().open.is_empty() {
            client.settle(Ok(()));
        }
        let rest = client.received();
        assert!(client.is_closed(), "{rest}");
        assert!(client.mails().is_empty());
    }
}
