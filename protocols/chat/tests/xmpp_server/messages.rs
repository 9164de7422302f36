//! Messages: to whom they go, what waits, what is copied.

use super::kit::{Site, config};

fn message(to: &str, kind: &str, body: &str) -> String {
    format!("<message to='{to}' type='{kind}'><body>{body}</body></message>")
}

/// Resources and their priorities.
type Resources = &'static [(&'static str, i8)];

/// RFC 6121 8.5.4: to whom a message goes of a sender who hears of it by an error.
#[test]
fn the_table_of_delivery() {
    // Bob's resources and their priorities; to; then for each of normal, chat, groupchat, headline: who receives it, E for an
    // error, S for silence, O for the store.
    let table: [(Resources, &str, [&str; 4]); 9] = [
        (&[], "bob@example.org", ["O", "O", "E", "S"]),
        (&[], "bob@example.org/x", ["O", "O", "E", "S"]),
        (&[("a", -1)], "bob@example.org", ["O", "O", "E", "S"]),
        (&[("a", -1)], "bob@example.org/a", ["a", "a", "a", "a"]),
        (&[("a", 1)], "bob@example.org", ["a", "a", "E", "a"]),
        (&[("a", 1)], "bob@example.org/x", ["a", "a", "E", "S"]),
        (&[("a", 1), ("b", 2)], "bob@example.org", ["b", "b", "E", "ab"]),
        (&[("a", 2), ("b", 2), ("c", -1)], "bob@example.org", ["ab", "ab", "E", "ab"]),
        (&[("a", 1), ("b", 2)], "bob@example.org/a", ["a", "a", "a", "a"]),
    ];
    for (resources, to, expected) in table {
        for (kind, expected) in
            ["normal", "chat", "groupchat", "headline"].into_iter().zip(expected)
        {
            let site = Site::new(config());
            let there: Vec<_> = resources
                .iter()
                .map(|(resource, priority)| {
                    let client = site.bind("bob", resource);
                    client.say(&format!("<presence><priority>{priority}</priority></presence>"));
                    client.heard();
                    (resource, client)
                })
                .collect();
            let ann = site.online("ann", "desk");
            there.iter().for_each(|(_, client)| drop(client.heard()));
            let heard = ann.ask(&message(to, kind, "hello"));
            let mut found = String::new();
            for (resource, client) in &there {
                if client.heard().contains("<body>hello</body>") {
                    found.push_str(resource);
                }
            }
            if heard.contains("type='error'") {
                found.push('E');
            }
            if found.is_empty() {
                let late = site.bind("bob", "later");
                found.push(if late.ask("<presence/>").contains("hello") { 'O' } else { 'S' });
            }
            assert_eq!(found, expected, "{kind} to {to}, {resources:?}");
        }
    }
}

#[test]
fn error_gets_none() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    for text in [
        "<message to='bob@example.org/x' type='error'/>",
        "<message to='nobody@example.org' type='error'/>",
        "<message to='a@example.com' type='error'/>",
        "<iq to='bob@example.org/x' type='result' id='1'/>",
        "<iq to='a@example.com' type='error' id='1'/>",
        "<iq to='example.org' type='result' id='1'/>",
        "<iq type='result' id='1'/>",
        "<presence to='a@example.com' type='error'/>",
        "<presence to='a@example.com' type='unavailable'/>",
    ] {
        assert_eq!(ann.ask(text), "", "{text}");
    }
}

#[test]
fn unknown_accounts() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let heard = ann.ask(&message("nobody@example.org", "chat", "a"));
    assert!(heard.contains("type='error'") && heard.contains("<service-unavailable "), "{heard}");
    assert_eq!(ann.ask("<presence to='nobody@example.org'/>"), "");
    assert_eq!(site.server.report().accounts, 1);
}

#[test]
fn from_rewritten() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for from in ["", "from='carl@example.org'", "from='ann@example.org'", "from='rubbish@'"] {
        ann.say(&format!("<message {from} to='bob@example.org/desk'><body>a</body></message>"));
        assert!(bob.heard().contains("from='ann@example.org/desk'"), "{from}");
        ann.say(&format!(
            "<iq {from} to='bob@example.org/desk' type='get' id='1'><x xmlns='urn:x'/></iq>"
        ));
        assert!(bob.heard().contains("from='ann@example.org/desk'"), "{from}");
    }
    // Also the stamp of the server is the server's.
    ann.say(
        "<message to='bob@example.org/desk'><body>a</body><delay xmlns='urn:xmpp:delay' from='example.org' stamp='x'/></message>",
    );
    assert!(!bob.heard().contains("delay"));
}

