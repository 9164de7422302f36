//! What is said to servers of different abilities, word by word.

use std::{future::poll_fn, task::Poll};

use sinew_mail::smtp::{
    client::{Envelope, SmtpError, Stage},
    codec::{Notify, Recipient, Return, Sender},
};

use super::script::{Script, config, envelope, outcomes, send, with_script};

const HELLO: &str = "220 mail.example\r\n";

#[test]
fn without_pipelining_each_reply_is_awaited() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 SIZE 1000\r\n"),
        ("MAIL FROM:<ann@example.net> SIZE=7", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "250 ok\r\n"),
        ("RCPT TO:<b@example.org>", "550 5.1.1 no\r\n"),
        ("RCPT TO:<c@example.org>", "450 4.2.1 later\r\n"),
        ("DATA", "354 go on\r\n"),
        ("(text)", "250 queued\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let delivery = send(HELLO, script, config(), &["a", "b", "c"], "hello\r\n").unwrap();
    assert_eq!(outcomes(&delivery), ["ok", "RCPT 550", "RCPT 450"]);
    let error = delivery.complete().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message was not accepted to b@example.org (RCPT: 550 5.1.1 no), to c@example.org (RCPT: 450 4.2.1 later)"
    );
    assert!(error.is_temporary(), "it may be sent to the third later");
}

