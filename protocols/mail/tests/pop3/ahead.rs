//! Messages that are asked for by commands sent together: which are read by one request, and that nobody can tell from the answers.

use std::time::Duration;

use sinew_mail::pop3::server::MaildropError;

use crate::pop3_support::{Client, Shared, config, mail};

/// Messages of these lengths, each with its number.
fn messages(lens: &[usize]) -> Shared {
    let text = |(at, len): (usize, &usize)| {
        let head = format!("Subject: {}\r\n\r\n.", at + 1);
        format!("{head}{}\r\n", "x".repeat(len - head.len() - 2))
    };
    let texts: Vec<_> = lens.iter().enumerate().map(text).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let shared = mail(&texts);
    shared.borrow_mut().reads_many = true;
    shared
}

type Lens<'a> = &'a [usize];
type Indices<'a> = &'a [usize];

fn retrieve(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(|number| format!("RETR {number}\r\n")).collect()
}

/// What is answered if each command is sent by itself: nothing is read ahead then.
fn one_by_one(lens: &[usize], commands: &str) -> String {
    let shared = messages(lens);
    let client = Client::logged_in_to(config(), &shared);
    let answers = commands.split_inclusive('\n').map(|command| client.say(command)).collect();
    assert!(shared.borrow().read_together.is_empty());
    answers
}

#[test]
fn commands_that_are_sent_together_are_read_for_together() {
    let cases: [(Lens<'_>, &str, &[Indices<'_>]); 9] = [
        (&[100; 4], "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n", &[&[0, 1, 2, 3]]),
        (&[100; 4], "retr 4\r\nSTAT\r\nRETR 2\r\nNOOP\r\nRETR 2\r\n", &[&[3, 1, 1]]),
        // Not those that are deleted by then, or that there are not.
        (&[100; 3], "DELE 2\r\nRETR 1\r\nRETR 2\r\nRETR 9\r\nRETR 3\r\n", &[&[0, 2]]),
        (&[100; 3], "RETR 1\r\nDELE 2\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n", &[&[0, 1, 2]]),
        // As much as is read at once.
        (&[30_000; 5], "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\nRETR 5\r\n", &[&[0, 1], &[2, 3]]),
        // Long messages are read by themselves, and what is read before them is not held meanwhile.
        (
            &[100, 100, 70_000, 100, 100],
            "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\nRETR 5\r\n",
            &[&[0, 1], &[3, 4]],
        ),
        (&[100_000, 100], "RETR 1\r\nRETR 2\r\n", &[]),
        // A top is a part of a message.
        (&[100_000, 70_000, 100], "TOP 1 1\r\nTOP 2 0\r\nTOP 3 9\r\n", &[&[0, 1, 2]]),
        (&[100; 3], "TOP 1 1\r\nRETR 2\r\nTOP 3 9\r\nRETR 1\r\n", &[&[0, 2]]),
    ];
    for (lens, commands, expected) in cases {
        let alone = one_by_one(lens, commands);
        let shared = messages(lens);
        let client = Client::logged_in_to(config(), &shared);
        assert!(client.say(commands) == alone, "{commands}");
        assert_eq!(shared.borrow().read_together, expected, "{commands}");
        // Answers that come later are the same.
        let shared = messages(lens);
        shared.borrow_mut().later = vec!["read", "read_many"];
        let client = Client::logged_in_to(config(), &shared);
        let mut answers = client.say(commands);
        while shared.borrow().open.iter().any(sinew_transports::reactor::Promise::is_awaited) {
            client.settle(Ok(()));
            answers += &client.received();
        }
        assert!(answers == alone, "{commands}, later");
    }
}

#[test]
fn every_split_gives_the_same() {
    let (lens, commands) = ([100, 200, 70_000, 50], retrieve([1, 2, 3, 4, 1]) + "NOOP\r\n");
    let alone = one_by_one(&lens, &commands);
    for at in 0..commands.len() {
        let client = Client::logged_in_to(config(), &messages(&lens));
        let (front, back) = commands.split_at(at);
        assert!(client.say(front) + &client.say(back) == alone, "at {at}");
    }
}

#[test]
fn a_message_that_cannot_be_read_harms_no_other() {
    let lens = [100; 4];
    let alone = one_by_one(&lens, &retrieve(1..=4));
    for left_out in [0, 1, 3] {
        let shared = messages(&lens);
        shared.borrow_mut().left_out = Some(left_out);
        let client = Client::logged_in_to(config(), &shared);
        assert_eq!(client.say(retrieve(1..=4)), alone, "it was only not read with the others");
        assert_eq!(shared.borrow().reads, [(left_out, 0, 100)]);
        shared.borrow_mut().fails = Some(|| MaildropError::NoSuchMessage);
        let answer = client.say(retrieve(1..=4));
        let gone = "-ERR The message is not there any more\r\n";
        let (at, end) = (alone.len() / 4 * left_out, alone.len() / 4 * (left_out + 1));
        assert_eq!(answer, format!("{}{gone}{}", &alone[..at], &alone[end..]));
    }
    let shared = messages(&lens);
    shared.borrow_mut().many_fail = true;
    let client = Client::logged_in_to(config(), &shared);
    assert_eq!(client.say(retrieve(1..=4)), alone);
    assert_eq!(shared.borrow().read_together.len(), 1, "it is not asked for each message again");
}

/// Nothing is read again and again for commands that take turns.
#[test]
fn what_is_read_ahead_is_used() {
    let (lens, count) = ([500; 100], 100);
    let commands: String = (1..=count).map(|at| format!("TOP {at} 1\r\nRETR {at}\r\n")).collect();
    let shared = messages(&lens);
    let client = Client::logged_in_to(config(), &shared);
    assert!(client.say(&commands) == one_by_one(&lens, &commands));
    let mail = shared.borrow();
    let together: usize = mail.read_together.iter().map(Vec::len).sum();
    assert!(together + mail.reads.len() <= 2 * count, "{together} and {}", mail.reads.len());
}

/// A client that asks for all messages and receives none has as much read for it as one that asks for a long message.
#[test]
fn a_client_that_receives_nothing() {
    let lens = [3_000; 1_000];
    let shared = messages(&lens);
    let client = Client::logged_in_to(config(), &shared);
    client.wire.receive_if_open(retrieve(1..=1_000).as_bytes());
    for _ in 0..100 {
        client.advance(Duration::from_millis(10));
    }
    let read: usize = shared.borrow().read_together.iter().map(|read| read.len() * 3_000).sum();
    assert!((1..=512 * 1024).contains(&read), "{read} bytes were read");
    assert!(client.received() == one_by_one(&lens, &retrieve(1..=1_000)));
}

#[test]
fn a_request_is_cancelled_when_the_client_goes() {
    let shared = messages(&[100; 4]);
    shared.borrow_mut().later = vec!["read_many"];
    let client = Client::logged_in_to(config(), &shared);
    client.say(retrieve(1..=4));
    assert!(shared.borrow().open[0].is_awaited());
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert!(!shared.borrow().open[0].is_awaited());
}
