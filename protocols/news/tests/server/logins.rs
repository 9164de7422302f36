//! Logins, and what they allow.

use std::time::Duration;

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_news::nntp::server::{Access, ServerConfig, Session};

use crate::support::{Client, config};

fn with_logins() -> ServerConfig {
    let users = Users::new().user("ann", "secret word");
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    config().auth(Authenticator::with(users, plain))
}

fn access(session: &Session) -> Access {
    match session.identity() {
        Some(_) => Access::read_and_post(),
        None => Access::none(),
    }
}

#[test]
fn nothing_without_a_login() {
    let client = Client::with(with_logins(), access);
    let codes = client.codes("GROUP a.open\r\nPOST\r\nIHAVE <1@a>\r\nAUTHINFO PASS x\r\n");
    assert_eq!(codes, [201, 480, 480, 480, 482]);
    let capabilities = client.say("CAPABILITIES\r\n");
    assert!(capabilities.contains("\r\nAUTHINFO USER SASL\r\nSASL SCRAM-"), "{capabilities}");
    assert_eq!(client.codes("AUTHINFO USER ann\r\nAUTHINFO PASS secret word\r\n"), [381, 281]);
    assert_eq!(client.codes("AUTHINFO USER ann\r\nGROUP a.open\r\nPOST\r\n"), [502, 211, 340]);
    let client = Client::with(with_logins(), access);
    assert_eq!(
        client.codes("AUTHINFO SASL PLAIN AGFubgBzZWNyZXQgd29yZA==\r\nGROUP b.secret\r\n")[1..],
        [281, 211]
    );
    assert!(!client.say("CAPABILITIES\r\n").contains("AUTHINFO"));
}

#[test]
fn wrong_logins() {
    let client = Client::with(with_logins(), access);
    client.wire.receive_if_open(b"AUTHINFO USER ann\r\nAUTHINFO PASS wrong\r\n");
    client.advance(Duration::from_secs(60));
    assert_eq!(client.codes(""), [201, 381, 481]);
    assert_eq!(client.codes("AUTHINFO SASL PLAIN\r\n*\r\nAUTHINFO SASL NONE\r\n")[1..], [481, 400]);
    assert!(client.is_closed());
}

#[test]
fn no_password_where_everybody_could_read_it() {
    let config = config().auth(Authenticator::new(Users::new().user("ann", "secret")));
    let client = Client::with(config, access);
    let codes =
        client.codes("AUTHINFO USER ann\r\nAUTHINFO PASS secret\r\nAUTHINFO SASL PLAIN\r\n");
    assert_eq!(codes, [201, 483, 482, 483]);
    let capabilities = client.say("CAPABILITIES\r\n");
    assert!(capabilities.contains("\r\nAUTHINFO SASL\r\n"), "{capabilities}");
}
