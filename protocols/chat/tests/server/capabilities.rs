//! Mechanisms of SASL that change while clients are connected.

use std::{cell::Cell, rc::Rc};

use sinew_auth::{
    Ability, AuthError, Authenticator, AuthenticatorConfig, Checker, Credentials, Identity,
    ScramHash,
};
use sinew_transports::reactor::{Deferred, Reactor};

use crate::server::network::{Client, Network, config};

/// Users whose hashes are replaced: what can be done with them changes.
#[derive(Clone, Copy, PartialEq)]
enum Hashes {
    None,
    Bcrypt,
    Scram,
}

struct Changing(Rc<Cell<Hashes>>);

impl Checker for Changing {
    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::CheckPassword => self.0.get() != Hashes::None,
            Ability::TellScramKeys(ScramHash::Sha256) => self.0.get() == Hashes::Scram,
            _ => false,
        }
    }

    fn check(&self, reactor: &Reactor, _: Credentials) -> Deferred<Identity, AuthError> {
        Deferred::failed_on(reactor, AuthError::Refused)
    }
}

struct Fixture {
    network: Network,
    hashes: Rc<Cell<Hashes>>,
}

impl Fixture {
    fn new(hashes: Hashes) -> Self {
        let hashes = Rc::new(Cell::new(hashes));
        let rules = AuthenticatorConfig::default().allow_plaintext(true);
        let users = Authenticator::with(Changing(hashes.clone()), rules);
        Self { network: Network::new(config().accounts(users)), hashes }
    }

    fn client(&self, nick: &str, lines: &str) -> Client {
        let client = self.network.connect();
        client.say(&format!("{lines}\nNICK {nick}\nUSER {nick} 0 * :x\nCAP END"));
        client
    }

    /// As SIGHUP does, when the checker has read its file again.
    fn reload(&self, hashes: Hashes) {
        self.hashes.set(hashes);
        let reactor = &self.network.reactor;
        self.network.server.tell_mechanisms(reactor);
    }
}

#[test]
fn clients_are_told_of_other_mechanisms() {
    let fixture = Fixture::new(Hashes::Bcrypt);
    let modern = fixture.client("modern", "CAP LS 302\nCAP REQ sasl");
    let asking = fixture.client("asking", "CAP LS\nCAP REQ :cap-notify sasl");
    let blind = fixture.client("blind", "CAP REQ :cap-notify");
    let old = fixture.client("old", "CAP LS\nCAP REQ sasl");
    let silent = fixture.client("silent", "");
    let all = [&modern, &asking, &blind, &old, &silent];
    let told = |expected: [&str; 5]| {
        for (client, expected) in all.into_iter().zip(expected) {
            let expected = match expected {
                "" => String::new(),
                text => format!(":irc.test CAP {text}\n"),
            };
            assert_eq!(client.received(), expected);
        }
    };
    fixture.reload(Hashes::Bcrypt);
    told([""; 5]);
    fixture.reload(Hashes::Scram);
    told(["modern NEW :sasl=SCRAM-SHA-256,PLAIN,LOGIN", "", "", "", ""]);
    assert!(modern.say("CAP LIST").contains("sasl"), "it stays on");
    fixture.reload(Hashes::None);
    told(["modern DEL :sasl", "asking DEL :sasl", "blind DEL :sasl", "", ""]);
    for client in [&modern, &asking] {
        assert!(!client.say("CAP LIST").contains("sasl"));
        assert!(!client.say("CAP LS 302").contains("sasl"));
        assert!(client.say("CAP REQ sasl").contains(" NAK "));
    }
    assert!(silent.say("CAP LS 302").contains(" LS :"));
    fixture.reload(Hashes::Bcrypt);
    told([
        "modern NEW :sasl=PLAIN,LOGIN",
        "asking NEW :sasl=PLAIN,LOGIN",
        "blind NEW :sasl",
        "",
        "silent NEW :sasl=PLAIN,LOGIN",
    ]);
    assert!(modern.say("CAP REQ sasl").contains(" ACK "));
}

/// What REHASH of an operator, or a login, has brought to light is told by the next list in any case.
#[test]
fn a_list_is_of_now() {
    let fixture = Fixture::new(Hashes::None);
    let client = fixture.client("ann", "");
    assert!(!client.say("CAP LS 302").contains("sasl"));
    fixture.hashes.set(Hashes::Scram);
    assert!(client.say("CAP LS 302").contains("sasl=SCRAM-SHA-256,PLAIN,LOGIN"));
    fixture.reload(Hashes::Scram);
    assert_eq!(client.received(), "", "it knows already");
}