#[test]
fn addresses_that_are_none() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    for (text, condition) in [
        ("<message to='@' id='1'/>", "jid-malformed"),
        ("<iq to='a b@x' type='get' id='1'><x xmlns='urn:x'/></iq>", "jid-malformed"),
        ("<presence to='x/' id='1'/>", "jid-malformed"),
    ] {
        let heard = ann.ask(text);
        assert!(
            heard.contains(condition)
                && heard.contains("from='example.org'")
                && heard.contains("id='1'"),
            "{heard}"
        );
    }
}

#[test]
fn stanzas_wait_while_away() {
    let site = Site::new(config().offline_max(3));
    let ann = site.online("ann", "desk");
    for number in 0..3 {
        assert_eq!(ann.ask(&message("bob@example.org", "chat", &number.to_string())), "");
    }
    let heard = ann.ask(&message("bob@example.org", "chat", "4"));
    assert!(heard.contains("<service-unavailable ") && !heard.contains("delay"), "{heard}");
    // That somebody is typing is soon of no interest.
    ann.say("<message to='bob@example.org' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    ann.say("<message to='bob@example.org' type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>");
    assert_eq!(ann.heard(), "");
    let bob = site.bind("bob", "desk");
    bob.say("<presence><priority>-1</priority></presence>");
    assert!(!bob.heard().contains("<body>"));
    let heard = bob.ask("<presence/>");
    let bodies: Vec<_> =
        heard.match_indices("<body>").map(|(at, _)| &heard[at + 6..at + 7]).collect();
    assert_eq!(bodies, ["0", "1", "2"]);
    assert_eq!(
        heard.matches("<delay xmlns='urn:xmpp:delay' from='example.org' stamp='").count(),
        3
    );
    bob.end();
    assert!(!site.online("bob", "desk").ask("<presence/>").contains("<body>"));
    // A bound on all their bytes.
    let site = Site::new(config().offline_bytes_max(2_000));
    let ann = site.online("ann", "desk");
    assert_eq!(ann.ask(&message("bob@example.org", "chat", &"x".repeat(1_500))), "");
    assert!(
        ann.ask(&message("bob@example.org", "chat", &"x".repeat(1_500)))
            .contains("service-unavailable")
    );
}

#[test]
fn copies() {
    let enable = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
    let site = Site::new(config());
    let (desk, phone, tablet) =
        (site.online("bob", "desk"), site.online("bob", "phone"), site.online("bob", "tablet"));
    let ann = site.online("ann", "desk");
    assert!(phone.ask(enable).contains("type='result'"));
    let all = || {
        let copies = phone.heard();
        let is_copy = |name: &str| copies.contains(&format!("<{name} xmlns='urn:xmpp:carbons:2'>"));
        (
            desk.heard().contains("<body>"),
            copies.contains("<body>"),
            is_copy("sent"),
            is_copy("received"),
            tablet.heard().contains("<body>"),
        )
    };
    all();
    ann.say(&message("bob@example.org/desk", "chat", "a"));
    assert_eq!(all(), (true, true, false, true, false));
    ann.say(&message("bob@example.org", "chat", "a"));
    assert_eq!(all(), (true, true, false, false, true));
    desk.say(&message("ann@example.org", "chat", "a"));
    assert_eq!(all(), (false, true, true, false, false));
    assert!(ann.heard().contains("<body>a</body>"));
    // The copy is from the account itself, to the resource, with the whole message.
    desk.say(&message("ann@example.org", "chat", "a"));
    assert_eq!(
        phone.heard(),
        "<message from='bob@example.org' type='chat' to='bob@example.org/phone'><sent xmlns='urn:xmpp:carbons:2'>\
         <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='ann@example.org' type='chat' \
         from='bob@example.org/desk'><body>a</body></message></forwarded></sent></message>"
    );
    // What is private is not copied, nor what is of a room, nor a copy.
    for text in [
        "<message to='bob@example.org/desk' type='chat'><body>a</body><private xmlns='urn:xmpp:carbons:2'/></message>",
        "<message to='bob@example.org/desk' type='groupchat'><body>a</body></message>",
        "<message to='bob@example.org/desk'><x xmlns='urn:x'/></message>",
        "<message to='bob@example.org/desk' type='chat'><received xmlns='urn:xmpp:carbons:2'/></message>",
    ] {
        ann.say(text);
        assert_eq!(phone.heard(), "", "{text}");
    }
    phone.ask("<iq type='set' id='c'><disable xmlns='urn:xmpp:carbons:2'/></iq>");
    ann.say(&message("bob@example.org/desk", "chat", "a"));
    assert_eq!(phone.heard(), "");
    // To oneself: one of each.
    phone.ask(enable);
    all();
    desk.say(&message("bob@example.org/desk", "chat", "a"));
    let copies = phone.heard();
    assert_eq!(copies.matches("<body>").count(), 1, "{copies}");
}
