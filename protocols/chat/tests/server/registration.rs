//! From the connection to the welcome.

use std::time::Duration;

use crate::server::network::{Network, codes, config};

#[test]
fn a_welcome() {
    let network = Network::new(config());
    let client = network.connect();
    assert_eq!(client.say("NICK ann"), "");
    let welcome = client.say("USER ann 0 * :Ann A.");
    assert_eq!(
        codes(&welcome),
        [
            "001", "002", "003", "004", "005", "005", "005", "251", "252", "253", "254", "255",
            "265", "266", "422"
        ]
    );
    assert!(
        welcome.starts_with(
            ":irc.test 001 ann :Welcome to the Test IRC network, ann!~ann@localhost\n"
        )
    );
    assert!(
        welcome.lines().all(|line| line.len() <= 510 && line.split(' ').count() <= 40),
        "{welcome}"
    );
    assert!(welcome.contains(" NETWORK=Test CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ "));
    assert_eq!(network.server.report().clients, 1);
}

#[test]
fn what_a_nick_and_a_user_may_be() {
    let network = Network::new(config());
    let _ann = network.client("ann");
    let client = network.connect();
    for (line, code) in [
        ("NICK", "431"),
        ("NICK :", "431"),
        ("NICK 1a", "432"),
        ("NICK :a b", "432"),
        ("NICK #a", "432"),
        ("NICK ChanServ", "432"),
        ("NICK abcdefghijklmnopqrstuvwxyz12345", "432"),
        ("NICK ANN", "433"),
        ("USER a", "461"),
        ("USER a!b 0 * :x", "468"),
        ("USER :a b 0 * x", "461"),
        ("JOIN #a", "451"),
        ("RUBBISH", "451"),
    ] {
        assert_eq!(client.codes(line), [code], "{line}");
    }
    assert!(client.say("NICK bob\nUSER abcdefghijklmnop 0 * :x").contains("bob!~abcdefghij@"));
    for (line, code) in [
        ("USER a 0 * :x", "462"),
        ("PASS x", "462"),
        ("NICK ann", "433"),
        ("RUBBISH", "421"),
        ("JOIN", "461"),
    ] {
        assert_eq!(client.codes(line), [code], "{line}");
    }
    assert_eq!(client.say("NICK bob2"), ":bob!~abcdefghij@localhost NICK :bob2\n");
    // The nick is free again.
    network.client("bob");
}

#[test]
fn capabilities_before_the_welcome() {
    let network = Network::new(config());
    let client = network.connect();
    let list = client.say("CAP LS");
    assert!(list.starts_with(":irc.test CAP * LS :account-notify account-tag "), "{list}");
    assert!(!list.contains("sasl"), "there are no accounts");
    assert_eq!(client.say("NICK ann\nUSER ann 0 * :x"), "", "it waits for CAP END");
    assert_eq!(client.say("CAP REQ :batch nothing"), ":irc.test CAP ann NAK :batch nothing\n");
    assert_eq!(client.say("CAP REQ :batch setname"), ":irc.test CAP ann ACK :batch setname\n");
    assert!(client.say("CAP LIST").ends_with("CAP ann LIST :batch setname\n"));
    assert!(client.say("CAP REQ -batch").ends_with("CAP ann ACK :-batch\n"));
    assert_eq!(client.codes("CAP RUBBISH"), ["410"]);
    assert!(codes(&client.say("CAP END")).contains(&"001".to_owned()));
    // Later, too.
    assert!(client.say("CAP REQ :echo-message").contains("ACK"));
}

#[test]
fn a_password_of_the_server() {
    for (pass, expected) in [("PASS :se cret", true), ("PASS wrong", false), ("PING x", false)] {
        let network = Network::new(config().password("se cret"));
        let client = network.connect();
        let received = client.say(&format!("{pass}\nNICK ann\nUSER ann 0 * :x"));
        assert_eq!(received.contains(" 001 "), expected, "{pass}");
        assert_eq!(client.is_closed(), !expected);
        if !expected {
            assert!(
                received.contains(" 464 ")
                    && received.contains("ERROR :Closing Link: localhost (Bad password)")
            );
        }
    }
}

#[test]
fn clocks() {
    let network = Network::new(config());
    // The registration in total, whatever is sent.
    let client = network.connect();
    for _ in 0..30 {
        assert!(!client.is_closed());
        client.say("PING x");
        client.advance(1_000);
    }
    assert!(client.received().contains("Registration timed out") && client.is_closed());
    // Silence.
    let client = network.client("ann");
    client.advance(89_000);
    assert_eq!(client.received(), "");
    client.advance(1_000);
    assert_eq!(client.received(), "PING :irc.test\n");
    client.advance(59_000);
    client.say("PONG :irc.test");
    client.advance(89_000);
    assert_eq!(client.received(), "");
    client.advance(1_000);
    client.received();
    client.advance(60_000);
    assert!(client.received().contains("Ping timeout: 150 seconds") && client.is_closed());
    assert_eq!(network.server.report().connections, 0);
}

#[test]
fn connections_of_one_network() {
    let limits =
        config().clients_per_network_max(2).connects(5, Duration::from_secs(60)).clients_max(4);
    let network = Network::new(limits);
    let first = network.connect_from("2001:db8::1");
    let _second = network.connect_from("2001:db8::2");
    let third = network.connect_from("2001:db8:0:0:9::3");
    assert_eq!(third.received(), "ERROR :Closing Link: (Too many connections from your network)\n");
    assert!(third.is_closed());
    drop(first.say("QUIT"));
    network.connect_from("2001:db8::4");
    network.connect_from("2001:db8::4");
    let fast = network.connect_from("2001:db8::4");
    assert!(fast.received().contains("connects too fast"));
    let _other = network.connect_from("192.0.2.1");
    let _third = network.connect_from("192.0.2.2");
    let full = network.connect_from("192.0.2.3");
    assert!(full.received().contains("The server is full"));
}

#[test]
fn cloaks_in_place_of_addresses() {
    let network = Network::new(config().cloak("secret"));
    let client = network.connect_from("192.0.2.7");
    let welcome = client.say("NICK ann\nUSER ann 0 * :x");
    assert!(welcome.contains(".ip4\n") && !welcome.contains("192.0.2.7"), "{welcome}");
    let other = network.client("bob");
    let whois = other.say("WHOIS ann");
    assert!(!whois.contains("192.0.2.7") && !other.say("WHO ann %i").contains("192.0.2.7"));
    assert!(client.say("WHOIS ann").contains("192.0.2.7"), "who it is knows its address");
    // Without a secret they are shown; an address never begins with a colon.
    let network = Network::new(config());
    let client = network.connect_from("::1");
    assert!(client.say("NICK ann\nUSER ann 0 * :x").contains("ann!~ann@0::1\n"));
}

/// What would not fit into the answer is not done: a list that is cut is another one.
#[test]
fn capabilities_whose_answer_would_be_cut() {
    let network = Network::new(config());
    let client = network.connect();
    client.say(&format!("CAP LS 302\nNICK {}", "n".repeat(30)));
    let asked = |count| format!("CAP REQ :{}", "echo-message ".repeat(count).trim());
    assert!(client.say(&asked(36)).contains(" NAK "));
    assert!(client.say("CAP LIST").ends_with(" LIST :cap-notify\n"));
    assert!(client.say(&asked(35)).contains(" ACK "));
}
