//! Users whose credentials do not count any more: their sessions end with 400, and what is not stored is dropped.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Credentials, Identity, Users, check_by,
};
use sinew_news::nntp::server::ServerConfig;
use sinew_transports::reactor::{Promise, Reactor};

use crate::support::{Client, Handler, config};

const ANN: &str = "AUTHINFO USER ann\r\nAUTHINFO PASS secret\r\n";
const BOB: &str = "AUTHINFO USER bob\r\nAUTHINFO PASS hunter2\r\n";
const ENDED: &str = "400 The credentials are not valid any more\r\n";

fn with_logins() -> ServerConfig {
    let users = Users::new().user("ann", "secret").user("bob", "hunter2");
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    config().auth(Authenticator::with(users, plain))
}

fn ann() -> Client {
    let client = Client::with_handler(with_logins(), &Handler::default());
    assert_eq!(client.codes(ANN), [200, 381, 281]);
    client
}

#[test]
fn both_sessions_of_a_user_end_and_no_other() {
    let first = ann();
    let (second, bob) = (first.another(), first.another());
    assert_eq!(second.codes(ANN), [200, 381, 281]);
    assert_eq!(bob.codes(BOB), [200, 381, 281]);
    let server = first.server.clone();
    assert_eq!((server.end_sessions("nobody"), server.end_sessions("ann")), (0, 2));
    // What comes before the last words is not done.
    second.wire.receive_if_open(b"DATE\r\n");
    for client in [&first, &second] {
        assert_eq!(client.received(), ENDED);
        assert!(client.is_closed());
    }
    assert_eq!(bob.codes("GROUP a.open\r\n"), [211]);
    assert_eq!(server.end_sessions("ann"), 0);
    assert_eq!(bob.another().codes(ANN), [200, 381, 281]);
}

#[test]
fn an_article_that_is_not_whole_is_dropped() {
    for command in ["POST\r\n", "IHAVE <1@a>\r\n", "TAKETHIS <1@a>\r\n"] {
        let client = ann();
        client.say(command);
        client.say("From: ann@example.net\r\nNewsgroups: a.open\r\n");
        assert_eq!(client.server.end_sessions("ann"), 1);
        client.wire.receive_if_open(b"Subject: x\r\n\r\nx\r\n.\r\n");
        assert_eq!(client.received(), ENDED, "{command}");
        assert!(client.is_closed());
        assert_eq!(
            client.another().say("GROUP a.open\r\n").lines().nth(1),
            Some("211 0 1 0 a.open")
        );
    }
}

/// The poster must know whether it was stored.
#[test]
fn an_article_that_is_whole_is_decided_upon() {
    let client = ann();
    client.handler.0.borrow_mut().later = true;
    client.say("POST\r\n");
    let article = "From: ann@example.net\r\nNewsgroups: a.open\r\nSubject: x\r\n\r\nx\r\n.\r\n";
    assert_eq!(client.say(article), "");
    assert_eq!(client.server.end_sessions("ann"), 1);
    assert_eq!(client.say("DATE\r\n"), "");
    client.handler.0.borrow_mut().open.remove(0).resolve(());
    assert_eq!(client.received(), format!("240 The article was posted\r\n{ENDED}"));
    assert!(client.is_closed());
}

/// What is said inside of an article would be a part of it.
#[test]
fn an_article_that_is_being_sent_is_cut_off() {
    let client = ann();
    let body = "x\r\n".repeat(200_000);
    client.put("<1@a>", &["a.open"], &body);
    client.wire.receive_if_open(b"ARTICLE <1@a>\r\n");
    client.advance(Duration::ZERO);
    let mut text = client.wire.take(100);
    assert_eq!(client.server.end_sessions("ann"), 1);
    while {
        let some = client.wire.take(usize::MAX);
        text.extend_from_slice(&some);
        client.advance(Duration::ZERO);
        !some.is_empty()
    } {}
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("220 ") && !text.contains("400 "), "{}", text.len());
    assert!(text.len() < body.len() && client.is_closed(), "{}", text.len());
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
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    let config = config().auth(Authenticator::with(checker, plain));
    let client = Client::with(config, Handler::default());
    let check = || checks.borrow_mut().remove(0).resolve(Identity::new("ann"));
    for login in ["AUTHINFO PASS secret\r\n", "AUTHINFO SASL PLAIN AGFubgBzZWNyZXQ=\r\n"] {
        client.say("AUTHINFO USER ann\r\n");
        assert_eq!(client.say(login), "");
        assert_eq!(client.server.end_sessions("ann"), 0);
        check();
        assert_eq!(client.received(), "403 The credentials have changed, log in again\r\n");
    }
    client.say(ANN);
    check();
    assert_eq!(client.received(), "281 You are logged in\r\n");
    assert_eq!(client.server.end_sessions("ann"), 1);
}
