//! Operators of the server.

use sinew_auth::{Authenticator, Users};

use crate::server::network::{Client, Network, codes, config};

fn network() -> Network {
    Network::new(config().operators(Authenticator::new(Users::new().user("root", "toor"))))
}

fn settled(client: &Client, lines: &str) -> String {
    let mut received = client.say(lines);
    for _ in 0..100 {
        client.advance(100);
        received += &client.received();
    }
    received
}

#[test]
fn only_operators() {
    let network = network();
    let (ann, bob) = (network.client("ann"), network.client("bob"));
    for line in ["KILL bob :x", "KLINE a@b", "UNKLINE a@b", "REHASH", "WALLOPS :x"] {
        assert_eq!(ann.codes(line), ["481"], "{line}");
    }
    assert_eq!(codes(&settled(&ann, "OPER root wrong")), ["464"]);
    assert_eq!(codes(&settled(&ann, "OPER root toor")), ["381", "MODE"]);
    assert!(bob.say("WHOIS ann").contains(" 313 "));
    assert!(bob.say("WHO ann").contains(" ann H* "));
    bob.say("MODE bob +w");
    ann.say("WALLOPS :hello");
    assert_eq!(bob.received(), ":ann!~ann@localhost WALLOPS :hello\n");
    assert_eq!(ann.codes("KILL nobody :x"), ["401"]);
    bob.say("JOIN #a");
    ann.say("JOIN #a");
    bob.received();
    assert_eq!(ann.say("KILL bob :bad"), ":bob!~bob@localhost QUIT :Killed (ann (bad))\n");
    assert!(bob.received().contains(":ann!~ann@localhost KILL bob :bad\nERROR :Closing Link"));
    assert!(bob.is_closed());
    assert_eq!(ann.say("MODE ann -o"), ":ann!~ann@localhost MODE ann -o\n");
    assert_eq!(ann.codes("KILL ann :x"), ["481"]);
    let without = Network::new(config());
    assert_eq!(without.client("ann").codes("OPER root toor"), ["491"]);
}

#[test]
fn an_operator_may_kill_itself() {
    let network = network();
    let ann = network.client("ann");
    settled(&ann, "OPER root toor");
    assert!(ann.say("KILL ann :x").contains("ERROR"));
    assert!(ann.is_closed());
    assert_eq!(network.server.report().connections, 0);
}

#[test]
fn tries_are_bounded() {
    let network = network();
    let ann = network.client("ann");
    for _ in 0..5 {
        settled(&ann, "OPER root wrong");
    }
    assert!(ann.is_closed());
}

#[test]
fn bans_from_the_server() {
    let network = network();
    let ann = network.client("ann");
    settled(&ann, "OPER root toor");
    let bad = network.connect_from("192.0.2.7");
    bad.say("NICK bad\nUSER bad 0 * :x");
    assert!(ann.say("KLINE nomask").contains("user@host"));
    assert!(ann.say("KLINE *@192.0.2.* :spam").contains("Added"));
    assert!(
        bad.received().contains("465 bad :You are banned from this server: spam\n")
            && bad.is_closed()
    );
    let again = network.connect_from("192.0.2.8");
    assert!(again.say("NICK bad\nUSER bad 0 * :x").contains(" 465 ") && again.is_closed());
    assert!(ann.say("UNKLINE *@192.0.2.*").contains("Removed"));
    assert!(ann.say("UNKLINE *@192.0.2.*").contains("There is no ban"));
    // However the addresses of a network are written.
    let bad = network.connect_from("2001:db8:1::5");
    bad.say("NICK bad6\nUSER bad 0 * :x");
    ann.say("KLINE *@2001:db8:1::/64 :spam");
    assert!(bad.received().contains(" 465 ") && bad.is_closed());
    let again = network.connect_from("2001:db8:1:0:9:8:7:6");
    assert!(again.say("NICK bad6\nUSER bad 0 * :x").contains(" 465 ") && again.is_closed());
    let again = network.connect_from("192.0.2.8");
    assert!(again.say("NICK bad\nUSER bad 0 * :x").contains(" 001 "));
}
