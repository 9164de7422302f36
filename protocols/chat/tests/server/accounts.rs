//! Logins by SASL, and channels that belong to accounts.

use std::time::Duration;

use sinew_auth::{Authenticator, Channel, ClientLogin, Users};
use sinew_chat::irc::server::ServerConfig;

use crate::server::network::{Client, Network, codes, users};

const PLAIN: &str = "AGFubgBzZWNyZXQ=";

/// Logins take their time.
fn config() -> ServerConfig {
    crate::server::network::config().registration_timeout(Duration::from_secs(600))
}

/// Waits for a check.
fn settled(client: &Client, lines: &str) -> String {
    let mut received = client.say(lines);
    for _ in 0..50 {
        client.advance(100);
        received += &client.received();
    }
    received
}

fn log_in(network: &Network, nick: &str, message: &str) -> (Client, String) {
    let client = network.connect();
    client.say("CAP REQ sasl\nAUTHENTICATE PLAIN");
    client.advance(10);
    let received = settled(&client, &format!("AUTHENTICATE {message}"));
    let welcome = client.say(&format!("NICK {nick}\nUSER {nick} 0 * :x\nCAP END"));
    (client, received + &welcome)
}

#[test]
fn plain_in_order() {
    let network = Network::new(config().accounts(users()));
    let client = network.connect();
    let list = client.say("CAP LS 302");
    assert!(list.contains(" sasl=SCRAM-SHA-256,SCRAM-SHA-1,PLAIN,LOGIN "), "{list}");
    assert_eq!(client.codes("AUTHENTICATE PLAIN"), ["904"], "the capability is not on");
    client.say("CAP REQ sasl");
    assert_eq!(settled(&client, "AUTHENTICATE PLAIN"), "AUTHENTICATE +\n");
    let received = settled(&client, &format!("AUTHENTICATE {PLAIN}"));
    assert_eq!(codes(&received), ["900", "903"]);
    assert_eq!(client.codes("AUTHENTICATE PLAIN"), ["907"]);
    assert!(client.say("NICK a\nUSER a 0 * :x\nCAP END").contains(" 001 "));
    assert!(client.say("WHOIS a").contains(" 330 a a ann :is logged in as\n"));
}

/// Who says CAP END within a login is welcomed without it.
#[test]
fn logins_that_are_not_finished() {
    let network = Network::new(config().accounts(users()));
    // Before its message, and in the middle of it.
    for piece in [String::new(), format!("AUTHENTICATE {}\n", "A".repeat(400))] {
        let client = network.connect();
        settled(&client, "CAP REQ sasl\nAUTHENTICATE PLAIN");
        let welcome = client.say(&format!("{piece}NICK a\nUSER a 0 * :x\nCAP END"));
        assert_eq!(codes(&welcome)[..2], ["906", "001"], "{welcome}");
        // The next login begins anew.
        assert_eq!(settled(&client, "AUTHENTICATE PLAIN"), "AUTHENTICATE +\n");
        let received = settled(&client, &format!("AUTHENTICATE {PLAIN}"));
        assert_eq!(codes(&received), ["900", "903"]);
        client.say("QUIT");
    }
}

#[test]
fn logins_that_fail() {
    let network = Network::new(config().accounts(users()).logins_max(20));
    for (lines, expected) in [
        ("AUTHENTICATE RUBBISH", &["908", "904"][..]),
        ("AUTHENTICATE PLAIN\nAUTHENTICATE *", &["AUTHENTICATE", "906"]),
        ("AUTHENTICATE *", &["904"]),
        ("AUTHENTICATE PLAIN\nAUTHENTICATE !!", &["AUTHENTICATE", "904"]),
        ("AUTHENTICATE PLAIN\nAUTHENTICATE AGFubgB3cm9uZw==", &["AUTHENTICATE", "904"]),
        ("AUTHENTICATE PLAIN\nAUTHENTICATE +", &["AUTHENTICATE", "904"]),
    ] {
        let client = network.connect();
        client.say("CAP REQ sasl");
        assert_eq!(codes(&settled(&client, lines)), expected, "{lines}");
    }
    // A message without end.
    let client = network.connect();
    client.say("CAP REQ sasl");
    settled(&client, "AUTHENTICATE PLAIN");
    let piece = format!("AUTHENTICATE {}", "A".repeat(400));
    let received: String = (0..40).map(|_| client.say(&piece)).collect();
    assert!(received.contains(" 905 "), "{received}");
    let received = client.say(&format!("AUTHENTICATE {}", "A".repeat(401)));
    assert!(!received.contains("900"), "{received}");
}

