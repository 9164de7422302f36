//! How long clients may take.

use std::time::Duration;

use crate::pop3_support::{Client, LOGIN, config, mail};

const ONE: &[&str] = &["Subject: x\r\n\r\n"];

#[test]
fn a_login_takes_a_minute_at_most() {
    // Also for one that talks all the time.
    let client = Client::new(config().errors_max(usize::MAX), &mail(ONE));
    for _ in 0..11 {
        client.advance(Duration::from_secs(5));
        client.say("CAPA\r\n");
    }
    assert!(!client.is_closed());
    client.advance(Duration::from_secs(5));
    assert_eq!(client.received(), "-ERR It took too long\r\n");
    assert!(client.is_closed());
    // And for one whose maildrop does not open.
    let shared = mail(ONE);
    shared.borrow_mut().later = vec!["open"];
    let client = Client::new(config(), &shared);
    client.say(LOGIN);
    client.advance(Duration::from_secs(61));
    assert_eq!(client.received(), "-ERR It took too long\r\n");
    client.settle(Ok(()));
    assert_eq!(client.received(), "");
}

#[test]
fn a_session_may_be_idle_for_ten_minutes() {
    let client = Client::logged_in(ONE);
    for _ in 0..3 {
        client.advance(Duration::from_secs(599));
        assert_eq!(client.say("NOOP\r\n"), "+OK\r\n");
    }
    // A command that comes byte by byte has no more time.
    for byte in ["N", "O", "O"] {
        client.advance(Duration::from_secs(199));
        assert_eq!(client.say(byte), "");
    }
    client.advance(Duration::from_secs(4));
    assert_eq!(client.received(), "-ERR It took too long\r\n");
    assert!(client.is_closed());
}

#[test]
fn a_response_that_is_not_received_ends_the_session() {
    let text = format!("Subject: x\r\n\r\n{}", "x".repeat(998).repeat(5_000));
    let client = Client::logged_in_to(config(), &mail(&[&text]));
    client.wire.receive_if_open(b"RETR 1\r\n");
    client.advance(Duration::from_secs(590));
    assert!(!client.is_closed());
    client.advance(Duration::from_secs(11));
    assert!(client.is_closed());
    assert!(client.mail.borrow().reads.len() < 20, "it was not read ahead");
}

#[test]
fn a_maildrop_that_does_not_answer_ends_the_session() {
    for (later, command, response) in [
        ("read", "RETR 1\r\n", ""),
        ("finish", "QUIT\r\n", "-ERR [SYS/TEMP] The messages are not deleted yet\r\n"),
    ] {
        let shared = mail(ONE);
        shared.borrow_mut().later = vec![later];
        let client = Client::logged_in_to(config(), &shared);
        assert_eq!(client.say(command), "");
        client.advance(Duration::from_secs(3_601));
        assert_eq!(client.received(), response);
        assert!(client.is_closed());
    }
}
