//! The login: USER and PASS, APOP, AUTH; what is offered, and what is said if it fails.

use std::time::Duration;

use sinew_auth::{Authenticator, Users};
use sinew_mail::pop3::{
    codec::Timestamp,
    server::{MaildropError, ServerConfig},
};
use sinew_transports::reactor::Reactor;

use crate::pop3_support::{Client, LOGIN, config, mail, server};

const ONE: &[&str] = &["Subject: x\r\n\r\n"];

#[test]
fn a_login_by_auth() {
    let client = Client::new(config(), &mail(ONE));
    assert_eq!(
        client.say("AUTH PLAIN AGFubgBzZWNyZXQ=\r\nSTAT\r\n"),
        "+OK 1 messages (14 octets)\r\n+OK 1 14\r\n"
    );
    let client = Client::new(config(), &mail(ONE));
    assert_eq!(client.say("AUTH LOGIN\r\n"), "+ VXNlcm5hbWU6\r\n");
    assert_eq!(client.say("YW5u\r\n"), "+ UGFzc3dvcmQ6\r\n");
    assert_eq!(client.say("c2VjcmV0\r\n"), "+OK 1 messages (14 octets)\r\n");
    let client = Client::new(config(), &mail(ONE));
    assert_eq!(client.say("AUTH PLAIN\r\n"), "+ \r\n");
    assert!(client.say("AGFubgBzZWNyZXQ=\r\n").starts_with("+OK"));
    assert!(Client::new(config(), &mail(ONE)).say("AUTH\r\n").contains("\r\nPLAIN\r\n"));
}

#[test]
fn logins_that_fail_say_why() {
    for (login, expected) in [
        ("USER ann\r\nPASS wrong\r\n", "-ERR [AUTH] The credentials are wrong\r\n"),
        ("USER nobody\r\nPASS secret\r\n", "-ERR [AUTH] The credentials are wrong\r\n"),
        ("USER ann\r\nPASS secret \r\n", "-ERR [AUTH] The credentials are wrong\r\n"),
        ("PASS secret\r\n", "-ERR Say USER first\r\n"),
        ("AUTH NTLM\r\n", "-ERR There is no such mechanism\r\n"),
        ("AUTH PLAIN AGFubgB3cm9uZw==\r\n", "-ERR [AUTH] The credentials are wrong\r\n"),
        ("AUTH PLAIN x\r\n", "-ERR That is no response\r\n"),
        ("AUTH LOGIN\r\n*\r\n", "-ERR The login was given up\r\n"),
        // A maildrop that is not there.
        ("USER bob\r\nPASS hunter2\r\n", "-ERR [SYS/PERM] The maildrop cannot be used\r\n"),
    ] {
        let client = Client::new(config(), &mail(ONE));
        let response = client.say(login);
        assert!(response.ends_with(expected), "{login:?}: {response}");
        let again = client.say(LOGIN);
        assert!(again.ends_with("+OK 1 messages (14 octets)\r\n"), "after {login:?}: {again}");
    }
}

#[test]
fn three_failures_are_enough() {
    let client = Client::new(config(), &mail(ONE));
    for _ in 0..2 {
        client.say("USER ann\r\nPASS wrong\r\n");
        assert!(!client.is_closed());
    }
    assert!(
        client
            .say("USER ann\r\nPASS wrong\r\n")
            .ends_with("-ERR [AUTH] The credentials are wrong\r\n")
    );
    assert!(client.is_closed());
}

/// By the limiter of the authenticator.
#[test]
fn failures_are_answered_late() {
    let users = sinew_auth::AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), users);
    let client = Client::new(ServerConfig::new("mail.example", users).unwrap(), &mail(ONE));
    assert_eq!(client.say("USER ann\r\nPASS wrong\r\n"), "+OK Say PASS\r\n");
    client.advance(Duration::from_millis(900));
    assert_eq!(client.received(), "");
    client.advance(Duration::from_millis(200));
    assert!(client.received().starts_with("-ERR [AUTH]"));
}

#[test]
fn no_password_is_taken_in_plaintext() {
    let users = Users::new().user("ann", "secret");
    let client = Client::new(ServerConfig::new("mail.example", users).unwrap(), &mail(ONE));
    let capabilities = client.say("CAPA\r\n");
    assert!(
        !capabilities.contains("\r\nUSER\r\n") && !capabilities.contains("PLAIN"),
        "{capabilities}"
    );
    assert!(capabilities.contains("SASL SCRAM-SHA-256"), "{capabilities}");
    let refused = "-ERR No password is taken without TLS\r\n";
    // The client need not send it to be told.
    assert_eq!(client.say("USER ann\r\n"), refused);
    assert_eq!(client.say("PASS secret\r\n"), "-ERR Say USER first\r\n");
    assert_eq!(client.say("AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"), refused);
    // Nothing at all, if TLS is required.
    let client = Client::new(config().tls_required(true).apop(true), &mail(ONE));
    let capabilities = client.say("CAPA\r\n");
    assert!(!capabilities.contains("SASL") && !capabilities.contains("\r\nUSER\r\n"));
    assert!(client.say(LOGIN).starts_with(refused));
    for line in ["AUTH", "AUTH SCRAM-SHA-256", "APOP ann c4c9334bac560ecc979e58001b3e22fb"] {
        assert_eq!(client.say(format!("{line}\r\n")), "-ERR Say STLS first\r\n", "{line}");
    }
}

