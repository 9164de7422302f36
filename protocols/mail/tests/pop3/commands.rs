//! What each command says.

use std::{fmt::Write, time::Duration};

use sinew_testkit::testing::every_split;

use crate::pop3_support::{Client, config, mail, server};

const TWO: &[&str] = &["Subject: a\r\n\r\none\r\n", "Subject: b\r\n\r\n.dot\r\n..\r\nend\r\n"];

#[test]
fn a_session() {
    let client = Client::logged_in(TWO);
    for (said, expected) in [
        ("STAT\r\n", "+OK 2 48\r\n"),
        ("LIST\r\n", "+OK 2 messages (48 octets)\r\n1 19\r\n2 29\r\n.\r\n"),
        ("LIST 2\r\n", "+OK 2 29\r\n"),
        ("UIDL\r\n", "+OK 2 messages (48 octets)\r\n1 id1\r\n2 id2\r\n.\r\n"),
        ("NOOP\r\n", "+OK\r\n"),
        ("LAST\r\n", "+OK 0\r\n"),
        ("RETR 1\r\n", "+OK 19 octets\r\nSubject: a\r\n\r\none\r\n.\r\n"),
        ("LAST\r\n", "+OK 1\r\n"),
        ("RETR 2\r\n", "+OK 29 octets\r\nSubject: b\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n"),
        ("TOP 2 1\r\n", "+OK The top follows\r\nSubject: b\r\n\r\n..dot\r\n.\r\n"),
        ("TOP 1 0\r\n", "+OK The top follows\r\nSubject: a\r\n\r\n.\r\n"),
        ("LAST\r\n", "+OK 2\r\n"),
        ("DELE 1\r\n", "+OK It is deleted at QUIT\r\n"),
        ("STAT\r\n", "+OK 1 29\r\n"),
        ("LIST\r\n", "+OK 1 messages (29 octets)\r\n2 29\r\n.\r\n"),
        ("RSET\r\n", "+OK Nothing is deleted\r\n"),
        ("LAST\r\n", "+OK 0\r\n"),
        ("STAT\r\n", "+OK 2 48\r\n"),
        ("QUIT\r\n", "+OK Bye\r\n"),
    ] {
        assert_eq!(client.say(said), expected, "{said:?}");
    }
    assert!(client.is_closed());
}

/// Twisted #9104: the number of the message is a part of the response.
#[test]
fn uidl_with_number() {
    let client = Client::logged_in(TWO);
    assert_eq!(client.say("UIDL 2\r\n"), "+OK 2 id2\r\n");
    assert_eq!(client.say("UIDL 3\r\n"), "-ERR There is no such message\r\n");
    assert_eq!(
        client.say("DELE 2\r\nUIDL 2\r\nUIDL 1\r\n").lines().collect::<Vec<_>>()[1..],
        ["-ERR There is no such message", "+OK 1 id1"]
    );
}

#[test]
fn top_without_argument() {
    let client = Client::logged_in(TWO);
    for line in ["TOP", "TOP 1", "TOP 1 x", "TOP x 1", "RETR", "RETR x", "RETR 0", "LIST x", "DELE"]
    {
        let response = client.say(format!("{line}\r\n"));
        assert!(response.starts_with("-ERR Syntax: "), "{line}: {response}");
    }
    assert_eq!(client.say("STAT\r\n"), "+OK 2 48\r\n", "the session goes on");
}

#[test]
fn messages_that_are_not_there() {
    let client = Client::logged_in(TWO);
    client.say("DELE 1\r\n");
    for command in ["LIST", "UIDL", "RETR", "DELE"] {
        for number in [1, 3, u32::MAX] {
            let response = client.say(format!("{command} {number}\r\n"));
            assert_eq!(response, "-ERR There is no such message\r\n", "{command} {number}");
        }
    }
    assert_eq!(client.say("TOP 1 0\r\n"), "-ERR There is no such message\r\n");
}

#[test]
fn an_empty_maildrop() {
    let client = Client::logged_in(&[]);
    let nothing = "+OK 0 messages (0 octets)\r\n.\r\n";
    assert_eq!(client.say("STAT\r\n"), "+OK 0 0\r\n");
    assert_eq!(client.say("LIST\r\nUIDL\r\n"), format!("{nothing}{nothing}"));
    let client = Client::logged_in(&[""]);
    assert_eq!(client.say("RETR 1\r\n"), "+OK 0 octets\r\n.\r\n", "an empty message");
}

