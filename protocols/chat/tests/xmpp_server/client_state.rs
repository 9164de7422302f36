//! Clients that say that nobody looks at them (XEP-0352): what waits, and before what it is sent.

use super::kit::{Client, Site, config};

const INACTIVE: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const ACTIVE: &str = "<active xmlns='urn:xmpp:csi:0'/>";

fn presence(status: &str) -> String {
    format!("<presence to='bob@example.org/desk'><status>{status}</status></presence>")
}

fn typing(state: &str) -> String {
    format!(
        "<message to='bob@example.org/desk' type='chat'><{state} xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
}

/// What a client hears, as the first words that tell its stanzas apart.
fn order(heard: &str) -> Vec<&str> {
    let words = ["<status>", "<composing", "<paused", "<body>", "<ping"];
    let mut found: Vec<_> = words
        .iter()
        .flat_map(|word| heard.match_indices(word))
        .map(|(at, _)| {
            let rest = &heard[at..];
            let end = rest.find("</").or_else(|| rest.find("/>")).unwrap_or(rest.len());
            (at, rest[..end].split(' ').next().unwrap_or_default())
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, word)| word).collect()
}

fn inactive<'a>(site: &'a Site) -> (Client<'a>, Client<'a>, Client<'a>) {
    let clients =
        (site.online("ann", "desk"), site.online("carl", "desk"), site.bind("bob", "desk"));
    clients.2.say(INACTIVE);
    clients.2.heard();
    clients
}

#[test]
fn what_waits_comes_in_order_before_what_does_not() {
    let site = Site::new(config());
    let late = site.connect();
    late.say(super::kit::HEADER);
    assert!(!late.heard().contains("csi"), "it is of sessions");
    let ask = |id: &str| {
        format!(
            "<iq to='bob@example.org/desk' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
    };
    for (last, expected) in [
        ("<message to='bob@example.org/desk'><body>1</body></message>".to_owned(), "<body>1"),
        (ask("1"), "<ping"),
        // What a room says of the client itself.
        (
            "<presence to='bob@example.org/desk'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>\
             <status>in</status></presence>"
                .to_owned(),
            "<status>in",
        ),
    ] {
        let (ann, carl, bob) = inactive(&site);
        ann.say(&presence("a1"));
        carl.say(&presence("c1"));
        ann.say(&typing("composing"));
        ann.say(&presence("a2"));
        ann.say(&typing("paused"));
        assert_eq!(bob.heard(), "");
        ann.say(&last);
        // Of each sender the last one, where that came.
        let heard = bob.heard();
        assert_eq!(order(&heard), ["<status>c1", "<status>a2", "<paused", expected], "{heard}");
        // It goes on.
        carl.say(&presence("c2"));
        assert_eq!(bob.heard(), "");
        bob.say(INACTIVE);
        assert_eq!(bob.heard(), "", "once more says nothing");
        assert_eq!(order(&bob.ask(ACTIVE)), ["<status>c2"]);
        assert_eq!(bob.ask(ACTIVE), "");
        carl.say(&presence("c3"));
        assert_eq!(order(&bob.heard()), ["<status>c3"]);
        [ann, carl, bob].iter().for_each(Client::end);
    }
}

#[test]
fn what_waits_is_bounded() {
    let site = Site::new(config());
    let (ann, carl, bob) = inactive(&site);
    let long = "x".repeat(40_000);
    ann.say(&presence(&long));
    assert_eq!(bob.heard(), "");
    carl.say(&presence(&long));
    assert_eq!(order(&bob.heard()).len(), 2, "more than 64 KiB");
    ann.say(&presence("1"));
    assert_eq!(bob.heard(), "", "it is inactive still");
}

/// A message that says more than that somebody is typing, requests, and errors do not wait.
#[test]
fn what_does_not_wait() {
    let site = Site::new(config());
    let (ann, _carl, bob) = inactive(&site);
    let states = "<active xmlns='http://jabber.org/protocol/chatstates'/>";
    for text in [
        format!("<message to='bob@example.org/desk' type='chat'><body>x</body>{states}</message>"),
        format!(
            "<message to='bob@example.org/desk' type='chat'>{states}<received xmlns='urn:xmpp:receipts' id='1'/></message>"
        ),
        "<message to='bob@example.org/desk'/>".to_owned(),
        format!("<message to='bob@example.org/desk' type='error'>{states}</message>"),
        "<presence to='bob@example.org/desk' type='error'/>".to_owned(),
    ] {
        ann.say(&text);
        assert_ne!(bob.heard(), "", "{text}");
    }
}

/// Somebody may be typing for all in a room, and for the client alone: one does not take the place of the other.
#[test]
fn typing_of_two_kinds() {
    let site = Site::new(config());
    let (ann, _carl, bob) = inactive(&site);
    let normal = typing("composing").replace("chat'", "normal'");
    for text in [&typing("composing"), &typing("paused"), &normal] {
        ann.say(text);
    }
    assert_eq!(bob.heard(), "");
    assert_eq!(order(&bob.ask(ACTIVE)), ["<paused", "<composing"]);
}

/// A page of an archive does not wait, and does not overtake what came before it.
#[test]
fn a_page_of_an_archive() {
    use sinew_chat::xmpp::server::archive::{ArchiveConfig, MemoryArchive};
    let site = Site::new(config().archive(ArchiveConfig::new(MemoryArchive::new())));
    let (ann, carl, bob) = inactive(&site);
    carl.say("<message to='bob@example.org/desk'><body>1</body></message>");
    bob.heard();
    ann.say(&presence("a1"));
    assert_eq!(bob.heard(), "");
    let heard = bob.ask("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    assert_eq!(order(&heard), ["<status>a1", "<body>1"], "{heard}");
    assert!(heard.contains("<fin "), "{heard}");
    ann.say(&presence("a2"));
    assert_eq!(bob.heard(), "", "it is inactive still");
}

/// What waits is not lost with a connection, and a client that comes back is active.
#[test]
fn a_session_that_is_resumed() {
    let site = Site::new(config());
    let (ann, carl, bob) = inactive(&site);
    let enabled = bob.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let token = enabled.split("id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    ann.say("<message to='bob@example.org/desk'><body>1</body></message>");
    carl.say(&presence("c"));
    bob.cut();
    ann.say(&presence("a"));
    let again = site.log_in("bob");
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{token}' h='0'/>");
    let heard = again.ask(&resume);
    assert_eq!(order(&heard), ["<body>1", "<status>c", "<status>a"], "{heard}");
    carl.say(&presence("d"));
    assert_eq!(order(&again.heard()), ["<status>d"]);
    // All of them count.
    assert_eq!(again.ask("<a xmlns='urn:xmpp:sm:3' h='4'/>"), "");
}

#[test]
fn states_that_there_are_not() {
    let site = Site::new(config());
    let bob = site.bind("bob", "desk");
    let end = bob.ask("<away xmlns='urn:xmpp:csi:0'/>");
    assert!(end.contains("<unsupported-stanza-type "), "{end}");
}
