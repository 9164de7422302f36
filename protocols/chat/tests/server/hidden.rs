//! What clients who are not in a hidden channel learn of it.

use crate::server::network::{Client, Network, codes, config, users};

/// A channel that is there, and a name that no channel has: of the same length.
const THERE: &str = "#hidden";
const NONE: &str = "#absent";

/// All that can be said with the name of a channel in it, but for JOIN.
const QUESTIONS: [&str; 39] = [
    "PART {}",
    "PART {} :bye",
    "PART #x,{}",
    "KICK {} ann",
    "KICK {} eve",
    "KICK {} nobody",
    "INVITE ann {}",
    "INVITE carl {}",
    "INVITE nobody {}",
    "TOPIC {}",
    "TOPIC {} :new",
    "NAMES",
    "NAMES {}",
    "LIST",
    "LIST {}",
    "LIST >0",
    "WHO {}",
    "WHO {} o",
    "WHO {} %tcuhnfar,1",
    "WHO ann",
    "WHOIS ann",
    "WHOWAS {}",
    "MODE {}",
    "MODE {} b",
    "MODE {} e",
    "MODE {} +m",
    "MODE {} +b x",
    "MODE {} +o eve",
    "MODE {} -k x",
    "PRIVMSG {} :x",
    "PRIVMSG @{} :x",
    "PRIVMSG {},#x :x",
    "NOTICE {} :x",
    "TAGMSG {}",
    "CHANSERV INFO {}",
    "CHANSERV REGISTER {}",
    "CHANSERV DROP {}",
    "CHANSERV OP {}",
    "PRIVMSG ChanServ :INFO {}",
];

/// What somebody is told, with the name of the channel taken out.
fn told(client: &Client, question: &str, name: &str) -> String {
    client.say(&question.replace("{}", name)).replace(name, "{}")
}

#[test]
fn hidden_channels_are_none() {
    for (mode, is_registered, is_empty) in
        [("s", false, false), ("p", false, false), ("s", true, false), ("p", true, true)]
    {
        let network = Network::new(config().accounts(users()));
        let ann = network.with("ann", "sasl");
        for (step, answer) in [("PLAIN", "AUTHENTICATE +"), ("AGFubgBzZWNyZXQ=", " 903 ")] {
            ann.send(format!("AUTHENTICATE {step}\n").as_bytes());
            assert!(receives(&ann, answer), "{answer}");
        }
        let carl = network.client("carl");
        let eve = network.with("eve", "message-tags labeled-response echo-message");
        ann.say(&format!("JOIN {THERE}\nTOPIC {THERE} :things\nMODE {THERE} +{mode}"));
        if is_registered {
            assert!(ann.say(&format!("CHANSERV REGISTER {THERE}")).contains("registered now"));
        }
        carl.say(&format!("JOIN {THERE}"));
        if is_empty {
            ann.say(&format!("PART {THERE}"));
            carl.say(&format!("PART {THERE}"));
        }
        for question in QUESTIONS {
            ann.received();
            carl.received();
            let (there, none) = (told(&eve, question, THERE), told(&eve, question, NONE));
            assert_eq!(there, none, "{question}, +{mode}, registered: {is_registered}");
            assert!(!there.contains(THERE), "{question}: {there}");
            let heard = ann.received() + &carl.received();
            assert_eq!(heard, "", "{question}");
        }
        // Nobody can tell by what is too much either: no channel can be joined that is one too many.
        let names: Vec<String> = (0..50).map(|number| format!("#{number}")).collect();
        names.iter().for_each(|name| drop(eve.say(&format!("JOIN {name}"))));
        let (there, none) = (told(&eve, "JOIN {}", THERE), told(&eve, "JOIN {}", NONE));
        assert_eq!((codes(&there), &there), (vec!["405".to_owned()], &none));
    }
}

/// A login is checked by a thread, which in a simulation is the loop.
fn receives(client: &Client, text: &str) -> bool {
    (0..100).any(|_| {
        client.advance(100);
        client.received().contains(text)
    })
}

