//! Users whose credentials do not count any more: their sessions end with 421, and what is not accepted is dropped.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Credentials, Identity, Sessions, Users, check_by,
};
use sinew_mail::smtp::{codec::Reply, server::Outcome};
use sinew_transports::reactor::{Promise, Reactor};

use crate::support::{Client, Notes, config};

const ANN: &str = "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n";
const BOB: &str = "AUTH PLAIN AGJvYgBodW50ZXIy\r\n";
const ENDED: &str = "421 4.7.0 The credentials are not valid any more\r\n";
const MESSAGE: &str = "MAIL FROM:<ann@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";

/// A client that has logged in.
fn client(sessions: &Sessions, login: &str, notes: Notes) -> Client {
    let users = AuthenticatorConfig::default().allow_plaintext(true);
    let all = Users::new().user("ann", "secret").user("bob", "hunter2");
    let config = config().auth(Authenticator::with(all, users)).sessions(sessions.clone());
    let client = Client::with_notes(config, notes);
    client.received();
    client.say("EHLO a\r\n");
    assert_eq!(client.codes(login), [235]);
    client
}

#[test]
fn both_sessions_of_a_user_end_and_no_other() {
    let sessions = Sessions::default();
    let [first, second, bob] =
        [ANN, ANN, BOB].map(|login| client(&sessions, login, Notes::default()));
    assert_eq!(second.codes("MAIL FROM:<ann@example.net>\r\n"), [250]);
    assert_eq!((sessions.end("nobody"), sessions.end("ann")), (0, 2));
    // What comes before the last words is not done.
    second.wire.receive_if_open(b"RCPT TO:<bob@example.org>\r\nDATA\r\n");
    for client in [&first, &second] {
        assert_eq!(client.received(), ENDED);
        assert!(client.is_closed());
    }
    assert_eq!(bob.codes("NOOP\r\n"), [250]);
    for client in [first, second] {
        client.wire.close();
        client.advance(Duration::ZERO);
    }
    assert_eq!(sessions.len(), 1, "nothing is left of the others");
}

#[test]
fn a_message_that_is_not_whole_is_dropped() {
    for (begin, rest) in [("DATA\r\n", "\r\n.\r\n"), ("BDAT 12 LAST\r\n", "7890\r\n")] {
        let sessions = Sessions::default();
        let client = client(&sessions, ANN, Notes::default());
        client.say(MESSAGE.replace("DATA\r\n", begin));
        client.say("A: 456");
        assert_eq!(sessions.end("ann"), 1);
        client.wire.receive_if_open(rest.as_bytes());
        assert_eq!(client.received(), ENDED, "{begin}");
        assert!(client.is_closed() && client.mails().is_empty());
        assert_eq!(client.notes.borrow().dropped, 1);
    }
}

#[test]
fn a_verdict_that_is_open_is_replied_to_with_421() {
    for step in ["mail", "rcpt", "data", "write"] {
        let sessions = Sessions::default();
        let client = client(&sessions, ANN, Notes { later: vec![step], ..Notes::default() });
        client.say(MESSAGE);
        client.say("A: 1\r\n");
        assert_eq!(sessions.end("ann"), 1);
        let replies = client.received();
        assert!(replies.ends_with(ENDED) && client.is_closed(), "{step}: {replies}");
        assert!(client.mails().is_empty());
    }
}

/// Who is responsible for it must be clear: the client is told before it is sent away.
#[test]
fn a_message_that_is_whole_is_accepted() {
    let sessions = Sessions::default();
    let client = client(&sessions, ANN, Notes { later: vec!["finish"], ..Notes::default() });
    client.say(MESSAGE);
    assert_eq!(client.say("A: 1\r\n.\r\n"), "");
    assert_eq!(sessions.end("ann"), 1);
    assert_eq!(client.say("NOOP\r\n"), "");
    let finish = client.notes.borrow_mut().open_finish.remove(0);
    finish.resolve(Outcome::All(Reply::ok()));
    assert_eq!(client.received(), format!("{}\r\n{ENDED}", Reply::ok()));
    assert!(client.is_closed());
    assert_eq!(client.mails().len(), 1);
}

type Checks = Rc<RefCell<Vec<Promise<Identity, AuthError>>>>;

#[test]
fn a_login_that_began_before_is_refused() {
    let checks = Checks::default();
    let held = Rc::clone(&checks);
    let checker = check_by(move |reactor: &Reactor, _: Credentials| {
        let (promise, checked) = reactor.promise();
        held.borrow_mut().push(promise);
        checked
    });
    let users = AuthenticatorConfig::default().allow_plaintext(true);
    let sessions = Sessions::default();
    let config = config().auth(Authenticator::with(checker, users)).sessions(sessions.clone());
    let client = Client::new(config.auth_required(true));
    client.received();
    client.say("EHLO a\r\n");
    let check = || checks.borrow_mut().remove(0).resolve(Identity::new("ann"));
    assert_eq!(client.say(ANN), "");
    assert_eq!(sessions.end("ann"), 0);
    check();
    assert_eq!(client.received(), "454 4.7.0 The credentials have changed, log in again\r\n");
    assert_eq!(client.codes("MAIL FROM:<>\r\n"), [530]);
    client.say(ANN);
    check();
    assert_eq!(client.received(), "235 2.7.0 You are logged in\r\n");
    assert_eq!(sessions.len(), 1);
}
