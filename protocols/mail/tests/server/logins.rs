//! AUTH: what is offered, what is replied, and when it is enough.

use std::time::Duration;

use sinew_auth::{Authenticator, AuthenticatorConfig, Mechanism, Users};
use sinew_mail::smtp::server::ServerConfig;

use crate::support::{Client, codes, config};

/// `\0ann\0secret`, and with another password.
const RIGHT: &str = "AGFubgBzZWNyZXQ=";
const WRONG: &str = "AGFubgB3cm9uZw==";

/// A server of one user, over connections that are not encrypted.
fn plain() -> ServerConfig {
    let users = AuthenticatorConfig::default().allow_plaintext(true);
    let users = users.mechanisms([Mechanism::Plain, Mechanism::Login]);
    config().auth(Authenticator::with(Users::new().user("ann", "secret"), users))
}

fn client(config: ServerConfig) -> Client {
    let client = Client::new(config);
    client.received();
    client.say("EHLO a\r\n");
    client
}

/// What is replied, also if a failure is replied to late.
fn late(client: &Client, line: &str) -> Vec<u16> {
    let mut replies = client.say(line);
    client.advance(Duration::from_secs(60));
    replies += &client.received();
    codes(&replies)
}

#[test]
fn a_login_in_one_line() {
    let client = Client::new(plain().auth_required(true));
    client.received();
    let hello = client.say("EHLO a\r\n");
    assert!(hello.contains("250 AUTH PLAIN LOGIN\r\n"), "{hello}");
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [530]);
    assert_eq!(client.codes(format!("AUTH PLAIN {RIGHT}\r\n")), [235]);
    assert_eq!(client.codes("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n"), [250, 250, 354]);
    assert_eq!(client.codes(".\r\n"), [250]);
    // Once is enough, and it is not offered again.
    assert_eq!(client.codes(format!("AUTH PLAIN {RIGHT}\r\n")), [503]);
    assert!(!client.say("EHLO a\r\n").contains("AUTH"));
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [250], "EHLO does not log out");
}

#[test]
fn a_login_in_several_lines() {
    let client = client(plain());
    assert_eq!(client.say("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
    assert_eq!(client.say("YW5u\r\n"), "334 UGFzc3dvcmQ6\r\n");
    assert_eq!(client.codes("c2VjcmV0\r\nNOOP\r\n"), [235, 250]);
    let client = self::client(plain());
    assert_eq!(client.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(client.codes(format!("{RIGHT}\r\n")), [235]);
}

#[test]
fn what_is_no_login() {
    for (lines, code) in [
        ("AUTH NTLM\r\n", 504),
        ("AUTH PLAIN x\r\n", 501),
        ("AUTH PLAIN =\r\n", 501),
        ("AUTH LOGIN\r\n*\r\n", 501),
        ("AUTH LOGIN\r\nQUIT\r\n", 501),
    ] {
        let client = client(plain());
        assert_eq!(late(&client, lines).last(), Some(&code), "{lines:?}");
        assert_eq!(client.codes(format!("AUTH PLAIN {RIGHT}\r\n")), [235], "after {lines:?}");
    }
}

#[test]
fn three_failures_are_enough() {
    let client = client(plain());
    let line = format!("AUTH PLAIN {WRONG}\r\n");
    assert_eq!(late(&client, &line), [535]);
    assert_eq!(late(&client, "AUTH LOGIN\r\n*\r\n"), [334, 501]);
    assert_eq!(late(&client, &line), [421]);
    assert!(client.is_closed());
}

#[test]
fn no_password_is_asked_for_in_plaintext() {
    let client = Client::new(config().auth(Users::new().user("ann", "secret")));
    client.received();
    let hello = client.say("EHLO a\r\n");
    assert!(hello.contains("AUTH SCRAM-SHA-256 SCRAM-SHA-1\r\n"), "{hello}");
    assert_eq!(client.codes(format!("AUTH PLAIN {RIGHT}\r\nAUTH LOGIN\r\n")), [538, 538]);
}

#[test]
fn a_login_has_its_place() {
    let client = Client::new(plain());
    client.received();
    let login = format!("AUTH PLAIN {RIGHT}\r\n");
    assert_eq!(client.codes(&login), [503], "before EHLO");
    assert_eq!(client.codes(format!("HELO a\r\n{login}")), [250, 503], "after HELO");
    assert_eq!(client.codes(format!("EHLO a\r\nMAIL FROM:<>\r\n{login}")), [250, 250, 503]);
    let client = self::client(config());
    assert_eq!(client.codes(login), [502], "not offered");
}

#[test]
fn responses_may_be_longer_than_commands() {
    let client = client(plain().line_max(100));
    assert_eq!(client.codes("AUTH PLAIN\r\n"), [334]);
    let long = format!("{}\r\n", "A".repeat(12_288));
    assert_eq!(late(&client, &long), [500], "longer than the authenticator takes");
    assert_eq!(client.codes("AUTH PLAIN\r\n"), [334]);
    let too_long = format!("{}\r\nNOOP\r\n", "A".repeat(12_289));
    assert_eq!(late(&client, &too_long), [500, 250], "longer than a line");
}
