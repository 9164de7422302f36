//! PRIVMSG, NOTICE, AWAY.

use crate::server::network::{Network, config};

#[test]
fn messages_go_where_they_are_sent() {
    let network = Network::new(config());
    let [ann, bob, carl] = network.in_channel(["ann", "bob", "carl"]);
    assert_eq!(ann.say("PRIVMSG #A :hello all"), "");
    assert_eq!(bob.received(), ":ann!~ann@localhost PRIVMSG #a :hello all\n");
    assert_eq!(carl.received(), ":ann!~ann@localhost PRIVMSG #a :hello all\n");
    ann.say("NOTICE BOB :psst");
    assert_eq!(
        (bob.received().as_str(), carl.received().as_str()),
        (":ann!~ann@localhost NOTICE bob :psst\n", "")
    );
    ann.say("MODE #a +v carl");
    bob.received();
    carl.received();
    bob.say("PRIVMSG @#a :operators\nPRIVMSG +#a :and voices");
    assert_eq!(ann.received().matches("PRIVMSG").count(), 2);
    assert_eq!(carl.received(), ":bob!~bob@localhost PRIVMSG +#a :and voices\n");
    for (line, codes) in [
        ("PRIVMSG", &["411"][..]),
        ("PRIVMSG bob", &["412"]),
        ("PRIVMSG bob :", &["412"]),
        ("PRIVMSG nobody :x", &["401"]),
        ("PRIVMSG #none :x", &["403"]),
        ("PRIVMSG a,b,c,d,e :x", &["407"]),
        ("NOTICE", &[]),
        ("NOTICE nobody :x", &[]),
        ("TAGMSG bob", &["421"]),
    ] {
        assert_eq!(ann.codes(line), codes, "{line}");
    }
}

#[test]
fn latin1_survives() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    ann.send(b"PRIVMSG #a :d\xe9j\xe0 vu\n");
    bob.advance(0);
    assert_eq!(bob.wire.sent(), b":ann!~ann@localhost PRIVMSG #a :d\xe9j\xe0 vu\r\n");
}

#[test]
fn what_is_relayed_is_cut_at_a_character() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    ann.say(&format!("PRIVMSG #a :{}", "é".repeat(245)));
    let received = bob.received();
    assert!((509..=511).contains(&received.len()) && !received.contains('\u{fffd}'), "{received}");
}

/// The same for all else that is said and passed on, wherever the limit falls.
#[test]
fn no_text_ends_inside_of_a_character() {
    for start in ["", "x"] {
        for command in [
            "NOTICE #a :",
            "TOPIC #a :",
            "AWAY :",
            "SETNAME :",
            "KICK #a carl :",
            "PART #a :",
            "QUIT :",
        ] {
            let network = Network::new(config());
            let ann = network.client("ann");
            ann.say("JOIN #a");
            let bob = network.with("bob", "away-notify setname");
            let carl = network.client("carl");
            bob.say("JOIN #a");
            carl.say("JOIN #a");
            bob.received();
            ann.say(&format!("{command}{start}{}", "é".repeat(240)));
            let received = bob.received();
            let is_whole = received.contains("ééé") && !received.contains('\u{fffd}');
            assert!(is_whole, "{command}{start} {received}");
        }
    }
}

#[test]
fn away() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    assert_eq!(bob.codes("AWAY :lunch"), ["306"]);
    assert_eq!(ann.say("PRIVMSG bob :x"), ":irc.test 301 ann bob :lunch\n");
    assert_eq!(ann.say("NOTICE bob :x"), "");
    assert!(ann.say("WHO bob").contains(" bob G "));
    assert_eq!(bob.codes("AWAY").last().unwrap(), "305");
    assert_eq!(ann.say("PRIVMSG bob :x"), "");
}
