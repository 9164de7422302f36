//! Users whose credentials do not count any more: their sessions end, whatever they are doing, and nobody else's.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Credentials, Identity, Users, check_by,
};
use sinew_transports::reactor::{Promise, Reactor};

use super::support::{Client, World};

const BYE: &str = "* BYE [EXPIRED] The credentials are not valid any more\r\n";

/// Also of bob, who has no mail.
fn world() -> World {
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Users::new().user("ann", "secret").user("bob", "hunter2");
    let world = World::with(|_| {
        let store = sinew_mail::store::MemoryStore::default();
        store.create_account("ann").unwrap();
        store.create_account("bob").unwrap();
        sinew_mail::imap::server::ServerConfig::new(
            Authenticator::with(users, config),
            Rc::new(store),
        )
    });
    let ann = world.client();
    ann.say("a APPEND INBOX {4+}\r\nA: 1\r\n");
    ann.say("b LOGOUT\r\n");
    world
}

fn bob(world: &World) -> Client {
    let bob = world.connect();
    bob.received();
    assert!(bob.say("a LOGIN bob hunter2\r\n").starts_with("a OK "));
    bob
}

#[test]
fn both_sessions_of_a_user_end_and_no_other() {
    let world = world();
    let (selected, idle, bob) = (world.selected(), world.selected(), bob(&world));
    assert_eq!(idle.say("i IDLE\r\n"), "+ Idling\r\n");
    assert_eq!(world.server.end_sessions("nobody"), 0);
    assert_eq!(world.server.end_sessions("ann"), 2);
    // What came before the last words were said is not done.
    assert_eq!(selected.say_early(b"s LOGOUT\r\n"), BYE);
    assert_eq!(idle.received(), BYE);
    for client in [&selected, &idle] {
        assert!(client.is_closed());
    }
    assert_eq!(bob.say("n NOOP\r\n"), "n OK Done\r\n");
    assert_eq!(world.server.end_sessions("ann"), 0, "once");
    let again = world.selected();
    assert_eq!(again.say("f FETCH 1 FLAGS\r\n"), "* 1 FETCH (FLAGS ())\r\nf OK Done\r\n");
}

#[test]
fn a_message_that_is_being_added_is_dropped() {
    for rest in ["", "\r\n"] {
        let world = world();
        let client = world.selected();
        assert_eq!(client.say("a APPEND INBOX {10}\r\n"), "+ Go on\r\n");
        assert_eq!(client.say("A: 12"), "");
        assert_eq!(world.server.end_sessions("ann"), 1);
        client.wire.receive_if_open(format!("\r\n\r\nx{rest}").as_bytes());
        assert_eq!(client.received(), BYE, "{rest:?}");
        assert!(client.is_closed());
        let status = world.client().say("s STATUS INBOX (MESSAGES)\r\n");
        assert!(status.starts_with("* STATUS INBOX (MESSAGES 1)"), "{status}");
    }
}

/// Words in the middle of a literal would be taken for a part of it.
#[test]
fn nothing_is_said_inside_of_a_message() {
    let world = world();
    let client = world.selected();
    let text = format!("A: 1\r\n\r\n{}", "x\r\n".repeat(200_000));
    client.say(format!("a APPEND INBOX {{{}+}}\r\n{text}\r\n", text.len()));
    client.wire.receive_if_open(b"f FETCH 2 BODY.PEEK[]\r\n");
    client.advance(std::time::Duration::ZERO);
    let first = client.wire.take(100);
    assert_eq!(world.server.end_sessions("ann"), 1);
    let rest = String::from_utf8([first, client.received_bytes()].concat()).unwrap();
    assert!(rest.starts_with("* 2 FETCH (BODY[] {") && !rest.contains("BYE"), "{}", rest.len());
    assert!(rest.len() < text.len() && client.is_closed(), "{}", rest.len());
}

/// What is checked by what was known before counts no more afterwards.
#[test]
fn a_login_that_began_before_is_refused() {
    let world = world();
    let (ann, bob) = (world.connect(), world.connect());
    for client in [&ann, &bob] {
        client.received();
        assert_eq!(client.say("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
    }
    assert_eq!(world.server.end_sessions("ann"), 0, "nobody is logged in");
    let refused = "a NO [UNAVAILABLE] The credentials have changed, log in again\r\n";
    assert_eq!(ann.say("AGFubgBzZWNyZXQ=\r\n"), refused);
    assert!(bob.say("AGJvYgBodW50ZXIy\r\n").starts_with("a OK "), "it is not about bob");
    // One that begins now is checked by what is known now.
    assert!(ann.say("b LOGIN ann secret\r\n").starts_with("b OK "));
    assert_eq!(world.server.end_sessions("ann"), 1);
}

type Checks = Rc<RefCell<Vec<Promise<Identity, AuthError>>>>;

#[test]
fn a_check_that_takes_long_is_no_way_in() {
    let checks = Checks::default();
    let held = Rc::clone(&checks);
    let checker = check_by(move |reactor: &Reactor, _: Credentials| {
        let (promise, checked) = reactor.promise();
        held.borrow_mut().push(promise);
        checked
    });
    let config = AuthenticatorConfig::default().allow_plaintext(true);
    let store = sinew_mail::store::MemoryStore::default();
    store.create_account("ann").unwrap();
    let world = World::with(|_| {
        let users = Authenticator::with(checker, config);
        sinew_mail::imap::server::ServerConfig::new(users, Rc::new(store))
    });
    let client = world.connect();
    client.received();
    assert_eq!(client.say("a LOGIN ann secret\r\n"), "");
    world.server.end_sessions("ann");
    checks.borrow_mut().remove(0).resolve(Identity::new("ann"));
    let refused = "a NO [UNAVAILABLE] The credentials have changed, log in again\r\n";
    assert_eq!(client.received(), refused);
    assert_eq!(client.say("b SELECT INBOX\r\n"), "b BAD Not now\r\n");
}