#[test]
fn sasl_fails_then_cap_end() {
    // A client may go on as nobody, unless a login is required.
    for (required, expected) in [(false, true), (true, false)] {
        let network = Network::new(config().accounts(users()).account_required(required));
        let (client, received) = log_in(&network, "x", "AGFubgB3cm9uZw==");
        assert!(received.contains(" 904 "));
        assert_eq!(
            (received.contains(" 001 "), client.is_closed()),
            (expected, !expected),
            "{received}"
        );
    }
    let network = Network::new(config().accounts(users()).logins_max(2));
    let client = network.connect();
    client.say("CAP REQ sasl");
    for _ in 0..2 {
        settled(&client, "AUTHENTICATE PLAIN\nAUTHENTICATE AGFubgB3cm9uZw==");
    }
    assert!(client.is_closed());
}

#[test]
fn passwords_need_encryption_by_default() {
    let users = Authenticator::new(Users::new().user("ann", "secret"));
    let network = Network::new(config().accounts(users));
    let client = network.connect();
    assert!(client.say("CAP LS 302").contains("sasl=SCRAM-SHA-256,SCRAM-SHA-1 "));
    client.say("CAP REQ sasl");
    assert_eq!(codes(&settled(&client, "AUTHENTICATE PLAIN")), ["908", "904"]);
    // SCRAM does not show the password.
    let login = ClientLogin::password("ann", "secret");
    let sasl = login.choose(["SCRAM-SHA-256"], &Channel::new()).unwrap();
    settled(&client, "AUTHENTICATE SCRAM-SHA-256");
    let mut message = sasl.initial_encoded().unwrap().unwrap();
    loop {
        let received = settled(&client, &format!("AUTHENTICATE {message}"));
        let Some(challenge) = received.trim().strip_prefix("AUTHENTICATE ") else {
            assert_eq!(codes(&received), ["900", "903"]);
            break;
        };
        let response = sasl.respond_encoded(&network.reactor, challenge.as_bytes());
        for _ in 0..100 {
            client.advance(10);
        }
        message = response.take().unwrap().unwrap();
        message = if message.is_empty() { "+".to_owned() } else { message };
    }
}

#[test]
fn channels_belong_to_accounts() {
    let network = Network::new(config().accounts(users()));
    let nobody = network.client("nobody");
    nobody.say("JOIN #a");
    assert!(nobody.say("PRIVMSG ChanServ :REGISTER #a").contains("You have to be logged in"));
    nobody.say("PART #a");
    let (ann, _) = log_in(&network, "ann", PLAIN);
    assert!(ann.say("CS REGISTER #a").contains("not an operator of #a"));
    ann.say("JOIN #a");
    let registered = ann.say("PRIVMSG chanserv :register #A");
    assert!(
        registered.contains("MODE #a +r\n") && registered.contains("is registered now"),
        "{registered}"
    );
    assert!(ann.say("CS REGISTER #a").contains("already"));
    ann.say("TOPIC #a :kept\nMODE #a +s\nPART #a");
    assert_eq!(network.server.report().registered_channels, 1);
    // Nobody else gets it.
    let joined = nobody.say("JOIN #a");
    assert!(
        joined.contains(" 332 nobody #a :kept\n") && joined.contains("@ #a :nobody\n"),
        "{joined}"
    );
    assert!(nobody.say("CS DROP #a").contains("logged in"));
    let (bob, _) = log_in(&network, "bob", "AGJvYgBzZWNyZXQ=");
    assert!(bob.say("CS DROP #a").contains("does not belong to you"));
    assert!(bob.say("CS OP #a").contains("does not belong to you"));
    assert!(nobody.say("CS INFO #a").contains("belongs to ann"));
    // It is hidden from those who are not in it.
    assert!(bob.say("CS INFO #a").contains("is not registered"));
    assert!(bob.say("CS INFO #none").contains("is not registered"));
    assert!(bob.say("CS").contains(" 461 "));
    let back = ann.say("JOIN #a");
    assert!(back.contains("@ #a :nobody @ann\n") || back.contains("@ann"), "{back}");
    assert!(nobody.received().contains("MODE #a +o ann\n"));
    ann.say("MODE #a -o ann");
    assert!(ann.say("CS OP #a").contains("MODE #a +o ann"));
    ann.say("MODE #a +b *!*@*");
    ann.say("PART #a");
    assert!(ann.codes("JOIN #a").contains(&"JOIN".to_owned()), "its founder is not locked out");
    assert!(ann.say("CS DROP #a").contains("MODE #a -r"));
    assert_eq!(network.server.report().registered_channels, 0);
}
