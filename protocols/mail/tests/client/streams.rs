//! Messages that are read as they are sent. One that is not what its source said is not sent to its end.

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use sinew_mail::smtp::{
    client::{MessageSource, SmtpClient, SmtpError},
    codec::MessageFacts,
};
use sinew_testkit::{sim::Network, testing::task_test_on};
use sinew_transports::{Bytes, ReactorTcp};

use super::script::{config, envelope};
use crate::support::{self, Notes, Shared};

/// Pieces, of which one may be a failure.
struct Pieces {
    facts: MessageFacts,
    rest: std::vec::IntoIter<Option<&'static str>>,
}

impl MessageSource for Pieces {
    fn facts(&self) -> MessageFacts {
        self.facts
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.rest.next() {
            Some(None) => Err(io::Error::other("the disk is gone")),
            piece => Ok(piece.flatten().map(Bytes::from)),
        }
    }
}

/// Sends the pieces, after `said` was said of them; returns what the server has.
fn send(
    said: &str,
    pieces: &[Option<&'static str>],
    chunks: bool,
) -> (Result<bool, SmtpError>, Vec<String>) {
    crate::watchdog::watch_this_test();
    let network = Network::new(0);
    let notes: Shared = Rc::new(RefCell::new(Notes::default()));
    let (server, client) = (network.host("server"), network.host("client"));
    let of_server = Rc::clone(&notes);
    server.boot(move |reactor| {
        let server = support::server(support::config(), &of_server);
        assert!(reactor.listen_tcp("0.0.0.0:25", server).is_ok());
    });
    network.run_for(Duration::ZERO).unwrap();
    let mut facts = MessageFacts::default();
    facts.feed(said.as_bytes());
    let mut message = Pieces { facts, rest: Vec::from(pieces).into_iter() };
    let result = task_test_on(&network, &client, move |reactor| async move {
        let config = config().chunking(chunks);
        let mut client = SmtpClient::connect(&reactor, "server:25", config).await.unwrap();
        let sent = client.send_stream(&envelope(&["bob"]), &mut message).await;
        assert_eq!(client.is_usable(), sent.is_ok());
        client.quit().await;
        sent.map(|delivery| delivery.is_complete())
    });
    network.run_for(Duration::from_secs(60)).unwrap();
    let texts = notes.borrow().mails.iter().map(|mail| mail.text.clone()).collect();
    (result, texts)
}

#[test]
fn pieces_are_one_message() {
    for chunks in [false, true] {
        for pieces in [
            &[Some("Subject: x\r\n\r\n.one\r\n..\r\n")][..],
            &[
                Some("Subject: x\r"),
                Some("\n\r\n"),
                Some(""),
                Some("."),
                Some("one\r\n.."),
                Some("\r\n"),
            ],
        ] {
            let text: String = pieces.iter().copied().flatten().collect();
            let (result, texts) = send(&text, pieces, chunks);
            assert!(result.unwrap());
            assert_eq!(texts, [text]);
        }
        let (result, texts) = send("", &[], chunks);
        assert_eq!((result.unwrap(), texts), (true, vec![String::new()]));
    }
}

#[test]
fn what_is_not_as_it_was_said_is_not_sent_to_its_end() {
    for chunks in [false, true] {
        for (said, pieces) in [
            ("one\r\ntwo\r\n", &[Some("one\r\n")][..]),
            ("one\r\n", &[Some("one\r\n"), Some("two\r\n")]),
            ("", &[Some("one\r\n")]),
            ("one\r\ntwo\r\n", &[Some("one\r\n"), None]),
            // Here a message could be smuggled in.
            ("one\n.\nMAIL FROM:<>\r\n", &[Some("one\n.\nMAIL FROM:<>\r\n")]),
            ("one\r.\r\n", &[Some("one\r"), Some(".\r\n")]),
            ("one\r", &[Some("one\r")]),
        ] {
            let (result, texts) = send(said, pieces, chunks);
            assert!(matches!(result, Err(SmtpError::Message(_))), "{pieces:?}: {result:?}");
            assert_eq!(texts, [""; 0], "{pieces:?} by chunks: {chunks}");
        }
    }
}
