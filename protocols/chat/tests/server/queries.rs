//! WHO, WHOIS, WHOWAS, MONITOR and the questions about the server.

use crate::server::network::{Network, codes, config};

#[test]
fn who() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    assert_eq!(
        bob.say("WHO #a"),
        ":irc.test 352 bob #a ~ann localhost irc.test ann H@ :0 Name of ann\n\
         :irc.test 352 bob #a ~bob localhost irc.test bob H :0 Name of bob\n:irc.test 315 bob #a :End of /WHO list\n"
    );
    assert!(
        bob.say("WHO ann %tcnuhaf,42")
            .contains(":irc.test 354 bob 42 #a ~ann localhost ann H@ 0\n")
    );
    assert_eq!(carl.codes("WHO #a"), ["352", "352", "315"]);
    ann.say("MODE ann +i\nMODE #a +s");
    assert_eq!(carl.codes("WHO #a"), ["315"], "a hidden channel");
    assert_eq!(carl.say("WHO a*").matches(" 352 ").count(), 0, "an invisible user");
    assert_eq!(bob.say("WHO a*").matches(" 352 ").count(), 1, "but for those in a common channel");
    assert_eq!(carl.say("WHO *name*car*").matches(" 352 ").count(), 1, "by the real name");
}

#[test]
fn whois_and_whowas() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    ann.say("JOIN #hidden\nMODE #hidden +s");
    ann.advance(5_000);
    let whois = bob.say("WHOIS ANN");
    assert_eq!(codes(&whois), ["311", "319", "312", "317", "318"]);
    assert!(whois.contains("311 bob ann ~ann localhost * :Name of ann\n"));
    assert!(whois.contains("319 bob ann :@#a\n") && whois.contains("317 bob ann 5 "));
    assert_eq!(bob.codes("WHOIS nobody"), ["401", "318"]);
    assert_eq!(bob.codes("WHOIS"), ["431"]);
    assert_eq!(bob.codes("WHOIS irc.test ann").last().unwrap(), "318");
    ann.say("NICK anna");
    assert!(bob.say("WHOWAS ann").contains(" 314 bob ann ~ann localhost * :Name of ann\n"));
    assert_eq!(bob.codes("WHOWAS nobody"), ["406", "369"]);
    ann.say("QUIT");
    bob.received();
    assert_eq!(bob.codes("WHOWAS anna 1"), ["314", "312", "369"]);
    // Masks find those who were not invisible.
    assert_eq!(codes(&bob.say("WHOWAS A*n")), ["314", "312", "369"]);
    assert_eq!(codes(&bob.say("WHOWAS a*")), ["314", "312", "314", "312", "369"]);
    let carl = network.client("carl");
    carl.say("MODE carl +i\nQUIT");
    assert_eq!(bob.codes("WHOWAS c*"), ["406", "369"]);
    assert_eq!(bob.codes("WHOWAS carl"), ["314", "312", "369"]);
}

#[test]
fn monitor() {
    let network = Network::new(config());
    let ann = network.client("ann");
    assert_eq!(ann.say("MONITOR + bob,Carl"), ":irc.test 731 ann :bob,Carl\n");
    let bob = network.client("BOB");
    assert_eq!(ann.received(), ":irc.test 730 ann :BOB!~BOB@localhost\n");
    assert_eq!(ann.codes("MONITOR S"), ["730", "731"]);
    bob.say("NICK carl");
    assert_eq!(ann.received(), ":irc.test 731 ann :BOB\n:irc.test 730 ann :carl!~BOB@localhost\n");
    bob.say("NICK CARL");
    assert_eq!(ann.received(), "", "the same nick");
    assert_eq!(ann.codes("MONITOR L"), ["732", "733"]);
    ann.say("MONITOR - carl");
    bob.say("QUIT");
    assert_eq!(ann.received(), "");
    let nicks: Vec<_> = (0..60).map(|number| format!("u{number}")).collect();
    ann.say(&format!("MONITOR + {}", nicks.join(",")));
    let nicks: Vec<_> = (60..120).map(|number| format!("u{number}")).collect();
    assert_eq!(ann.codes(&format!("MONITOR + {}", nicks.join(","))).first().unwrap(), "734");
    ann.say("MONITOR C");
    assert_eq!(ann.codes("MONITOR L"), ["733"]);
    assert_eq!(ann.codes("MONITOR X"), ["461"]);
}

