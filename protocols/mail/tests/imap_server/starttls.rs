//! STARTTLS: what counts before it and after it.

use sinew_transports::tls::{Identity, TlsServerConfig};

use super::support::World;

fn world() -> World {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem()).unwrap();
    World::with(|config| config.starttls(TlsServerConfig::new(identity)))
}

/// A fragment, a line, a burst: what was received in plaintext behind the command ends the connection.
#[test]
fn bytes_behind_starttls() {
    for behind in [
        "b",
        "b NOOP\r\n",
        "b LOGIN ann secret\r\nc SELECT INBOX\r\n",
        "b APPEND INBOX {5+}\r\nabc",
    ] {
        let client = world().connect();
        assert!(client.received().contains(" STARTTLS"));
        let answer = client.say(format!("a STARTTLS\r\n{behind}"));
        assert!(answer.is_empty() || answer == "a OK Begin\r\n", "{behind}: {answer}");
        assert!(client.is_closed(), "{behind}");
    }
}

#[test]
fn nothing_is_answered_in_plaintext_afterwards() {
    let client = world().connect();
    client.received();
    assert_eq!(client.say("a STARTTLS\r\n"), "a OK Begin\r\n");
    let answer = client.say("b NOOP\r\n");
    assert!(!answer.contains("b OK"), "{answer}");
}

#[test]
fn starttls_is_for_those_who_have_not_logged_in() {
    let client = world().client();
    client.dialogue("C: a STARTTLS\nS: a BAD Not now");
    assert!(!client.say("b CAPABILITY\r\n").contains("STARTTLS"));
}
