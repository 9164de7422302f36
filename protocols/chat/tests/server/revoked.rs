//! Credentials that do not count any more: clients go, operators are none any more, and logins on their way are refused.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{
    AuthError, Authenticator, AuthenticatorConfig, Credentials, Identity, Users, check_by,
};
use sinew_transports::reactor::{Promise, Reactor};

use crate::server::network::{Client, Network, codes, config};

/// Of ann and bob.
const MESSAGES: [(&str, &str); 2] = [("ann", "AGFubgBzZWNyZXQ="), ("bob", "AGJvYgBodW50ZXIy")];

fn settled(client: &Client, lines: &str) -> String {
    let mut received = client.say(lines);
    for _ in 0..50 {
        client.advance(100);
        received += &client.received();
    }
    received
}

fn log_in(network: &Network, nick: &str, account: usize) -> Client {
    let client = network.connect();
    client.say("CAP REQ sasl\nAUTHENTICATE PLAIN");
    client.advance(10);
    let received = settled(&client, &format!("AUTHENTICATE {}", MESSAGES[account].1));
    assert!(received.ends_with("SASL authentication successful\n"), "{received}");
    if !nick.is_empty() {
        client.say(&format!("NICK {nick}\nUSER {nick} 0 * :x\nCAP END\nJOIN #a"));
    }
    client
}

#[test]
fn all_clients_of_an_account_go_and_others_see_it() {
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Users::new().user("ann", "secret").user("bob", "hunter2");
    let network = Network::new(config().accounts(Authenticator::with(users, plain)));
    let (desk, phone, bob) =
        (log_in(&network, "desk", 0), log_in(&network, "phone", 0), log_in(&network, "bob", 1));
    // Before it is registered.
    let early = log_in(&network, "", 0);
    bob.received();
    let end = |account| network.server.end_sessions(&network.reactor, account);
    assert_eq!((end("nobody"), end("ann"), end("ann")), (0, 3, 0));
    for client in [&desk, &phone, &early] {
        let last = client.received();
        let error = "ERROR :Closing Link: localhost (The credentials are not valid any more)\n";
        assert!(last.ends_with(error) && client.is_closed(), "{last}");
    }
    let seen = bob.received();
    for nick in ["desk", "phone"] {
        let quit =
            format!(":{nick}!~{nick}@localhost QUIT :The credentials are not valid any more\n");
        assert!(seen.contains(&quit), "{seen}");
    }
    assert!(bob.say("WHOIS bob").contains(" 330 bob bob bob :is logged in as\n"));
    assert_eq!(network.server.report().connections, 1);
}

#[test]
fn an_operator_is_none_any_more() {
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    let operators = Users::new().user("root", "toor").user("other", "toor");
    let network = Network::new(config().operators(Authenticator::with(operators, plain)));
    let (ann, bob) = (network.client("ann"), network.client("bob"));
    assert_eq!(codes(&settled(&ann, "OPER root toor")), ["381", "MODE"]);
    assert_eq!(codes(&settled(&bob, "OPER other toor")), ["381", "MODE"]);
    let end = || network.server.end_operators(&network.reactor, "root");
    assert_eq!((end(), end()), (1, 0));
    assert_eq!(ann.received(), ":ann!~ann@localhost MODE ann -o\n");
    assert_eq!((ann.codes("WALLOPS :x"), ann.is_closed()), (vec!["481".to_owned()], false));
    assert_eq!(bob.codes("KILL nobody :x"), ["401"]);
    // One who has given it up is not counted.
    settled(&ann, "OPER root toor");
    ann.say("MODE ann -o");
    assert_eq!(end(), 0);
    assert_eq!(ann.received(), "");
}

type Checks = Rc<RefCell<Vec<Promise<Identity, AuthError>>>>;

#[test]
fn a_login_that_began_before_is_refused() {
    let checks = Checks::default();
    let users = || {
        let held = Rc::clone(&checks);
        let checker = check_by(move |reactor: &Reactor, _: Credentials| {
            let (promise, checked) = reactor.promise();
            held.borrow_mut().push(promise);
            checked
        });
        let plain = AuthenticatorConfig::default().allow_plaintext(true);
        Authenticator::with(checker, plain)
    };
    let network = Network::new(config().accounts(users()).operators(users()));
    let check = || checks.borrow_mut().remove(0).resolve(Identity::new("ann"));
    let ann = network.connect();
    ann.say("CAP REQ sasl\nAUTHENTICATE PLAIN");
    ann.advance(10);
    ann.received();
    assert_eq!(settled(&ann, "AUTHENTICATE AGFubgBzZWNyZXQ="), "");
    network.server.end_sessions(&network.reactor, "ann");
    check();
    assert_eq!(codes(&settled(&ann, "")), ["904"]);
    let welcome = ann.say("NICK ann\nUSER ann 0 * :x\nCAP END");
    assert!(welcome.contains(" 001 ") && !ann.say("WHOIS ann").contains(" 330 "), "{welcome}");
    assert_eq!(settled(&ann, "OPER ann x"), "");
    network.server.end_operators(&network.reactor, "ann");
    check();
    assert_eq!(codes(&settled(&ann, "")), ["464"]);
    assert_eq!(settled(&ann, "OPER ann x"), "");
    check();
    assert_eq!(codes(&settled(&ann, "")), ["381", "MODE"]);
}
