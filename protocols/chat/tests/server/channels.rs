//! JOIN, PART, KICK, INVITE, TOPIC, NAMES, LIST, and the end of clients.

use std::time::Duration;

use crate::server::network::{Client, Network, codes, config};

#[test]
fn who_is_told_of_what() {
    let network = Network::new(config());
    let (ann, bob) = (network.client("ann"), network.client("bob"));
    assert_eq!(
        ann.say("JOIN #A"),
        ":ann!~ann@localhost JOIN #A\n:irc.test 353 ann = #A :@ann\n:irc.test 366 ann #A :End of /NAMES list\n"
    );
    assert!(bob.say("JOIN #a").contains("353 bob = #A :@ann bob\n"), "names keep their case");
    assert_eq!(ann.received(), ":bob!~bob@localhost JOIN #A\n");
    assert_eq!(bob.say("JOIN #a"), "", "it is there already");
    assert_eq!(ann.say("TOPIC #a :new things"), ":ann!~ann@localhost TOPIC #A :new things\n");
    assert_eq!(bob.received(), ":ann!~ann@localhost TOPIC #A :new things\n");
    assert_eq!(codes(&bob.say("TOPIC #a")), ["332", "333"]);
    assert_eq!(bob.codes("TOPIC #a :mine"), ["482"]);
    assert_eq!(bob.say("PART #a :so long"), ":bob!~bob@localhost PART #A :so long\n");
    assert_eq!(ann.received(), ":bob!~bob@localhost PART #A :so long\n");
    assert_eq!(bob.codes("PART #a"), ["442"]);
    assert_eq!(bob.codes("PART #x,#y"), ["403", "403"]);
    bob.say("JOIN #a");
    ann.received();
    assert_eq!(ann.say("KICK #a bob"), ":ann!~ann@localhost KICK #A bob :ann\n");
    assert_eq!(bob.received(), ":ann!~ann@localhost KICK #A bob :ann\n");
    assert_eq!(ann.codes("KICK #a bob"), ["441"]);
    assert_eq!(ann.codes("KICK #a nobody"), ["401"]);
    assert_eq!(bob.codes("KICK #a ann"), ["442"]);
    ann.say("PART #a");
    assert_eq!(network.server.report().channels, 0, "a channel without members is forgotten");
}

#[test]
fn names_that_are_none() {
    let network = Network::new(config());
    let ann = network.client("ann");
    for name in ["a", "#", "&a", "#a\x07", &format!("#{}", "x".repeat(64))] {
        assert_eq!(ann.codes(&format!("JOIN {name}")), ["403"], "{name}");
    }
    assert_eq!(codes(&ann.say("JOIN #a,#b,,#c")).iter().filter(|code| *code == "JOIN").count(), 3);
    assert_eq!(codes(&ann.say("JOIN 0")), ["PART", "PART", "PART"]);
}

#[test]
fn limits_of_channels() {
    let network = Network::new(config().channels_per_client_max(2).members_max(2).channels_max(3));
    let [ann, bob, carl] = ["ann", "bob", "carl"].map(|nick| network.client(nick));
    assert_eq!(ann.codes("JOIN #a,#b,#c").last().unwrap(), "405");
    bob.say("JOIN #a");
    assert_eq!(carl.codes("JOIN #a"), ["471"]);
    assert!(carl.codes("JOIN #c").contains(&"366".to_owned()));
    assert_eq!(carl.codes("JOIN #d"), ["405"]);
}

#[test]
fn invitations() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    ann.say("MODE #a +i");
    bob.received();
    assert_eq!(carl.codes("JOIN #a"), ["473"]);
    assert_eq!(bob.codes("INVITE carl #a"), ["482"]);
    assert_eq!(ann.codes("INVITE nobody #a"), ["401"]);
    assert_eq!(ann.codes("INVITE bob #a"), ["443"]);
    assert_eq!(ann.codes("INVITE carl #x"), ["403"]);
    assert_eq!(ann.codes("INVITE carl"), ["461"]);
    assert_eq!(ann.say("INVITE carl #a"), ":irc.test 341 ann carl #a\n");
    assert_eq!(carl.received(), ":ann!~ann@localhost INVITE carl #a\n");
    assert_eq!(codes(&carl.say("INVITE")), ["336", "337"]);
    assert!(carl.codes("JOIN #a").contains(&"JOIN".to_owned()));
    carl.say("PART #a");
    assert_eq!(carl.codes("JOIN #a"), ["473"], "once");
}

#[test]
fn quit_reaches_all_common_channels_once() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    ann.say("JOIN #b,#c");
    bob.say("JOIN #b,#c");
    carl.say("JOIN #x");
    ann.received();
    let error = bob.say("QUIT :bye");
    assert_eq!(error, "ERROR :Closing Link: localhost (Quit: bye)\n");
    assert!(bob.is_closed());
    assert_eq!(ann.received(), ":bob!~bob@localhost QUIT :Quit: bye\n");
    assert_eq!(carl.received(), "");
    // A connection that is cut.
    let dan = network.client("dan");
    dan.say("JOIN #a,#b");
    ann.received();
    dan.wire.reset();
    ann.advance(0);
    assert_eq!(codes(&ann.received()), ["QUIT"]);
    let eve = network.client("eve");
    eve.say("JOIN #a");
    ann.received();
    eve.wire.close();
    ann.advance(0);
    assert_eq!(ann.received(), ":eve!~eve@localhost QUIT :Remote host closed the connection\n");
    assert_eq!(network.server.report().clients, 2);
}