#[test]
fn questions() {
    let network = Network::new(config());
    let ann = network.client("ann");
    for (line, expected) in [
        ("LUSERS", &["251", "252", "253", "254", "255", "265", "266"][..]),
        ("MOTD", &["422"]),
        ("VERSION", &["351"]),
        ("TIME", &["391"]),
        ("ADMIN", &["256", "257"]),
        ("INFO", &["371", "371", "374"]),
        ("LINKS", &["364", "365"]),
        ("HELP JOIN", &["704", "705", "706"]),
        ("HELP RUBBISH", &["524"]),
        ("VERSION irc.*", &["351"]),
        ("VERSION other.net", &["402"]),
        ("INFO other.net", &["402"]),
        ("STATS u", &["242", "219"]),
        ("USERS", &["446"]),
        ("USERHOST ann nobody", &["302"]),
        ("ISON ann nobody", &["303"]),
        ("PING :a b", &["PONG"]),
        ("PING", &["461"]),
        ("PONG x", &[]),
    ] {
        assert_eq!(ann.codes(line), expected, "{line}");
    }
    assert_eq!(ann.say("PING :a b"), ":irc.test PONG irc.test :a b\n");
    assert_eq!(ann.say("USERHOST ANN"), ":irc.test 302 ann :ann=+~ann@localhost\n");
    assert_eq!(ann.say("ISON :ann nobody"), ":irc.test 303 ann :ann\n");
}

/// A reply that would be too long has fewer names in it, or is several: a name that is cut would be another one.
#[test]
fn names_are_not_cut() {
    let network = Network::new(config());
    let name = |number: usize| format!("n{number:0>28}");
    let clients: Vec<_> = (0..16).map(|number| network.client(&name(number))).collect();
    let names: Vec<_> = (0..16).map(name).collect();
    let ann = &clients[0];
    let texts = |received: &str| -> Vec<String> {
        let texts = received.lines().map(|line| line.rsplit_once(" :").unwrap().1.to_owned());
        texts.collect()
    };
    let ison = ann.say(&format!("ISON :{}", names.join(" ")));
    let there = texts(&ison).concat();
    let there: Vec<_> = there.split(' ').collect();
    assert!(ison.len() > 450 && there.len() == 15, "{ison}");
    assert!(there.iter().all(|nick| names.iter().any(|name| name == nick)), "{ison}");

    let hosts = ann.say(&format!("USERHOST {}", names[..5].join(" ")));
    assert_eq!(texts(&hosts).concat().split(' ').count(), 5, "{hosts}");
    assert!(hosts.trim_end().ends_with("@localhost"), "{hosts}");

    let watch = |first: usize, count: usize| {
        let nicks: Vec<_> = (first..first + count).map(|number| name(100 + number)).collect();
        (format!("MONITOR + {}", nicks.join(",")), nicks)
    };
    for first in (0..100).step_by(10) {
        assert_eq!(ann.codes(&watch(first, 10).0), ["731"]);
    }
    let (line, nicks) = watch(100, 16);
    let refused = ann.say(&line);
    let refused: Vec<_> = refused.lines().filter(|line| line.contains(" 734 ")).collect();
    let refused: Vec<_> = refused
        .iter()
        .flat_map(|line| {
            let (front, text) = line.rsplit_once(" :").unwrap();
            assert_eq!(text, "Monitor list is full");
            front.rsplit_once(' ').unwrap().1.split(',')
        })
        .collect();
    assert_eq!(refused, nicks);
}