/// JOIN makes a channel where there is none, so that every other answer tells that there is one: it says why, as other servers do.
#[test]
fn join_says_why_it_refuses() {
    for (modes, number) in [
        ("+i", "473"),
        ("+k key", "475"),
        ("+l 1", "471"),
        ("+b *!*@*", "474"),
        ("+R", "477"),
        // A ban comes first: who is banned cannot try keys.
        ("+bk *!*@* key", "474"),
        ("+ik key", "473"),
    ] {
        for hidden in ["", "s", "p"] {
            let network = Network::new(config());
            let (ann, eve) = (network.client("ann"), network.client("eve"));
            let (letters, arguments) = modes.split_once(' ').unwrap_or((modes, ""));
            ann.say(&format!("JOIN #A\nMODE #A {letters}{hidden} {arguments}"));
            let refusal = eve.say("JOIN #a wrong");
            assert_eq!(codes(&refusal), [number], "{modes} {hidden}");
            // The name is the one that was asked for, and nothing else is told.
            assert!(refusal.starts_with(&format!(":irc.test {number} eve #a :")), "{refusal}");
            assert_eq!(ann.say("PING x").lines().last(), Some(":irc.test PONG irc.test :x"));
        }
    }
}

/// What was asked for while a channel could be seen is not told when it cannot be any more.
#[test]
fn lists_end_where_a_channel_is_hidden_meanwhile() {
    for (question, end, members, channels) in
        [("NAMES #z", " 366 ", 300, 0), ("WHO #z", " 315 ", 150, 0), ("LIST", " 323 ", 0, 150)]
    {
        let network = Network::new(config().channels_per_client_max(200));
        let (ann, eve) = (network.client("ann"), network.narrow_client("eve"));
        // Long names, so that the lists do not fit into the queue.
        eve.say("CAP REQ :userhost-in-names");
        ann.say("JOIN #z\nTOPIC #z :things");
        let members: Vec<_> = (0..members)
            .map(|number| {
                let member = network.client(&format!("member{number:0>23}"));
                member.say("JOIN #z");
                member
            })
            .collect();
        (0..channels).for_each(|number| drop(ann.say(&format!("JOIN #{number:0>60}"))));
        eve.received();
        eve.wire.set_capacity(200);
        eve.send(format!("{question}\n").as_bytes());
        let mut received = eve.received();
        assert!(!received.contains(end), "{received}");
        ann.say("MODE #z +s");
        while !received.contains(end) {
            received += &eve.received();
        }
        // What was queued before is told.
        let last = members.len().checked_sub(1).map(|last| format!("member{last:0>23}"));
        let last = last.unwrap_or_else(|| " #z ".to_owned());
        assert!(!received.contains(&last), "{question}: {received}");
        drop(members);
    }
}

/// An invitation is to one channel, not to what is called the same later.
#[test]
fn invitations_do_not_tell_of_later_channels() {
    let network = Network::new(config());
    let (ann, eve) = (network.client("ann"), network.client("eve"));
    ann.say("JOIN #a\nINVITE eve #a");
    eve.received();
    assert_eq!(codes(&eve.say("INVITE")), ["336", "337"]);
    ann.say("PART #a");
    assert_eq!(codes(&eve.say("INVITE")), ["337"]);
    ann.say("JOIN #b\nINVITE eve #b\nPART #b");
    eve.received();
    ann.advance(1_000);
    ann.say("JOIN #B\nMODE #B +si");
    assert_eq!(codes(&eve.say("INVITE")), ["337"]);
    assert_eq!(codes(&eve.say("JOIN #b")), ["473"]);
}

/// How NAMES shows what kind of channel it is (RFC 2812 5.1).
#[test]
fn signs_of_channels() {
    let network = Network::new(config());
    let ann = network.client("ann");
    ann.say("JOIN #a");
    for (mode, sign) in [("+n", "="), ("+p", "*"), ("+s", "@"), ("-p", "@"), ("-s", "=")] {
        ann.say(&format!("MODE #a {mode}"));
        assert!(ann.say("NAMES #a").contains(&format!(" 353 ann {sign} #a :@ann\n")), "{mode}");
    }
}