#[test]
fn an_old_server_is_greeted_by_helo() {
    let script: Script = &[
        ("EHLO client.example", "502 what?\r\n"),
        ("HELO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "250 ok\r\n"),
        ("DATA", "354\r\n"),
        ("(text)", "250\r\n"),
        ("QUIT", "221\r\n"),
    ];
    assert!(send(HELLO, script, config(), &["a"], "x").unwrap().is_complete());
}

/// All commands come before the first reply: the script says nothing until DATA.
#[test]
fn with_pipelining_commands_do_not_wait() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<ann@example.net>", ""),
        ("RCPT TO:<a@example.org>", ""),
        ("RCPT TO:<b@example.org>", ""),
        ("DATA", "250 ok\r\n550 no\r\n251-will\r\n251 forward\r\n354 go on\r\n"),
        ("(text)", "250 queued\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let delivery = send(HELLO, script, config(), &["a", "b"], "x").unwrap();
    assert_eq!(outcomes(&delivery), ["RCPT 550", "ok"]);
}

#[test]
fn a_server_that_wants_data_without_recipients_gets_none() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<ann@example.net>", ""),
        ("RCPT TO:<a@example.org>", ""),
        ("DATA", "250 ok\r\n550 no\r\n354 go on\r\n"),
        (".", "554 no valid recipients\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let delivery = send(HELLO, script, config(), &["a"], "secret").unwrap();
    assert_eq!(outcomes(&delivery), ["RCPT 550"]);
}

#[test]
fn a_refusal_of_one_step_is_that_of_all_recipients() {
    const EHLO: (&str, &str) = ("EHLO client.example", "250 mail.example\r\n");
    const MAIL: (&str, &str) = ("MAIL FROM:<ann@example.net>", "250 ok\r\n");
    const A: (&str, &str) = ("RCPT TO:<a@example.org>", "250 ok\r\n");
    const B: (&str, &str) = ("RCPT TO:<b@example.org>", "250 ok\r\n");
    const QUIT: (&str, &str) = ("QUIT", "221 bye\r\n");
    let scripts: [(Script, &str); 4] = [
        (&[EHLO, ("MAIL FROM:<ann@example.net>", "550 5.7.1 no\r\n"), QUIT], "MAIL 550"),
        (&[EHLO, MAIL, A, B, ("DATA", "451 not now\r\n"), QUIT], "DATA 451"),
        (
            &[EHLO, MAIL, A, B, ("DATA", "354 go on\r\n"), ("(text)", "554 spam\r\n"), QUIT],
            "the message 554",
        ),
        // That is no acceptance.
        (
            &[EHLO, MAIL, A, B, ("DATA", "354 go on\r\n"), ("(text)", "354 what?\r\n"), QUIT],
            "the message 354",
        ),
    ];
    for (script, expected) in scripts {
        let delivery = send(HELLO, script, config(), &["a", "b"], "x").unwrap();
        assert_eq!(outcomes(&delivery), [expected, expected]);
    }
}

#[test]
fn pipelined_commands_behind_a_refused_sender() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<ann@example.net>", "550 no\r\n"),
        ("RCPT TO:<a@example.org>", "503 no\r\n"),
        ("DATA", "503 no\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    assert_eq!(outcomes(&send(HELLO, script, config(), &["a"], "x").unwrap()), ["MAIL 550"]);
}

#[test]
fn a_message_that_was_not_finished_is_reset() {
    let script: Script = &[
        ("EHLO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "550 no\r\n"),
        ("RSET", "250 ok\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "250 ok\r\n"),
        ("DATA", "354 go on\r\n"),
        ("(text)", "250 ok\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "250 ok\r\n"),
        ("DATA", "354 go on\r\n"),
        ("(text)", "250 ok\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let sent = with_script(HELLO, script, config(), |mut client| async move {
        let envelope = envelope(&["a"]);
        let mut complete = Vec::new();
        for _ in 0..3 {
            complete.push(client.send(&envelope, "x").await?.is_complete());
        }
        client.quit().await;
        Ok(complete)
    });
    assert_eq!(sent.unwrap(), [false, true, true]);
}

#[test]
fn a_server_that_closes_the_channel() {
    let script: Script = &[
        ("EHLO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "421 4.3.2 shutting down\r\n!"),
    ];
    let error = send(HELLO, script, config(), &["a"], "x").unwrap_err();
    assert!(
        matches!(&error, SmtpError::Refused { stage: Stage::Mail, reply } if reply.code() == 421)
    );
    assert!(error.is_temporary() && !error.may_be_delivered());
}

#[test]
fn lmtp_has_a_reply_for_each_accepted_recipient() {
    let script: Script = &[
        ("LHLO client.example", "250-mail.example\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<ann@example.net>", ""),
        ("RCPT TO:<a@example.org>", ""),
        ("RCPT TO:<b@example.org>", ""),
        ("RCPT TO:<c@example.org>", ""),
        ("DATA", "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go on\r\n"),
        ("(text)", "452 4.2.2 full\r\n250 ok\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let delivery = send(HELLO, script, config().lmtp(true), &["a", "b", "c"], "x").unwrap();
    assert_eq!(outcomes(&delivery), ["the message 452", "RCPT 550", "ok"]);
}

#[test]
fn reports_are_asked_for_where_that_is_possible() {
    const QUIET: Script = &[
        ("EHLO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "550 no\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    const REPORTING: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 DSN\r\n"),
        ("MAIL FROM:<ann@example.net> RET=HDRS ENVID=4711", "250 ok\r\n"),
        ("RCPT TO:<a@example.org> NOTIFY=NEVER", "550 no\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    for script in [QUIET, REPORTING] {
        let sent = with_script(HELLO, script, config(), |mut client| async move {
            let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
            let sender = sender.with_return(Return::Headers).with_envelope_id("4711");
            let to = Recipient::new("a@example.org".parse().unwrap()).with_notify(Notify::NEVER);
            let envelope = Envelope::new(None, []).with_sender(sender).with_recipient(to);
            let delivery = client.send(&envelope, "x").await?;
            client.quit().await;
            Ok(delivery)
        });
        assert_eq!(outcomes(&sent.unwrap()), ["RCPT 550"]);
    }
}

#[test]
fn a_client_whose_message_was_not_sent_is_of_no_more_use() {
    let script: Script = &[
        ("EHLO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "250 ok\r\n"),
        ("RCPT TO:<a@example.org>", "250 ok\r\n"),
        ("DATA", ""),
    ];
    let given_up = with_script(HELLO, script, config(), |mut client| async move {
        let envelope = envelope(&["a"]);
        let mut first = Box::pin(client.send(&envelope, "x"));
        let is_open = poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending()));
        assert!(is_open.await, "MAIL was sent");
        drop(first);
        let second = client.send(&envelope, "x").await;
        client.quit().await;
        second
    });
    let failed = with_script(HELLO, script, config(), |mut client| async move {
        let envelope = envelope(&["a"]);
        let first = client.send(&envelope, "x").await;
        assert!(matches!(first, Err(SmtpError::TimedOut { stage: Stage::Data, .. })));
        let second = client.send(&envelope, "x").await;
        client.quit().await;
        second
    });
    for second in [given_up, failed] {
        assert!(matches!(second, Err(SmtpError::Unusable)), "{second:?}");
    }
}

#[test]
fn a_message_that_cannot_be_sent_leaves_the_client_usable() {
    let script: Script = &[
        ("EHLO client.example", "250 mail.example\r\n"),
        ("MAIL FROM:<ann@example.net>", "550 no\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let sent = with_script(HELLO, script, config(), |mut client| async move {
        assert!(matches!(client.send(&envelope(&[]), "x").await, Err(SmtpError::NoRecipient)));
        let needs = client.send(&envelope(&["a"]), "ä").await;
        assert!(matches!(needs, Err(SmtpError::Needs { .. })));
        let delivery = client.send(&envelope(&["a"]), "x").await?;
        client.quit().await;
        Ok(delivery)
    });
    assert_eq!(outcomes(&sent.unwrap()), ["MAIL 550"]);
}

#[test]
fn what_is_decided_stands_when_the_server_fails() {
    const EHLO: (&str, &str) = ("EHLO client.example", "250-mail.example\r\n250 PIPELINING\r\n");
    const LHLO: (&str, &str) = ("LHLO client.example", "250 mail.example\r\n");
    const MAIL: (&str, &str) = ("MAIL FROM:<ann@example.net>", "250 ok\r\n");
    const A: (&str, &str) = ("RCPT TO:<a@example.org>", "250 ok\r\n");
    const B: (&str, &str) = ("RCPT TO:<b@example.org>", "250 ok\r\n");
    const DATA: (&str, &str) = ("DATA", "354 go on\r\n");
    let scripts: [(bool, Script, [&str; 2]); 8] = [
        (
            false,
            &[EHLO, ("MAIL FROM:<ann@example.net>", "550 no\r\n421 too many errors\r\n!")],
            ["MAIL 550", "MAIL 550"],
        ),
        (false, &[EHLO, ("MAIL FROM:<ann@example.net>", "550 no\r\n!")], ["MAIL 550", "MAIL 550"]),
        (
            false,
            &[
                EHLO,
                MAIL,
                ("RCPT TO:<a@example.org>", "550 no\r\n"),
                ("RCPT TO:<b@example.org>", "551 no\r\n"),
                ("DATA", "421 too many errors\r\n!"),
            ],
            ["RCPT 550", "RCPT 551"],
        ),
        (true, &[LHLO, MAIL, A, B, DATA, ("(text)", "250 ok\r\n!")], ["ok", "the message 451"]),
        (true, &[LHLO, MAIL, A, B, DATA, ("(text)", "250 ok\r\n")], ["ok", "the message 451"]),
        (
            true,
            &[LHLO, MAIL, A, B, DATA, ("(text)", "250 ok\r\n421 bye\r\n!")],
            ["ok", "the message 421"],
        ),
        (
            true,
            &[LHLO, MAIL, A, B, DATA, ("(text)", "421 bye\r\n!")],
            ["the message 421", "the message 421"],
        ),
        (
            true,
            &[LHLO, MAIL, A, B, DATA, ("(text)", "421 bye\r\n250 ok\r\n!")],
            ["the message 421", "ok"],
        ),
    ];
    for (is_lmtp, script, expected) in scripts {
        let sent = with_script(HELLO, script, config().lmtp(is_lmtp), |mut client| async move {
            let delivery = client.send(&envelope(&["a", "b"]), "x").await?;
            let second = client.send(&envelope(&["a"]), "x").await;
            assert!(matches!(second, Err(SmtpError::Unusable)), "{second:?}");
            Ok(delivery)
        });
        assert_eq!(outcomes(&sent.unwrap()), expected, "{script:?}");
    }
}
