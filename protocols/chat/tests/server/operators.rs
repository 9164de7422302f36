//! Operators of the server.

use sinew_auth::{Authenticator, Users};
use tracing::{Level, dispatcher};

use crate::{
    log::Log,
    server::network::{Client, Network, codes, config},
};

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

#[test]
fn masks_of_no_network_are_refused() {
    let network = network();
    let ann = network.client("ann");
    settled(&ann, "OPER root toor");
    for mask in ["*@10.0.0.0/33", "*@::/129", "*@10.0.0.0/255.0.0.0"] {
        assert!(ann.say(&format!("KLINE {mask} :x")).contains("is no network"), "{mask}");
    }
    assert!(ann.say("UNKLINE *@10.0.0.0/33").contains("There is no ban"));
}

#[test]
fn bans_are_listed_for_operators() {
    let network = network();
    let (ann, bob) = (network.client("ann"), network.client("bob"));
    settled(&ann, "OPER root toor");
    ann.say("KLINE *@10.0.0.0/8 :spam and more\nKLINE bad@::1");
    let end = ":irc.test 219 ann k :End of /STATS report\n";
    let listed = ":irc.test 216 ann K 10.0.0.0/8 * * :spam and more\n\
        :irc.test 216 ann K 0::1 * bad :No reason\n";
    assert_eq!(ann.say("STATS k"), format!("{listed}{end}"));
    assert_eq!(bob.codes("STATS k"), ["481", "219"]);
    assert!(ann.say("UNKLINE bad@0::1").contains("Removed"));
    // Many are made as the client reads them.
    let narrow = network.narrow_client("carl");
    settled(&narrow, "OPER root toor");
    for number in 0..500 {
        ann.say(&format!("KLINE *@host{number} :x"));
    }
    assert_eq!(
        codes(&settled(&narrow, "STATS K")).iter().filter(|code| *code == "216").count(),
        501
    );
}

#[test]
fn acts_are_logged() {
    let log = Log::default();
    dispatcher::with_default(&log.subscriber(Level::INFO), || {
        let network = network();
        let ann = network.connect_from("192.0.2.1");
        ann.say("NICK ann\nUSER ann 0 * :x");
        let _bob = network.client("bob");
        for line in ["OPER root wrong", "OPER root toor", "KILL bob :bad", "KLINE a@b :spam"] {
            settled(&ann, line);
        }
        ann.say("UNKLINE a@b\nUNKLINE a@b\nKLINE nomask\nKILL nobody :x\nREHASH");
    });
    let lines = log.lines().into_iter().filter(|line| line.contains("sinew::"));
    let lines: Vec<_> =
        lines.map(|line| line.split_once("sinew::").unwrap().1.to_owned()).collect();
    let act = |act: &str, rest: &str| {
        format!(
            "irc: a privileged command of IRC act=\"{act}\" by=\"ann!~ann@192.0.2.1\" peer=192.0.2.1{rest}"
        )
    };
    let expected = [
        "login: a login failed service=\"irc\" peer=192.0.2.1 user=\"root\" mechanism=\"OPER\" reason=\"refused\"".to_owned(),
        act("OPER, refused", " to=\"root\""),
        act("OPER", " to=\"root\""),
        act("KILL", " to=\"bob!~bob@localhost\" reason=\"bad\""),
        act("KLINE", " to=\"a@b\" reason=\"spam\""),
        act("UNKLINE", " to=\"a@b\""),
        act("REHASH", ""),
    ];
    assert_eq!(lines, expected);
}