#[test]
fn lists_of_channels() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    ann.say("TOPIC #a :things\nJOIN #secret\nMODE #secret +s\nJOIN #b");
    bob.received();
    let listed = |lines: &str| {
        let received = bob.say(lines);
        let lines = received.lines().filter(|line| line.contains(" 322 "));
        lines.map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(listed("LIST"), ["#a 2 :things", "#b 1 :"]);
    assert_eq!(listed("LIST #b,#none"), ["#b 1 :"]);
    assert_eq!(listed("LIST !#b"), ["#a 2 :things"]);
    assert_eq!(listed("LIST #*,!?A"), ["#b 1 :"]);
    assert_eq!(listed("LIST >1"), ["#a 2 :things"]);
    assert_eq!(listed("LIST <2"), ["#b 1 :"]);
    assert_eq!(bob.say("NAMES #secret"), ":irc.test 366 bob #secret :End of /NAMES list\n");
    assert!(ann.say("NAMES #secret").contains("353 ann @ #secret :@ann\n"));
    assert_eq!(bob.codes("TOPIC #secret"), ["403"]);
}

/// NAMES without a channel: of all that the client may see.
#[test]
fn names_of_all_channels() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    const END: &str = "366 carl * :End of /NAMES list\n";
    ann.say("JOIN #b,#secret\nMODE #secret +s");
    bob.say("MODE bob +i\nJOIN #c");
    assert_eq!(
        carl.say("NAMES"),
        format!(":irc.test 353 carl = #a :@ann\n:irc.test 353 carl = #b :@ann\n:irc.test {END}"),
        "an invisible user is seen by members alone, also if nobody else is in a channel"
    );
    assert!(ann.say("NAMES").contains(" @ #secret :@ann\n"));
    assert_eq!(ann.say("NAMES").matches(" :@ann bob\n").count(), 1);
}

/// A long NAMES is made as there is room, and says nothing of channels that have gone, or are hidden meanwhile.
#[test]
fn names_of_more_channels_than_the_queue_holds() {
    let network = Network::new(config().channels_per_client_max(2_000));
    let [ann, carl] = ["ann", "carl"].map(|nick| network.client(nick));
    let name = |number: usize| format!("#{number:0>60}");
    (0..1_000).for_each(|number| drop(ann.say(&format!("JOIN {}", name(number)))));
    carl.wire.set_capacity(1_000);
    carl.send(b"NAMES\n");
    let mut received = carl.received();
    assert!(received.contains(&name(0)) && !received.contains(&name(997)), "{received}");
    ann.say(&format!("MODE {} +s\nPART {}", name(997), name(998)));
    while !received.ends_with("366 carl * :End of /NAMES list\n") {
        received += &carl.received();
    }
    let is_listed = |number| received.contains(&format!(" 353 carl = {} :@ann\n", name(number)));
    assert!((0..997).all(is_listed) && is_listed(999));
    assert!(!received.contains(&name(997)) && !received.contains(&name(998)));
}

/// A list that is not read holds no names: what it tells is what is there when it is made.
#[test]
fn long_lists_hold_no_names() {
    for (question, line, end) in
        [("LIST", " 322 carl ", " 323 "), ("NAMES", " 353 carl = ", " 366 ")]
    {
        let network = Network::new(config().channels_per_client_max(2_000));
        let (ann, carl) = (network.client("ann"), network.narrow_client("carl"));
        (0..200).for_each(|number| drop(ann.say(&format!("JOIN #{number:0>60}"))));
        carl.wire.set_capacity(100);
        carl.send(format!("{question}\n").as_bytes());
        let mut received = carl.received();
        ann.say(&format!("PART #{:0>60}\nJOIN #z,#0", 198));
        while !received.contains(end) {
            received += &carl.received();
        }
        let is_told = |name: &str| received.contains(&format!("{line}{name} "));
        assert!(is_told("#z") && is_told(&format!("#{:0>60}", 199)), "{received}");
        assert!(!is_told("#0") && !is_told(&format!("#{:0>60}", 198)), "{received}");
        assert_eq!(received.matches(line).count(), 200);
    }
}

#[test]
fn a_list_that_is_longer_than_the_queue() {
    let network = Network::new(config().send_queue_max(80_000).channels_per_client_max(5_000));
    let ann = network.client("ann");
    for number in 0..40 {
        let names: Vec<_> = (0..50).map(|other| format!("#channel{number}x{other}")).collect();
        ann.say(&format!("JOIN {}", names[..25].join(",")));
        ann.say(&format!("JOIN {}", names[25..].join(",")));
    }
    let bob = network.client("bob");
    bob.wire.set_capacity(1_000);
    bob.send(b"LIST\n");
    let mut received = String::new();
    while !bob.is_closed() && !received.ends_with("End of /LIST\n") {
        received += &bob.received();
    }
    let listed = received.matches(" 322 ").count();
    assert_eq!(listed, 2_000);
    assert!(!bob.is_closed());
    bob.advance(Duration::from_secs(1).as_millis() as u64);
}

