//! What a client may do to no end: in a turn of the loop, and in all.

use std::time::Duration;

use sinew_auth::{Authenticator, AuthenticatorConfig, Mechanism, Users};
use sinew_mail::smtp::server::ServerConfig;

use crate::support::{Client, codes, config};

/// Commands of one turn.
const SHARE: usize = 32;

fn client(config: ServerConfig) -> Client {
    let client = Client::new(config);
    client.received();
    assert_eq!(client.codes("EHLO a\r\n"), [250]);
    client
}

/// Says lines, and returns the codes that were replied and how often each was, in their order.
fn counted(client: &Client, lines: &str) -> Vec<(u16, usize)> {
    let mut counts: Vec<(u16, usize)> = Vec::new();
    for code in client.codes(lines) {
        match counts.last_mut().filter(|(last, _)| *last == code) {
            Some((_, count)) => *count += 1,
            None => counts.push((code, 1)),
        }
    }
    counts
}

/// Others have their turn however much a client pipelines, and it is not forgotten.
#[test]
fn commands_of_a_turn_are_bounded() {
    const COMMANDS: usize = 1_000;
    for command in ["HELP", "NOOP", "EHLO a", "RSET", "VRFY a", "DATA", "HALLO"] {
        let client = client(config().idle_commands_max(usize::MAX).errors_max(usize::MAX));
        client.wire.receive(format!("{command}\r\n").repeat(COMMANDS).as_bytes());
        let mut replied = 0;
        while replied < COMMANDS {
            client.reactor.turn(Some(Duration::ZERO)).expect("it turns");
            let replies = String::from_utf8(client.wire.take(usize::MAX)).expect("text");
            let in_turn = codes(&replies).len();
            assert!((1..=SHARE).contains(&in_turn), "{in_turn} times {command} in one turn");
            replied += in_turn;
        }
        assert_eq!(client.codes("QUIT\r\n"), [221], "{command}");
    }
}

/// A client that looks for addresses learns of few.
#[test]
fn refused_recipients_are_bounded() {
    let client = client(config());
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [250]);
    let harvest = "RCPT TO:<no@example.org>\r\n".repeat(1_000);
    assert_eq!(counted(&client, &harvest), [(550, 20), (421, 1)]);
    assert!(client.is_closed());
}

#[test]
fn refused_senders_and_addresses_without_smtputf8_are_counted_too() {
    let client = client(config().refusals_max(3));
    let senders = "MAIL FROM:<x@spam.example>\r\nMAIL FROM:<é@b.c>\r\n";
    assert_eq!(client.codes(senders), [550, 553]);
    let more = "MAIL FROM:<>\r\nRCPT TO:<é@b.c>\r\nRCPT TO:<no@b.c>\r\n";
    assert_eq!(client.codes(more), [250, 553, 421]);
}

#[test]
fn what_is_refused_for_now_is_not_counted() {
    let client = client(config().recipients_max(1));
    assert_eq!(client.codes("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n"), [250, 250]);
    assert_eq!(counted(&client, &"RCPT TO:<b@b.c>\r\n".repeat(1_000)), [(452, 1_000)]);
    // But not without end.
    assert_eq!(counted(&client, &"RCPT TO:<b@b.c>\r\n".repeat(100)), [(452, 10), (421, 1)]);
    let client = self::client(config());
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [250]);
    assert_eq!(counted(&client, &"RCPT TO:<later@b.c>\r\n".repeat(100)), [(451, 100)]);
}

#[test]
fn who_has_logged_in_may_have_old_addresses() {
    let users = AuthenticatorConfig::default().allow_plaintext(true);
    let users = users.mechanisms([Mechanism::Plain]);
    let auth = Authenticator::with(Users::new().user("ann", "secret"), users);
    let client = client(config().auth(auth));
    let login = "AUTH PLAIN AGFubgBzZWNyZXQ=\r\nMAIL FROM:<>\r\n";
    assert_eq!(client.codes(login), [235, 250]);
    assert_eq!(counted(&client, &"RCPT TO:<no@b.c>\r\n".repeat(100)), [(550, 100)]);
    // A server that passes on what it has accepted.
    let client = Client::new(config().lmtp(true));
    client.received();
    assert_eq!(client.codes("LHLO a\r\nMAIL FROM:<>\r\n"), [250, 250]);
    assert_eq!(counted(&client, &"RCPT TO:<no@b.c>\r\n".repeat(100)), [(550, 100)]);
}

#[test]
fn commands_without_a_message_are_bounded() {
    for command in ["HELP", "NOOP", "EHLO a", "HELO a", "RSET", "VRFY a"] {
        let client = client(config());
        let replies = client.codes(format!("{command}\r\n").repeat(1_000));
        assert_eq!((replies.len(), replies.last()), (100, Some(&421)), "{command}");
        assert!(client.is_closed());
    }
    let client = client(config().idle_commands_max(10));
    let given_up = "MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRSET\r\n".repeat(20);
    let replies = client.codes(given_up);
    assert_eq!((replies.len(), replies.last()), (30, Some(&421)));
}

/// A connection may be used for ever by one that sends mail.
#[test]
fn a_message_begins_the_counts_anew() {
    let client = client(config().idle_commands_max(3).refusals_max(2));
    for _ in 0..10 {
        let some = "NOOP\r\nMAIL FROM:<>\r\nRCPT TO:<no@b.c>\r\nRCPT TO:<no@b.c>\r\n";
        assert_eq!(client.codes(some), [250, 250, 550, 550]);
        assert_eq!(client.codes("RCPT TO:<a@b.c>\r\nBDAT 3 LAST\r\nx\r\n"), [250, 250]);
        assert_eq!(client.codes("RSET\r\n"), [250]);
    }
}
