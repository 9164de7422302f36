//! MODE, of channels and of users.

use crate::server::network::{Network, codes, config};

#[test]
fn modes_of_channels() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    for (line, expected) in [
        ("MODE #a", ":irc.test 324 ann #a +nt\n:irc.test 329 ann #a "),
        ("MODE #a +m-t", ":ann!~ann@localhost MODE #a +m-t\n"),
        ("MODE #a +m", ""),
        ("MODE #a +l 5", ":ann!~ann@localhost MODE #a +l 5\n"),
        ("MODE #a +l x", ""),
        ("MODE #a -l", ":ann!~ann@localhost MODE #a -l\n"),
        ("MODE #a +k key", ":ann!~ann@localhost MODE #a +k key\n"),
        ("MODE #a", ":irc.test 324 ann #a +mnk key\n"),
        ("MODE #a +k :a b", ":irc.test 696 ann #a k * :The key is not valid\n"),
        ("MODE #a -k x", ":ann!~ann@localhost MODE #a -k *\n"),
        ("MODE #a +o", ":irc.test 696 ann #a o * :You must specify a parameter\n"),
        (
            "MODE #a +vo-m BOB nobody",
            ":irc.test 401 ann nobody :No such nick/channel\n:ann!~ann@localhost MODE #a +v-m bob\n",
        ),
        ("MODE #a +Z", ":irc.test 472 ann Z :is unknown mode char to me\n"),
        ("MODE #a +r", ""),
        ("MODE #a +b bad", ":ann!~ann@localhost MODE #a +b bad!*@*\n"),
        ("MODE #a +b BAD!*@*", ""),
        ("MODE #a b", ":irc.test 367 ann #a bad!*@* ann!~ann@localhost "),
        ("MODE #a -b bad", ":ann!~ann@localhost MODE #a -b bad!*@*\n"),
        ("MODE #x", ":irc.test 403 ann #x :No such channel\n"),
    ] {
        let received = ann.say(line);
        assert!(
            received.starts_with(expected) && (!expected.is_empty() || received.is_empty()),
            "{line}: {received}"
        );
    }
    bob.received();
    // Those who are not operators may look, and change nothing; they are told once.
    assert_eq!(bob.codes("MODE #a +b-m+o x bob"), ["482"]);
    assert_eq!(bob.codes("MODE #a b"), ["368"]);
    assert_eq!(bob.codes("MODE #a I"), ["482"]);
    let carl = network.client("carl");
    ann.say("MODE #a +k key");
    assert!(
        carl.say("MODE #a").contains("+knt *") || carl.say("MODE #a").contains("k *"),
        "the key is not shown"
    );
}

#[test]
fn who_may_join_and_speak() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    let join = |set: &str, code: &str| {
        ann.say(&format!("MODE #a {set}"));
        assert_eq!(carl.codes("JOIN #a"), [code], "{set}");
        let back = set.replace('+', "-");
        ann.say(&format!("MODE #a {back}"));
    };
    join("+b carl", "474");
    join("+b *!~CARL@*", "474");
    join("+k key", "475");
    join("+l 2", "471");
    join("+R", "477");
    join("+i", "473");
    ann.say("MODE #a +be carl!*@* *!*@localhost");
    assert!(carl.codes("JOIN #a").contains(&"JOIN".to_owned()), "excepted");
    carl.say("PART #a");
    ann.say("MODE #a -be carl!*@* *!*@localhost\nMODE #a +iI carl");
    assert!(carl.codes("JOIN #a").contains(&"JOIN".to_owned()), "invited for ever");
    carl.say("PART #a");
    ann.say("MODE #a -i+k key");
    assert!(carl.codes("JOIN #a key").contains(&"JOIN".to_owned()));
    carl.say("PART #a");
    ann.received();
    bob.received();
    // To speak.
    assert_eq!(carl.codes("PRIVMSG #a :x"), ["404"], "+n");
    ann.say("MODE #a -n");
    assert_eq!(carl.say("PRIVMSG #a :x"), "");
    ann.say("MODE #a +m");
    assert_eq!(bob.codes("PRIVMSG #a :x").last().unwrap(), "404");
    ann.say("MODE #a +v bob");
    bob.received();
    assert_eq!(bob.say("PRIVMSG #a :x"), "");
    ann.say("MODE #a -v+b-m bob bob");
    bob.received();
    assert_eq!(bob.codes("PRIVMSG #a :x"), ["404"]);
    assert_eq!(bob.codes("NICK bob2"), ["437"], "a ban cannot be escaped by another nick");
    assert_eq!(bob.say("NOTICE #a :x"), "", "notices are not answered");
    ann.say("MODE #a -b bob!*@*\nMODE #a +C");
    bob.received();
    assert_eq!(bob.codes("PRIVMSG #a :\x01VERSION\x01"), ["404"]);
    assert_eq!(bob.say("PRIVMSG #a :\x01ACTION waves\x01"), "");
}