#[test]
fn apop_where_it_is_switched_on() {
    let greeting = |config| {
        let server = server(config, &mail(ONE));
        let reactor = Reactor::simulated(0);
        let made =
            sinew_transports::memory::connect(&reactor, Default::default(), server.connection());
        let (connection, wire) = made.unwrap();
        reactor.advance(Duration::ZERO).unwrap();
        let greeting = String::from_utf8(wire.take(usize::MAX)).unwrap();
        (reactor, connection, wire, Timestamp::find(&greeting))
    };
    assert_eq!(greeting(config()).3, None, "by default");
    let (reactor, _connection, wire, timestamp) = greeting(config().apop(true));
    let timestamp = timestamp.unwrap();
    assert_ne!(greeting(config().apop(true)).3.as_ref(), Some(&timestamp), "no two are the same");
    let say = |line: String| {
        wire.receive_if_open(line.as_bytes());
        reactor.advance(Duration::ZERO).unwrap();
        String::from_utf8(wire.take(usize::MAX)).unwrap()
    };
    let wrong = timestamp.digest(b"wrong");
    assert_eq!(say(format!("APOP ann {wrong}\r\n")), "-ERR [AUTH] The credentials are wrong\r\n");
    let unknown = timestamp.digest(b"no user has this password");
    assert_eq!(
        say(format!("APOP nobody {unknown}\r\n")),
        "-ERR [AUTH] The credentials are wrong\r\n"
    );
    let right = timestamp.digest(b"secret").to_uppercase();
    assert_eq!(say(format!("APOP ann {right}\r\n")), "+OK 1 messages (14 octets)\r\n");
}

#[test]
fn two_sessions_one_mailbox() {
    let shared = mail(ONE);
    shared.borrow_mut().boxes.insert("bob".to_owned(), Vec::new());
    let (reactor, server) = (Reactor::simulated(0), server(config(), &shared));
    let first = Client::on(&reactor, &server, &shared);
    let second = Client::on(&reactor, &server.clone(), &shared);
    assert!(first.say(LOGIN).ends_with("octets)\r\n"));
    let in_use = "+OK Say PASS\r\n-ERR [IN-USE] Another session has the maildrop\r\n";
    assert_eq!(second.say(LOGIN), in_use);
    assert!(second.say("USER bob\r\nPASS hunter2\r\n").ends_with("+OK 0 messages (0 octets)\r\n"));
    // Free at the end of the session, however it ends.
    for (nth, end) in ["QUIT\r\n", "NOOP\n", ""].into_iter().enumerate() {
        let session = if nth == 0 { &first } else { &Client::on(&reactor, &server, &shared) };
        if nth > 0 {
            assert!(session.say(LOGIN).ends_with("octets)\r\n"), "before {end:?}");
            assert_eq!(Client::on(&reactor, &server, &shared).say(LOGIN), in_use);
        }
        session.say(end);
        if end.is_empty() {
            session.wire.reset();
            session.advance(Duration::ZERO);
        }
    }
    assert!(Client::on(&reactor, &server, &shared).say(LOGIN).ends_with("octets)\r\n"));
}

/// A maildrop is locked until the messages are deleted, and while it is being opened.
#[test]
fn a_maildrop_is_locked_while_it_is_opened_and_changed() {
    let shared = mail(ONE);
    shared.borrow_mut().later = vec!["open", "finish"];
    let (reactor, server) = (Reactor::simulated(0), server(config(), &shared));
    let first = Client::on(&reactor, &server, &shared);
    let locked = || Client::on(&reactor, &server, &shared).say(LOGIN).contains("[IN-USE]");
    first.say(LOGIN);
    assert!(locked());
    first.settle(Ok(()));
    first.say("DELE 1\r\nQUIT\r\n");
    first.wire.reset();
    first.advance(Duration::ZERO);
    assert!(locked(), "the client has gone, and the deletion goes on");
    first.settle(Ok(()));
    assert!(!locked());
}

#[test]
fn maildrops_that_cannot_be_opened() {
    type Make = fn() -> MaildropError;
    let errors: [(Make, &str); 5] = [
        (|| MaildropError::InUse, "-ERR [IN-USE] Another session has the maildrop\r\n"),
        (
            || MaildropError::LoginTooSoon,
            "-ERR [LOGIN-DELAY] The last login was too short a time ago\r\n",
        ),
        (
            || MaildropError::Temporary("disk".into()),
            "-ERR [SYS/TEMP] The maildrop cannot be used now\r\n",
        ),
        (
            || MaildropError::Permanent("disk".into()),
            "-ERR [SYS/PERM] The maildrop cannot be used\r\n",
        ),
        (|| MaildropError::NoSuchMessage, "-ERR The message is not there any more\r\n"),
    ];
    for (error, expected) in errors {
        let shared = mail(ONE);
        shared.borrow_mut().later = vec!["open"];
        let client = Client::new(config(), &shared);
        client.say(LOGIN);
        client.settle(Err(error()));
        assert_eq!(client.received(), expected);
    }
}
