//! The client and the server with each other.

use std::{cell::RefCell, rc::Rc};

use sinew_mail::smtp::{
    client::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError},
    codec::Reply,
    server::{Outcome, ServerConfig},
};
use sinew_testkit::testing::task_test;
use sinew_transports::endpoint::{ClientEndpoint, ServerEndpoint};

use super::script::{config, envelope, outcomes};
use crate::support::{self, Mail, Notes, Shared};

/// Sends a message from a client to a server, and returns what the server has.
fn send(
    server: ServerConfig,
    notes: Notes,
    client: ClientConfig,
    envelope: Envelope,
    message: impl Into<Vec<u8>>,
) -> (Result<Delivery, SmtpError>, Vec<Mail>) {
    crate::watchdog::watch_this_test();
    let message = message.into();
    task_test(move |reactor| async move {
        let notes: Shared = Rc::new(RefCell::new(notes));
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let port = at.listen(&reactor, support::server(server, &notes)).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let sending = async {
            let mut client = SmtpClient::connect(&reactor, to, client).await?;
            let delivery = client.send(&envelope, message).await?;
            client.quit().await;
            Ok(delivery)
        };
        let delivery = sending.await;
        port.stop_listening();
        let mails = notes.borrow().mails.clone();
        (delivery, mails)
    })
}

#[test]
fn one_recipient_refused_of_three() {
    let to = envelope(&["bob", "nobody", "later"]);
    for chunking in [false, true] {
        let client = config().chunking(chunking);
        let (delivery, mails) =
            send(support::config(), Notes::default(), client, to.clone(), "hello\n");
        assert_eq!(outcomes(&delivery.unwrap()), ["ok", "RCPT 550", "RCPT 451"]);
        let [mail] = &mails[..] else { panic!("one mail") };
        assert_eq!(
            (&mail.to[..], mail.text.as_str()),
            (&["bob@example.org".to_owned()][..], "hello\r\n")
        );
    }
}

#[test]
fn no_text_ends_a_message_early() {
    for text in
        ["\n.\nMAIL FROM:<>\n", "\r\n.\r\nQUIT\r\n", "\r.\rRSET\r", ".", "..\n.", "\r\r\n.\r\n\n"]
    {
        for chunking in [false, true] {
            let client = config().chunking(chunking);
            let (delivery, mails) =
                send(support::config(), Notes::default(), client, envelope(&["a"]), text);
            assert!(delivery.unwrap().is_complete());
            let expected = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
            let expected = if expected.ends_with("\r\n") { expected } else { expected + "\r\n" };
            assert_eq!(
                mails.iter().map(|mail| mail.text.as_str()).collect::<Vec<_>>(),
                [expected],
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_large_message_and_many_recipients() {
    let names: Vec<_> = (0..250).map(|n| format!("user{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let message: String =
        (0..50_000).map(|n| format!("{}line {n}\n", if n % 7 == 0 { "." } else { "" })).collect();
    for chunking in [false, true] {
        let server = support::config().recipients_max(1_000);
        let (delivery, mails) = send(
            server,
            Notes::default(),
            config().chunking(chunking),
            envelope(&names),
            message.clone(),
        );
        assert!(delivery.unwrap().is_complete());
        assert_eq!(mails[0].to.len(), 250);
        assert!(mails[0].text == message.replace('\n', "\r\n"));
    }
}

#[test]
fn other_scripts() {
    let to = Envelope::new(
        Some("änne@example.net".parse().unwrap()),
        ["bob@bücher.example".parse().unwrap()],
    );
    let (delivery, mails) =
        send(support::config(), Notes::default(), config(), to, "Subject: ä\n\nö\n");
    assert!(delivery.unwrap().is_complete());
    assert_eq!(
        (mails[0].from.as_str(), mails[0].text.as_str()),
        ("änne@example.net", "Subject: ä\r\n\r\nö\r\n")
    );
}

#[test]
fn lmtp() {
    let outcome = Outcome::Each(vec![Reply::ok(), Reply::new(452, "4.2.2 full").unwrap()]);
    for chunking in [false, true] {
        let notes = Notes { outcome: Some(outcome.clone()), ..Notes::default() };
        let client = config().lmtp(true).chunking(chunking);
        let to = envelope(&["a", "nobody", "b"]);
        let (delivery, _) = send(support::config().lmtp(true), notes, client, to, "x");
        assert_eq!(outcomes(&delivery.unwrap()), ["ok", "RCPT 550", "the message 452"]);
    }
}

#[test]
fn too_large_for_the_server() {
    let (delivery, _) = send(
        support::config().size_max(10),
        Notes::default(),
        config(),
        envelope(&["a"]),
        "0123456789",
    );
    assert!(matches!(delivery, Err(SmtpError::TooLarge { len: 12, max: 10 })));
}

#[test]
fn the_server_disconnects_a_client_at_a_recipient() {
    let (delivery, mails) =
        send(support::config(), Notes::default(), config(), envelope(&["a", "away"]), "x");
    assert!(matches!(delivery, Err(SmtpError::Refused { reply, .. }) if reply.code() == 421));
    assert!(mails.is_empty());
}
