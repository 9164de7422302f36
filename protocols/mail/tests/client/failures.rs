//! Servers that say nothing, or nonsense; and messages that a server cannot take.

use std::time::Duration;

use sinew_mail::smtp::client::{SmtpError, Stage};

use super::script::{Script, config, send};

const HELLO: &str = "220 mail.example\r\n";
const EHLO: (&str, &str) = ("EHLO client.example", "250 mail.example\r\n");
const MAIL: (&str, &str) = ("MAIL FROM:<ann@example.net>", "250 ok\r\n");
const RCPT: (&str, &str) = ("RCPT TO:<a@example.org>", "250 ok\r\n");
const DATA: (&str, &str) = ("DATA", "354 go on\r\n");

/// Scripts in which the server does `what` in place of each of its replies, by the stage.
fn at_each_stage(what: &'static str) -> Vec<(Stage, &'static str, Script)> {
    let script = |lines: &[(&'static str, &'static str)]| -> Script { lines.to_vec().leak() };
    vec![
        (Stage::Greeting, what, script(&[])),
        (Stage::Hello, HELLO, script(&[(EHLO.0, what)])),
        (Stage::Mail, HELLO, script(&[EHLO, (MAIL.0, what)])),
        (Stage::Recipient, HELLO, script(&[EHLO, MAIL, (RCPT.0, what)])),
        (Stage::Data, HELLO, script(&[EHLO, MAIL, RCPT, (DATA.0, what)])),
        (Stage::Message, HELLO, script(&[EHLO, MAIL, RCPT, DATA, ("(text)", what)])),
    ]
}

#[test]
fn silence_is_bounded_at_each_stage() {
    for (at, greeting, script) in at_each_stage("") {
        let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
        let SmtpError::TimedOut { stage, after } = &error else { panic!("{at}: {error}") };
        let minutes = match at {
            Stage::Data => 2,
            Stage::Message => 10,
            _ => 5,
        };
        assert_eq!((*stage, *after), (at, Duration::from_secs(60 * minutes)));
        assert_eq!(error.may_be_delivered(), at == Stage::Message);
        assert!(error.is_temporary());
    }
}

#[test]
fn half_a_reply_is_no_reply() {
    for (at, greeting, script) in at_each_stage("250-one\r\n250 two") {
        let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
        assert!(
            matches!(&error, SmtpError::TimedOut { stage, .. } if *stage == at),
            "{at}: {error}"
        );
    }
}

#[test]
fn a_connection_that_is_lost_at_each_stage() {
    for (at, greeting, script) in at_each_stage("!") {
        let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
        assert!(matches!(&error, SmtpError::Lost { stage, .. } if *stage == at), "{at}: {error}");
        assert_eq!(error.may_be_delivered(), at == Stage::Message);
    }
}

#[test]
fn nonsense_at_each_stage() {
    for nonsense in ["SSH-2.0-x\r\n", "99 x\r\n", "250-a\r\n251 b\r\n", "250 a\rb\r\n"] {
        for (at, greeting, script) in at_each_stage(nonsense) {
            let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
            assert!(
                matches!(&error, SmtpError::NotAReply { stage, .. } if *stage == at),
                "{at}: {error}"
            );
        }
    }
    let endless = "250-x\r\n".repeat(200).leak();
    for (at, greeting, script) in at_each_stage(endless) {
        let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
        assert!(
            matches!(&error, SmtpError::NotAReply { stage, .. } if *stage == at),
            "{at}: {error}"
        );
    }
    let long = format!("250 {}", "x".repeat(5_000)).leak();
    for (at, greeting, script) in at_each_stage(long) {
        let error = send(greeting, script, config(), &["a"], "x").unwrap_err();
        assert!(
            matches!(&error, SmtpError::Framing { stage, .. } if *stage == at),
            "{at}: {error}"
        );
    }
}

#[test]
fn a_server_that_does_not_want_to_talk() {
    let error = send("554 5.7.1 go away\r\n", &[], config(), &["a"], "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the mail server has replied to the connection: 554 5.7.1 go away"
    );
    assert!(!error.is_temporary());
}

#[test]
fn what_a_message_needs() {
    let script: Script = &[("EHLO client.example", "250-mail.example\r\n250 SIZE 10\r\n")];
    let error = send(HELLO, script, config(), &["a"], "a message that is too long").unwrap_err();
    assert!(matches!(error, SmtpError::TooLarge { len: 28, max: 10 }), "{error}");
    for (extension, to, message) in [
        ("8BITMIME", "a", "Subject: x\n\nä"),
        ("SMTPUTF8", "a", "Subject: ä\n\nx"),
        ("SMTPUTF8", "ä", "Subject: x\n\nx"),
    ] {
        let error = send(HELLO, &[EHLO], config(), &[to], message).unwrap_err();
        let SmtpError::Needs { extension: needed } = error else { panic!("{error}") };
        assert_eq!(needed, extension);
    }
    let error = send(HELLO, &[EHLO], config(), &[], "x").unwrap_err();
    assert!(matches!(error, SmtpError::NoRecipient), "{error}");
    let error =
        send(HELLO, &[EHLO], config().security(Default::default()), &["a"], "x").unwrap_err();
    assert!(matches!(error, SmtpError::TlsNotOffered), "{error}");
}
