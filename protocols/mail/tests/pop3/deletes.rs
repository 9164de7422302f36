//! What is deleted, and when: at QUIT only.

use std::time::Duration;

use sinew_mail::pop3::server::MaildropError;

use crate::pop3_support::{Client, config, ids, mail};

const THREE: &[&str] = &["A: 1\r\n\r\n", "A: 2\r\n\r\n", "A: 3\r\n\r\n"];

#[test]
fn quit_deletes_what_was_marked() {
    let client = Client::logged_in(THREE);
    client.say("DELE 3\r\nDELE 1\r\n");
    assert_eq!(ids(&client.mail), ["id1", "id2", "id3"], "not before");
    assert_eq!(client.say("QUIT\r\n"), "+OK Bye\r\n");
    assert_eq!(ids(&client.mail), ["id2"]);
    assert_eq!(client.mail.borrow().finished, 1);
}

#[test]
fn dropped_session_deletes_nothing() {
    type End = fn(&Client);
    let ends: [(&str, End); 6] = [
        ("reset", |client| client.wire.reset()),
        ("closed", |client| client.wire.close()),
        ("silent", |client| client.advance(Duration::from_secs(601))),
        ("half a QUIT", |client| {
            client.say("QUIT");
            client.wire.close();
        }),
        ("a bare line end", |client| drop(client.say("QUIT\n"))),
        ("RSET", |client| drop(client.say("RSET\r\nQUIT\r\n"))),
    ];
    for (name, end) in ends {
        let client = Client::logged_in(THREE);
        client.say("DELE 1\r\nDELE 2\r\n");
        end(&client);
        client.advance(Duration::from_secs(1));
        assert!(client.is_closed(), "{name}");
        assert_eq!(ids(&client.mail), ["id1", "id2", "id3"], "{name}");
        assert_eq!(client.mail.borrow().finished, usize::from(name == "RSET"), "{name}");
    }
}

#[test]
fn a_deletion_that_fails_is_said() {
    let shared = mail(THREE);
    shared.borrow_mut().later = vec!["finish"];
    let client = Client::logged_in_to(config(), &shared);
    assert_eq!(client.say("DELE 1\r\nQUIT\r\nNOOP\r\n"), "+OK It is deleted at QUIT\r\n");
    client.settle(Err(MaildropError::Temporary("disk".into())));
    assert_eq!(client.received(), "-ERR [SYS/TEMP] The maildrop cannot be used now\r\n");
    assert!(client.is_closed());
}

/// A server that goes down lets clients that have marked messages come to their QUIT, and sends the others away.
#[test]
fn a_drain_waits_for_marks() {
    let client = Client::logged_in(THREE);
    client.drain();
    assert_eq!(client.received(), "-ERR [SYS/TEMP] The server is shutting down\r\n");
    assert!(client.is_closed());
    let client = Client::logged_in(THREE);
    client.say("DELE 1\r\n");
    client.drain();
    assert_eq!(client.say("DELE 2\r\nQUIT\r\n"), "+OK It is deleted at QUIT\r\n+OK Bye\r\n");
    assert_eq!(ids(&client.mail), ["id3"]);
}
