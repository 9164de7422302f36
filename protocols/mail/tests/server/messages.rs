//! What a server adds to messages and refuses in them.

use crate::support::{Client, config};

#[test]
fn the_first_line_is_that_of_the_server() {
    let client = Client::with_message(config().received_line(true));
    client.say("DATA\r\n");
    assert_eq!(client.codes("Subject: x\r\n\r\n.\r\n"), [250]);
    let text = &client.mails()[0].text;
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(
        lines[..3],
        ["Received: from a", "\tby mail.example with ESMTP", "\tfor <bob@example.org>;"]
    );
    assert!(lines[3].ends_with(" +0000"), "{text}");
    assert_eq!(lines[4..], ["Subject: x", "", ""]);
}

#[test]
fn a_message_in_a_loop_is_refused() {
    for (hops, code) in [(3, 250), (4, 554)] {
        let client = Client::with_message(config().hops_max(3));
        client.say("DATA\r\n");
        let text = "Received: from here\r\n".repeat(hops);
        assert_eq!(client.codes(format!("{text}\r\nReceived: no\r\n.\r\n")), [code], "{hops}");
    }
}

#[test]
fn several_messages_on_one_connection() {
    let client = Client::new(config());
    client.received();
    client.say("EHLO a\r\n");
    for number in 0..5 {
        client.say("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n");
        assert_eq!(client.codes(format!("{number}\r\n.\r\n")), [250]);
    }
    let texts: Vec<_> = client.mails().into_iter().map(|mail| mail.text).collect();
    assert_eq!(texts, ["0\r\n", "1\r\n", "2\r\n", "3\r\n", "4\r\n"]);
}