#[test]
fn errors_are_bounded() {
    let client = Client::logged_in_to(config().errors_max(2), &mail(TWO));
    assert_eq!(client.say("HALLO\r\n"), "-ERR Unknown command\r\n");
    assert_eq!(client.say("RETR\r\n"), "-ERR Syntax: RETR message\r\n");
    // Those that are right do not count, nor messages that are not there.
    for _ in 0..5 {
        client.say("NOOP\r\nRETR 9\r\n");
    }
    assert_eq!(client.say("USER x\r\nNOOP\r\n"), "-ERR Too many errors\r\n");
    assert!(client.is_closed());
}

#[test]
fn lines_are_bounded_and_end_in_crlf() {
    let long = format!("NOOP {}\r\n", "x".repeat(600));
    let endless = "x".repeat(20_000);
    for (said, expected) in [
        (long.as_str(), "-ERR The line is too long\r\n"),
        (&endless, "-ERR Line longer than 12288 bytes\r\n"),
        ("NOOP\nNOOP\r\n", "-ERR "),
        ("NOOP\rNOOP\r\n", "-ERR "),
    ] {
        let client = Client::logged_in(TWO);
        let response = client.say(said);
        assert!(response.starts_with(expected), "{response}");
        assert_eq!(response.lines().count(), 1);
        assert!(client.is_closed());
    }
}

#[test]
fn capabilities_are_those_of_the_state() {
    let client = Client::new(config(), &mail(TWO));
    let before = client.say("CAPA\r\n");
    for line in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "USER"] {
        assert!(before.contains(&format!("\r\n{line}\r\n")), "{line} in {before}");
    }
    assert!(before.contains("\r\nSASL SCRAM-SHA-256 ") && !before.contains("STLS"), "{before}");
    assert_eq!(client.say("UTF8\r\n"), "+OK UTF-8 it is\r\n");
}

/// Lines of a list are made as they are received: what is queued has a bound.
#[test]
fn list_of_100000() {
    let shared = mail(&[]);
    let text = bytes::Bytes::from_static(b"Subject: x\r\n\r\n");
    let messages = (1..=100_000).map(|number| (format!("id{number}"), text.clone())).collect();
    shared.borrow_mut().boxes.insert("ann".to_owned(), messages);
    let client = Client::logged_in_to(config(), &shared);
    for (command, value) in [("LIST", "14"), ("UIDL", "id")] {
        client.wire.receive_if_open(format!("{command}\r\nNOOP\r\n").as_bytes());
        let (mut all, mut most) = (String::new(), 0);
        loop {
            client.advance(std::time::Duration::ZERO);
            most = most.max(client.wire.transport().queued());
            let some = client.wire.take(20_000);
            if some.is_empty() {
                break;
            }
            all.push_str(&String::from_utf8(some).unwrap());
        }
        assert!(most < 128 * 1024, "{most} bytes were queued for {command}");
        let mut expected = "+OK 100000 messages (1400000 octets)\r\n".to_owned();
        for number in 1..=100_000 {
            let value = if value == "id" { format!("id{number}") } else { value.to_owned() };
            let _ = write!(expected, "{number} {value}\r\n");
        }
        expected.push_str(".\r\n+OK\r\n");
        assert!(all == expected, "{command}");
    }
}

#[test]
fn every_split_of_pipelined_commands() {
    crate::watchdog::watch_this_test();
    let shared = mail(TWO);
    every_split(
        move || server(config(), &shared).connection(),
        b"USER ann\r\nPASS secret\r\nSTAT\r\nRETR 2\r\nHALLO\r\nUIDL\r\nQUIT\r\n",
        b"+OK mail.example POP3\r\n+OK Say PASS\r\n+OK 2 messages (48 octets)\r\n+OK 2 48\r\n+OK 29 octets\r\nSubject: b\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n-ERR Unknown command\r\n+OK 2 messages (48 octets)\r\n1 id1\r\n2 id2\r\n.\r\n+OK Bye\r\n",
    );
}

/// Others have their turn however much a client pipelines, and it is not forgotten.
#[test]
fn commands_of_a_turn_are_bounded() {
    const COMMANDS: usize = 1_000;
    let logged_in = Client::logged_in(TWO);
    let stranger = Client::new(config(), &mail(TWO));
    stranger.received();
    for (client, command, end) in [
        (&stranger, "CAPA", ".\r\n"),
        (&logged_in, "NOOP", "+OK\r\n"),
        (&logged_in, "STAT", "48\r\n"),
    ] {
        client.wire.receive(format!("{command}\r\n").repeat(COMMANDS).as_bytes());
        let mut replied = 0;
        while replied < COMMANDS {
            client.reactor.turn(Some(Duration::ZERO)).expect("it turns");
            let replies = String::from_utf8(client.wire.take(usize::MAX)).expect("text");
            let in_turn = replies.matches(end).count();
            assert!((1..=32).contains(&in_turn), "{in_turn} times {command} in one turn");
            replied += in_turn;
        }
    }
}