#[test]
fn lists_are_bounded() {
    let network = Network::new(config().lists_max(3));
    let [ann] = network.in_channel(["ann"]);
    for number in 0..3 {
        ann.say(&format!("MODE #a +b u{number}"));
    }
    assert_eq!(ann.codes("MODE #a +b u3"), ["478"]);
    assert_eq!(ann.codes(&format!("MODE #a +e {}", "x".repeat(200))), ["478"]);
    assert_eq!(ann.say("MODE #a bbbbbb").matches(" 368 ").count(), 1, "a list once a message");
    let many = format!("MODE #a +{} {}", "v".repeat(40), "ann ".repeat(13));
    ann.say(&many);
}

#[test]
fn modes_of_users() {
    let network = Network::new(config());
    let (ann, bob) = (network.client("ann"), network.client("bob"));
    assert_eq!(ann.say("MODE ann"), ":irc.test 221 ann +\n");
    assert_eq!(ann.say("MODE ann +iwB"), ":ann!~ann@localhost MODE ann +iwB\n");
    assert_eq!(ann.say("MODE ann +i"), "");
    assert_eq!(ann.say("MODE ann +o"), "", "only OPER makes one an operator");
    assert_eq!(ann.codes("MODE ann +X"), ["501"]);
    assert_eq!(bob.codes("MODE ann"), ["502"]);
    assert_eq!(bob.codes("MODE nobody"), ["401"]);
    assert!(bob.say("WHOIS ann").contains(" 335 "));
}

/// A mask is a word: one with a space could not be told to others, nor be read again from the file of channels.
#[test]
fn masks_are_words() {
    let network = Network::new(config());
    let [ann] = network.in_channel(["ann"]);
    for mask in [":a b!c@d", "::a!b@c", "a\x07b"] {
        for letter in ["b", "e", "I"] {
            assert_eq!(ann.codes(&format!("MODE #a +{letter} {mask}")), ["696"], "{mask}");
        }
    }
    assert_eq!(ann.codes("MODE #a b"), ["368"]);
}

#[test]
fn modes_of_hidden_channels_are_for_members() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.client("carl");
    ann.say("MODE #a +b *!*@bad");
    assert_eq!(carl.codes("MODE #a"), ["324", "329"]);
    for hidden in ["+s", "-s+p"] {
        ann.say(&format!("MODE #a {hidden}"));
        // Nobody else learns that there is such a channel.
        for command in [
            "MODE #a",
            "MODE #a b",
            "MODE #a +m",
            "TOPIC #a",
            "TOPIC #a :x",
            "PART #a",
            "KICK #a bob",
            "INVITE bob #a",
            "PRIVMSG #a :x",
            "NAMES #a",
            "WHO #a",
        ] {
            let none = command.replace("#a", "#none");
            let found = carl.say(command);
            assert_eq!(found, carl.say(&none).replace("#none", "#a"), "{command}");
        }
        assert_eq!(codes(&bob.say("MODE #a b")).last().unwrap(), "368");
    }
    assert_eq!(ann.codes(&format!("MODE #a {}", "Z".repeat(400))).len(), 12, "no more errors");
}

/// A message of changes is told as several ones if it is too long with its source in front, or with its masks made whole: a mask that is
/// cut would be another one.
#[test]
fn changes_are_not_cut() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let told = |line: &str| {
        assert!(line.len() <= 510, "{line}");
        let own = ann.say(line);
        assert_eq!(bob.received(), own);
        assert!(own.lines().all(|line| line.len() <= 510), "{own}");
        own
    };
    let arguments = |told: &str| -> Vec<String> {
        let lines = told.lines().map(|line| line.split(' ').skip(4).map(str::to_owned));
        lines.flatten().collect()
    };
    // Four masks that fill the message.
    let masks: Vec<_> = (0..4).map(|number| format!("{number}{}!*@*", "m".repeat(115))).collect();
    let own = told(&format!("MODE #a +bbbb {}", masks.join(" ")));
    assert_eq!((own.lines().count(), arguments(&own)), (2, masks.clone()));
    let own = told(&format!("MODE #a -bbbb {}", masks.join(" ")));
    assert_eq!((own.lines().count(), arguments(&own)), (2, masks));
    // Twelve that are made whole.
    let masks: Vec<_> = (0..12).map(|number| format!("{number:0>38}")).collect();
    let own = told(&format!("MODE #a +{} {}", "b".repeat(12), masks.join(" ")));
    let whole: Vec<_> = masks.iter().map(|mask| format!("{mask}!*@*")).collect();
    assert_eq!(arguments(&own), whole);
    // Many without arguments: all are told.
    let own = told(&format!("MODE #a {}", "+m-m".repeat(120)));
    let letters = own.lines().map(|line| line.rsplit(' ').next().unwrap().matches('m').count());
    assert_eq!(letters.sum::<usize>(), 240);
}
