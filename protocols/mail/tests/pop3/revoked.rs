//! Users whose credentials do not count any more: their sessions end without a deletion, and their maildrops are free.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{AuthError, Authenticator, AuthenticatorConfig, Credentials, Identity, check_by};
use sinew_mail::pop3::server::ServerConfig;
use sinew_transports::reactor::{Promise, Reactor};

use crate::pop3_support::{Client, LOGIN, config, ids, mail, server};

const TWO: &[&str] = &["A: 1\r\n\r\n", "A: 2\r\n\r\n"];
const ENDED: &str = "-ERR [AUTH] The credentials are not valid any more\r\n";

#[test]
fn nothing_is_deleted_and_the_maildrop_is_free() {
    let (shared, reactor) = (mail(TWO), Reactor::simulated(0));
    shared.borrow_mut().boxes.insert("bob".to_owned(), Vec::new());
    let server = server(config(), &shared);
    let connect = || Client::on(&reactor, &server, &shared);
    let (ann, bob) = (connect(), connect());
    assert!(ann.say(LOGIN).contains("2 messages"));
    assert!(bob.say("USER bob\r\nPASS hunter2\r\n").contains("0 messages"));
    assert_eq!(ann.say("DELE 1\r\n"), "+OK It is deleted at QUIT\r\n");
    assert_eq!((server.end_sessions("nobody"), server.end_sessions("ann")), (0, 1));
    // QUIT comes too late, though the last words were not said yet.
    assert_eq!(ann.say_early(b"QUIT\r\n"), ENDED);
    assert!(ann.is_closed());
    assert_eq!((ids(&shared).len(), shared.borrow().finished), (2, 0));
    assert_eq!(bob.say("NOOP\r\n"), "+OK\r\n");
    assert!(connect().say(LOGIN).contains("2 messages"), "it is not locked");
}

#[test]
fn two_sessions_of_a_user() {
    let (shared, reactor) = (mail(TWO), Reactor::simulated(0));
    let server = server(config().exclusive(false), &shared);
    let clients = [(); 2].map(|()| Client::on(&reactor, &server, &shared));
    clients.iter().for_each(|client| assert!(client.say(LOGIN).contains("2 messages")));
    assert_eq!(server.end_sessions("ann"), 2);
    assert!(clients.iter().all(|client| client.received() == ENDED && client.is_closed()));
}

/// What is said inside of a message would be a part of it.
#[test]
fn a_message_that_is_being_sent_is_cut_off() {
    let shared = mail(TWO);
    shared.borrow_mut().later = vec!["read"];
    let reactor = Reactor::simulated(0);
    let server = server(config(), &shared);
    let client = Client::on(&reactor, &server, &shared);
    client.say(LOGIN);
    assert_eq!(client.say("RETR 1\r\n"), "");
    assert_eq!(server.end_sessions("ann"), 1);
    assert_eq!(client.received(), "");
    assert!(client.is_closed());
    assert!(Client::on(&reactor, &server, &shared).say(LOGIN).contains("2 messages"));
}

/// The client has been promised nothing else, and the mailbox is not left half done.
#[test]
fn what_quit_has_begun_is_finished() {
    let shared = mail(TWO);
    shared.borrow_mut().later = vec!["finish"];
    let server = server(config(), &shared);
    let client = Client::on(&Reactor::simulated(0), &server, &shared);
    client.say(LOGIN);
    client.say("DELE 1\r\nQUIT\r\n");
    server.end_sessions("ann");
    assert_eq!(client.received(), "");
    client.settle(Ok(()));
    assert_eq!(client.received(), "+OK Bye\r\n");
    assert_eq!(ids(&shared), ["id2"]);
}

type Checks = Rc<RefCell<Vec<Promise<Identity, AuthError>>>>;

/// Ended while the password is checked, or while the maildrop is opened.
#[test]
fn a_login_that_began_before_is_refused() {
    const REFUSED: &str = "-ERR [SYS/TEMP] The credentials have changed, log in again\r\n";
    for is_opening in [false, true] {
        let checks = Checks::default();
        let held = Rc::clone(&checks);
        let checker = check_by(move |reactor: &Reactor, _: Credentials| {
            let (promise, checked) = reactor.promise();
            held.borrow_mut().push(promise);
            checked
        });
        let users = AuthenticatorConfig::default().allow_plaintext(true);
        let users = Authenticator::with(checker, users);
        let shared = mail(TWO);
        shared.borrow_mut().later = vec!["open"];
        let server = server(ServerConfig::new("mail.example", users).unwrap(), &shared);
        let client = Client::on(&Reactor::simulated(0), &server, &shared);
        assert_eq!(client.say(LOGIN), "+OK Say PASS\r\n");
        let check = || checks.borrow_mut().remove(0).resolve(Identity::new("ann"));
        if is_opening {
            check();
            client.received();
        }
        assert_eq!(server.end_sessions("ann"), 0);
        if !is_opening {
            check();
            client.received();
        }
        client.settle(Ok(()));
        assert_eq!(client.received(), REFUSED, "{is_opening}");
        // Nothing is locked; another login is checked anew.
        client.say(LOGIN);
        check();
        client.received();
        client.settle(Ok(()));
        assert_eq!(client.received(), "+OK 2 messages (16 octets)\r\n");
    }
}
