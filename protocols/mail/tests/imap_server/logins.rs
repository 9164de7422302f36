//! The beginning of a connection: greeting, capabilities, logins, and what is refused before them.

use std::time::Duration;

use sinew_auth::{Authenticator, Users};
use sinew_mail::imap::server::ServerConfig;

use super::support::World;

const BEFORE: &str = "IMAP4rev1 LITERAL- SASL-IR ID";

#[test]
fn a_login_and_the_end() {
    let world = World::new();
    let client = world.connect();
    let greeting = client.received();
    assert!(greeting.starts_with(&format!("* OK [CAPABILITY {BEFORE} AUTH=")), "{greeting}");
    client.dialogue(
        r#"
        C: a CAPABILITY
        S: * CAPABILITY IMAP4rev1 LITERAL- SASL-IR ID…
        S: a OK Done
        C: c LOGIN "ann" "secret"
        S: c OK [CAPABILITY IMAP4rev1 LITERAL- SASL-IR ID ENABLE IDLE…
        C: d LOGIN ann secret
        S: d BAD Not now
        C: e ID ("name" "test")
        S: * ID ("name" "sinew")
        S: e OK Done
        C: f NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: f OK Done
        C: g ENABLE X CONDSTORE QRESYNC
        S: * ENABLED CONDSTORE QRESYNC
        S: g OK Done
        C: h LOGOUT
        S: * BYE Goodbye
        S: h OK Done
        "#,
    );
    assert!(client.is_closed());
}

#[test]
fn sasl_with_and_without_a_first_message() {
    let world = World::new();
    let client = world.connect();
    client.received();
    client.dialogue(
        r"
        C: a AUTHENTICATE PLAIN
        S: + 
        C: *
        S: a BAD The login was given up
        C: b AUTHENTICATE NONE
        S: b NO There is no such mechanism
        C: c AUTHENTICATE PLAIN
        S: + 
        C: AGFubgBzZWNyZXQ=
        S: c OK [CAPABILITY…
        C: d NOOP
        S: d OK Done
        ",
    );
    let client = world.connect();
    client.received();
    client.dialogue("C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\nS: a OK [CAPABILITY…");
}

#[test]
fn no_password_is_taken_in_plaintext() {
    let world = World::with(|config| {
        drop(config);
        let store = sinew_mail::store::MemoryStore::default();
        let users = Authenticator::new(Users::new().user("ann", "secret"));
        ServerConfig::new(users, std::rc::Rc::new(store))
    });
    let client = world.connect();
    let greeting = client.received();
    assert!(greeting.contains(" LOGINDISABLED") && !greeting.contains("AUTH=PLAIN"), "{greeting}");
    client.dialogue(
        r"
        C: a LOGIN ann secret
        S: a NO [PRIVACYREQUIRED] Say STARTTLS first
        C: b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
        S: b NO [PRIVACYREQUIRED] Say STARTTLS first
        C: c STARTTLS
        S: c BAD Not offered here
        ",
    );
}

#[test]
fn logins_that_fail_are_counted() {
    let world = World::with(|config| config.login_tries_max(2));
    let client = world.connect();
    client.received();
    let refused = "NO [AUTHENTICATIONFAILED] The credentials are wrong\r\n";
    for (tag, end) in [("a", ""), ("b", "* BYE Too many logins have failed\r\n")] {
        assert_eq!(client.say(format!("{tag} LOGIN ann wrong\r\n")), "");
        // A wrong password is answered late.
        client.advance(Duration::from_secs(20));
        assert_eq!(client.received(), format!("{tag} {refused}{end}"));
    }
    assert!(client.is_closed());
}

#[test]
fn commands_before_the_login_are_refused() {
    let world = World::new();
    let client = world.connect();
    client.received();
    for command in [
        "SELECT INBOX",
        "LIST \"\" *",
        "FETCH 1 FLAGS",
        "IDLE",
        "APPEND INBOX {5}",
        "ENABLE CONDSTORE",
    ] {
        let answer = client.say(format!("a {command}\r\n"));
        let expected = if command.ends_with('}') { "a NO [TOOBIG] " } else { "a BAD Not now\r\n" };
        assert!(answer.starts_with(expected), "{command}: {answer}");
    }
}
