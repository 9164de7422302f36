//! Capabilities: who sees which tags and which messages.

use crate::server::network::{Network, codes, config, users};

const ALL: &str = "account-notify account-tag away-notify batch chghost echo-message extended-join invite-notify \
                   labeled-response message-tags multi-prefix server-time setname standard-replies userhost-in-names";

#[test]
fn tags_are_for_those_who_want_them() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    let carl = network.with("carl", "message-tags server-time");
    carl.say("JOIN #a");
    ann.received();
    bob.received();
    // Without the capability, tags of clients go nowhere.
    ann.say("@+draft/x=1;label=2 PRIVMSG #a :hello");
    assert_eq!(bob.received(), ":ann!~ann@localhost PRIVMSG #a :hello\n");
    assert!(carl.received().starts_with("@time=") && !carl.received().contains("+draft"));
    carl.say("@+draft/x=a\\sb;private=1 PRIVMSG #a :hello\nTAGMSG #a\n@+typing=active TAGMSG #a");
    assert_eq!(bob.received(), ":carl!~carl@localhost PRIVMSG #a :hello\n");
    let dan = network.with("dan", "message-tags");
    dan.say("JOIN #a");
    carl.say("@+draft/x=a\\sb;private=1 PRIVMSG #a :hello\n@+typing=active TAGMSG #a");
    let received = dan.received();
    let [said, typed] = received.lines().collect::<Vec<_>>()[..] else { panic!("{received}") };
    assert!(said.starts_with("@msgid=") && typed.starts_with("@msgid="));
    assert!(said.ends_with(";+draft/x=a\\sb :carl!~carl@localhost PRIVMSG #a :hello"), "{said}");
    assert!(typed.ends_with(";+typing=active :carl!~carl@localhost TAGMSG #a"), "{typed}");
    carl.say("MODE carl +B\nPRIVMSG dan :x");
    assert!(dan.received().contains(";bot :carl!"));
}

#[test]
fn echo_and_labels() {
    let network = Network::new(config());
    let ann = network.with("ann", "echo-message labeled-response batch message-tags");
    assert_eq!(ann.say("@label=1 PING x"), "@label=1 :irc.test PONG irc.test :x\n");
    assert_eq!(ann.say("@label=2 PONG x"), "@label=2 :irc.test ACK\n");
    let joined = ann.say("@label=3 JOIN #a");
    assert_eq!(codes(&joined), ["BATCH", "JOIN", "353", "366", "BATCH"]);
    assert!(
        joined.starts_with("@label=3 :irc.test BATCH +1 labeled-response\n@batch=1 :ann!"),
        "{joined}"
    );
    let echo = ann.say("@label=4;+a=b PRIVMSG #a :x");
    assert!(echo.starts_with("@label=4;msgid="), "{echo}");
    assert!(echo.ends_with(";+a=b :ann!~ann@localhost PRIVMSG #a :x\n"), "{echo}");
    let to_itself = ann.say("@label=8 PRIVMSG ann :x");
    assert_eq!(to_itself.matches("PRIVMSG").count(), 2);
    assert_eq!(to_itself.matches("label=8").count(), 1, "its echo is the reply: {to_itself}");
    assert_eq!(
        ann.say("@label=5 RUBBISH"),
        "@label=5 :irc.test 421 ann RUBBISH :Unknown command\n"
    );
    assert!(ann.say("@label=6 LIST").contains("labeled-response"));
    assert_eq!(ann.say("@label= PONG x"), "", "an empty label is none");
    assert!(ann.say("@label=7 QUIT").contains("ERROR"));
}

#[test]
fn joins_names_and_changes() {
    let network = Network::new(config().accounts(users()));
    let all = network.with("all", ALL);
    let plain = network.client("plain");
    all.say("JOIN #a");
    plain.say("JOIN #a");
    let joined = all.received();
    assert!(joined.ends_with(":plain!~plain@localhost JOIN #a * :Name of plain\n"), "{joined}");
    all.say("MODE #a +v all");
    plain.received();
    assert!(all.say("NAMES #a").contains(" :@+all!~all@localhost plain!~plain@localhost\n"));
    assert!(plain.say("NAMES #a").contains(" :@all plain\n"));
    plain.say("AWAY :lunch");
    assert!(all.received().contains(":plain!~plain@localhost AWAY :lunch\n"));
    plain.say("SETNAME :New Name");
    assert!(all.received().contains(":plain!~plain@localhost SETNAME :New Name\n"));
    assert_eq!(plain.received(), "");
    assert!(all.say("SETNAME :").contains("FAIL SETNAME INVALID_REALNAME"));
    // A login after the welcome.
    plain.say("CAP REQ sasl\nAUTHENTICATE PLAIN");
    plain.advance(200);
    let received = plain.say("AUTHENTICATE AGFubgBzZWNyZXQ=");
    plain.advance(1_000);
    assert!((received + &plain.received()).contains(" 903 "));
    assert!(all.received().contains(":plain!~plain@localhost ACCOUNT ann\n"));
    plain.say("PRIVMSG #a :x");
    let received = all.received();
    assert!(
        received.contains(";account=ann;msgid=") && received.starts_with("@time="),
        "{received}"
    );
    // The account is with all that somebody with an account does (account-tag).
    let invited = network.with("invited", "account-tag");
    plain.say("INVITE invited #a");
    assert_eq!(invited.received(), "@account=ann :plain!~plain@localhost INVITE invited #a\n");
    invited.say("JOIN #a");
    all.say("MODE #a +o plain");
    all.received();
    invited.received();
    plain.say("TOPIC #a :things\nKICK #a invited");
    let received = invited.received();
    assert_eq!(received.matches("@account=ann :plain!").count(), 2, "{received}");
    plain.say("CAP REQ account-tag");
    assert_eq!(plain.say("MODE plain +i"), "@account=ann :plain!~plain@localhost MODE plain +i\n");
    let [away, joined] = ["AWAY :x", "PART #a\nJOIN #a"].map(|lines| {
        plain.say(lines);
        all.received()
    });
    for (received, command) in [(&away, "AWAY"), (&joined, "AWAY"), (&joined, "JOIN")] {
        let line = received.lines().find(|line| line.contains(&format!("localhost {command} ")));
        assert!(line.is_some_and(|line| line.contains("account=ann ")), "{command}: {received}");
    }
    // Those who join see who is away.
    let other = network.client("other");
    other.say("AWAY :x\nJOIN #a");
    assert!(all.received().contains(":other!~other@localhost AWAY :x\n"));
}
