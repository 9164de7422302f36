//! Messages: how much is read of them, and what is sent if that fails.

use std::time::Duration;

use sinew_mail::pop3::server::MaildropError;
use sinew_protocols::basic::{DotStuffed, Unstuffed};

use crate::pop3_support::{Client, config, mail};

/// What a client makes of a response.
fn unstuffed(response: &str) -> String {
    let (_, text) = response.split_once("\r\n").unwrap();
    let (mut input, mut decoder, mut out) = (text.as_bytes(), DotStuffed::strict(), Vec::new());
    loop {
        match decoder.decode(&mut input).unwrap() {
            Unstuffed::Text(text) => out.extend_from_slice(text),
            Unstuffed::End => break,
            Unstuffed::Incomplete => panic!("the text does not end"),
        }
    }
    assert!(input.is_empty());
    String::from_utf8(out).unwrap()
}

#[test]
fn messages_of_every_size_arrive() {
    for lines in [0, 1, 10, 1_000, 50_000] {
        let text = "Subject: x\r\n\r\n".to_owned() + &".line\r\n..\r\n.\r\n".repeat(lines);
        let client = Client::logged_in(&[&text]);
        let response = client.say("RETR 1\r\n");
        assert!(unstuffed(&response) == text, "{lines} lines");
        let client = Client::logged_in(&[text.trim_end()]);
        assert!(unstuffed(&client.say("RETR 1\r\n")).trim_end() == text.trim_end());
    }
}

/// What is read ahead of a client that does not receive is bounded, whatever the size of the message.
#[test]
fn a_large_message_is_read_as_it_is_received() {
    let text = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(2_000_000));
    let client = Client::logged_in(&[&text]);
    client.wire.receive_if_open(b"RETR 1\r\nNOOP\r\n");
    for _ in 0..100 {
        client.advance(Duration::from_millis(10));
    }
    let read: usize = client.mail.borrow().reads.iter().map(|(_, _, len)| len).sum();
    assert!(read <= 512 * 1024, "{read} bytes were read");
    let response = client.received();
    assert!(response.ends_with(".\r\n+OK\r\n"));
    assert!(unstuffed(response.strip_suffix("+OK\r\n").unwrap()) == text);
}

#[test]
fn top_reads_only_what_it_needs() {
    let text = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(1_000_000));
    let client = Client::logged_in(&[&text]);
    assert_eq!(
        client.say("TOP 1 2\r\n"),
        "+OK The top follows\r\nSubject: x\r\n\r\nline\r\nline\r\n.\r\n"
    );
    assert_eq!(client.mail.borrow().reads, [(0, 0, 8 * 1024)]);
    let long = unstuffed(&client.say("TOP 1 5000\r\n"));
    assert_eq!(long.lines().count(), 5_002);
    let read: usize = client.mail.borrow().reads.iter().map(|(_, _, len)| len).sum();
    assert!(read < 64 * 1024);
}

#[test]
fn a_message_that_cannot_be_read() {
    type Make = fn() -> MaildropError;
    let errors: [(Make, &str); 2] = [
        (|| MaildropError::NoSuchMessage, "-ERR The message is not there any more\r\n"),
        (
            || MaildropError::Temporary("disk".into()),
            "-ERR [SYS/TEMP] The maildrop cannot be used now\r\n",
        ),
    ];
    for (error, expected) in errors {
        let client = Client::logged_in(&["Subject: x\r\n\r\n"]);
        client.mail.borrow_mut().fails = Some(error);
        for command in ["RETR 1", "TOP 1 0"] {
            assert_eq!(client.say(format!("{command}\r\nNOOP\r\n")), format!("{expected}+OK\r\n"));
        }
    }
}

/// Half a message must not look like a whole one.
#[test]
fn a_message_that_cannot_be_read_to_its_end() {
    let text = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(100_000));
    let client = Client::logged_in_to(config(), &mail(&[&text]));
    client.mail.borrow_mut().fails = Some(|| MaildropError::Temporary("disk".into()));
    client.mail.borrow_mut().fails_from = 100_000;
    let response = client.say("RETR 1\r\nQUIT\r\n");
    assert!(!response.ends_with(".\r\n") && !response.contains("Bye"));
    assert!(client.is_closed());
    assert_eq!(client.mail.borrow().finished, 0);
}

#[test]
fn a_read_is_cancelled_when_the_client_goes() {
    let client = Client::logged_in(&["Subject: x\r\n\r\n"]);
    client.mail.borrow_mut().later = vec!["read"];
    client.say("RETR 1\r\n");
    assert!(client.mail.borrow().open[0].is_awaited());
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert!(!client.mail.borrow().open[0].is_awaited());
}

/// Whatever is in a store, what is sent is one text.
#[test]
fn bare_line_ends_of_a_store_become_crlf() {
    let client = Client::logged_in(&["Subject: x\n\n.\n.\r.\r\n"]);
    assert_eq!(
        client.say("RETR 1\r\nNOOP\r\n"),
        "+OK 19 octets\r\nSubject: x\r\n\r\n..\r\n..\r\n..\r\n.\r\n+OK\r\n"
    );
}