#[test]
fn netsplit_of_1000() {
    let network = Network::new(config().send_queue_max(1 << 20));
    let ann = network.client("ann");
    ann.say("JOIN #a,#b");
    let others: Vec<_> = (0..1_000)
        .map(|number| {
            let client = network.client(&format!("u{number}"));
            client.send(b"JOIN #a,#b\n");
            client
        })
        .collect();
    let names = ann.say("NAMES #a");
    assert!(names.lines().all(|line| line.len() <= 510));
    let shown: usize = names
        .lines()
        .filter(|line| line.contains(" 353 "))
        .map(|line| line.split(':').nth(2).unwrap().split(' ').count())
        .sum();
    assert_eq!(shown, 1_001);
    ann.received();
    others.iter().for_each(|client| client.wire.reset());
    ann.advance(0);
    let received = ann.received();
    assert_eq!(received.matches(" QUIT ").count(), 1_000, "once each");
    assert_eq!(network.server.report().clients, 1);
}

#[test]
fn who_and_names_that_are_longer_than_the_queue() {
    let network = Network::new(config().send_queue_max(20_000));
    let ann = network.with("ann", "userhost-in-names labeled-response batch");
    let without_batches = network.with("bob", "labeled-response");
    ann.say("JOIN #a");
    // Those who do not read of the others would be disconnected, too.
    let others: Vec<_> = (0..800)
        .map(|number| {
            let client = network.client(&format!("member{number}"));
            client.send(b"JOIN #a\n");
            ann.received();
            client
        })
        .collect();
    others.iter().for_each(|client| drop(client.received()));
    ann.wire.set_capacity(1_000);
    for (line, reply, end) in [
        ("WHO #a", " 352 ", "End of /WHO list\n"),
        ("NAMES #a", "@localhost", "End of /NAMES list\n"),
    ] {
        ann.send(format!("{line}\n").as_bytes());
        let mut received = String::new();
        while !ann.is_closed() && !received.ends_with(end) {
            received += &ann.received();
        }
        assert!(received.len() > 20_000, "{line}");
        assert_eq!(received.matches(reply).count(), 801, "{line}");
    }
    // A label is for all of them.
    let read = |client: &Client, line: &str, end: &str| {
        client.wire.set_capacity(1_000);
        client.send(format!("{line}\n").as_bytes());
        let mut received = String::new();
        while !client.is_closed() && !received.ends_with(end) {
            received += &client.received();
        }
        received
    };
    let received = read(&ann, "@label=x WHO #a", "BATCH -1\n");
    assert!(received.starts_with("@label=x :irc.test BATCH +1 labeled-response\n@batch=1 "));
    assert_eq!(received.matches("@batch=1 ").count(), 802);
    assert_eq!(received.matches(" 352 ").count(), 801);
    let received = read(&without_batches, "@label=x WHO #a", "End of /WHO list\n");
    assert!(received.starts_with("@label=x :irc.test 352 "), "{received}");
    assert_eq!((received.matches("label").count(), received.matches(" 352 ").count()), (1, 500));
    let list = read(&ann, "@label=y LIST", "BATCH -2\n");
    assert_eq!(list.matches("@batch=2 ").count(), 3, "a short one: {list}");
    assert!(!ann.is_closed() && !without_batches.is_closed());
    // One that does not read gets a few of them.
    for _ in 0..10 {
        ann.send(b"WHO #a\n");
    }
    let mut received = String::new();
    while !received.ends_with("End of /WHO list\n") || received.matches("End of").count() < 3 {
        received += &ann.received();
    }
    assert_eq!(received.matches("End of").count(), 3);
    assert_eq!(received.matches(" 263 ann WHO ").count(), 7);
}

/// Who is not an operator can tell somebody of a channel, and not let in whom a ban or a key keeps out.
#[test]
fn invitations_of_members_open_no_doors() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    ann.say("MODE #a +bk carl!*@* key");
    bob.received();
    assert_eq!(bob.codes("INVITE carl #a"), ["341"]);
    assert_eq!(carl.received(), ":bob!~bob@localhost INVITE carl #a\n");
    assert_eq!(carl.codes("JOIN #a key"), ["474"]);
    ann.say("INVITE carl #a");
    carl.received();
    assert!(carl.codes("JOIN #a").contains(&"JOIN".to_owned()));
}

/// An invitation is to the channel that there was, not to another one of its name.
#[test]
fn invitations_end_with_the_channel() {
    let network = Network::new(config());
    let [ann] = network.in_channel(["ann"]);
    let [bob, carl] = ["bob", "carl"].map(|nick| network.client(nick));
    ann.say("INVITE carl #a\nPART #a");
    ann.advance(2_000);
    bob.say("JOIN #a\nMODE #a +i");
    carl.received();
    assert_eq!(carl.codes("JOIN #a"), ["473"]);
}
