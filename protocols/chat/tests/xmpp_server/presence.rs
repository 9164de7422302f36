//! Presence and subscriptions.

use super::kit::{Site, config};

#[test]
fn subscriptions() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    ann.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let push = ann.ask(
        "<presence to='bob@example.org/any' type='subscribe'><status>please</status></presence>",
    );
    assert!(
        push.contains("<item jid='bob@example.org' subscription='none' ask='subscribe'/>")
            && push.contains("type='set'"),
        "{push}"
    );
    // Bob is told when he comes, and again, until he answers.
    for _ in 0..2 {
        let bob = site.bind("bob", "desk");
        let heard = bob.ask("<presence/>");
        assert!(
            heard.contains("type='subscribe'")
                && heard.contains("<status>please</status>")
                && heard.contains("from='ann@example.org'"),
            "{heard}"
        );
        bob.end();
    }
    let bob = site.online("bob", "desk");
    bob.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let push = bob.ask("<presence to='ann@example.org' type='subscribed'/>");
    assert!(push.contains("<item jid='ann@example.org' subscription='from'/>"), "{push}");
    let heard = ann.heard();
    assert!(
        heard.contains("type='subscribed'") && heard.contains("from='bob@example.org'"),
        "{heard}"
    );
    assert!(heard.contains("<item jid='bob@example.org' subscription='to'/>"), "{heard}");
    assert!(
        heard.contains("<presence from='bob@example.org/desk' to='ann@example.org'/>"),
        "{heard}"
    );
    // An answer to nothing is not passed on.
    bob.say("<presence to='ann@example.org' type='subscribed'/>");
    ann.say("<presence to='bob@example.org' type='subscribed'/>");
    assert_eq!((ann.heard(), bob.heard()), (String::new(), String::new()));
    // The end.
    let heard = bob.ask("<presence to='ann@example.org' type='unsubscribed'/>");
    assert!(heard.contains("<item jid='ann@example.org' subscription='none'/>"), "{heard}");
    let heard = ann.heard();
    assert!(
        heard.contains("type='unsubscribed'") && heard.contains("type='unavailable'"),
        "{heard}"
    );
    assert!(heard.contains("<item jid='bob@example.org' subscription='none'/>"), "{heard}");
}

#[test]
fn presence_probe() {
    let site = Site::new(config());
    site.make_friends();
    let bob = site.bind("bob", "desk");
    bob.ask("<presence><show>away</show></presence>");
    let ann = site.bind("ann", "desk");
    let heard = ann.ask("<presence/>");
    assert!(
        heard.contains("<presence from='bob@example.org/desk' to='ann@example.org/desk'><show>away</show></presence>"),
        "{heard}"
    );
    assert!(bob.heard().contains("<presence from='ann@example.org/desk' to='bob@example.org'/>"));
    // Who may not see is told nothing, and clients do not probe.
    let carl = site.online("carl", "desk");
    assert_eq!(carl.ask("<presence to='bob@example.org' type='probe'/>"), "");
    assert_eq!(bob.heard(), "");
    // Changes, and the end.
    ann.say("<presence><show>dnd</show></presence>");
    assert!(bob.heard().contains("<show>dnd</show>"));
    ann.cut();
    let heard = bob.heard();
    assert!(
        heard.contains("type='unavailable'") && heard.contains("from='ann@example.org/desk'"),
        "{heard}"
    );
    assert_eq!(carl.heard(), "");
}

#[test]
fn own_resources_see_each_other() {
    let site = Site::new(config());
    let desk = site.bind("ann", "desk");
    desk.ask("<presence><priority>3</priority></presence>");
    let phone = site.bind("ann", "phone");
    let heard = phone.ask("<presence/>");
    assert!(heard.contains("<presence from='ann@example.org/desk' to='ann@example.org/phone'><priority>3</priority>"), "{heard}");
    assert!(desk.heard().contains("from='ann@example.org/phone'"));
    let heard = phone.ask("<presence type='unavailable'><status>bye</status></presence>");
    assert!(heard.contains("type='unavailable'"), "{heard}");
    assert!(desk.heard().contains("<status>bye</status>"));
}

#[test]
fn directed_presence_ends_with_the_session() {
    let site = Site::new(config().directed_max(2));
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say("<presence to='bob@example.org/desk'><status>hi</status></presence>");
    assert!(bob.heard().contains("<status>hi</status>"));
    // A change for all is not for him.
    ann.say("<presence><show>away</show></presence>");
    assert_eq!(bob.heard(), "");
    ann.cut();
    let heard = bob.heard();
    assert!(
        heard.contains("type='unavailable'") && heard.contains("from='ann@example.org/desk'"),
        "{heard}"
    );
    let carl = site.online("carl", "desk");
    for (room, is_refused) in [("a", false), ("b", false), ("a", false), ("c", true)] {
        let heard = carl.ask(&format!("<presence to='{room}@example.org'/>"));
        assert_eq!(heard.contains("resource-constraint"), is_refused, "{room}: {heard}");
    }
    // Taken back once, it is not taken back again.
    let dora = site.online("dora", "desk");
    dora.say("<presence to='bob@example.org/desk'/>");
    dora.say("<presence to='bob@example.org/desk' type='unavailable'/>");
    bob.heard();
    dora.cut();
    assert_eq!(bob.heard(), "");
}

#[test]
fn rosters() {
    let site = Site::new(config().roster_max(3));
    let ann = site.online("ann", "desk");
    let get = |version: &str| {
        format!("<iq type='get' id='r'><query xmlns='jabber:iq:roster'{version}/></iq>")
    };
    let set = |item: &str| {
        format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    };
    assert!(ann.ask(&get("")).contains("<query xmlns='jabber:iq:roster'/>"));
    let heard = ann.ask(&set("<item jid='Bob@example.org/x' name='B &amp; B' subscription='both'><group>b</group><group>a</group></item>"));
    let item = "<item jid='bob@example.org' subscription='none' name='B &amp; B'><group>a</group><group>b</group></item>";
    assert!(heard.contains(item) && heard.contains("type='result'"), "{heard}");
    let heard = ann.ask(&get(" ver=''"));
    let (_, rest) = heard.split_once("<query xmlns='jabber:iq:roster' ver='").expect(&heard);
    let (version, rest) = rest.split_once("'>").expect(&heard);
    assert!(rest.starts_with(&format!("{item}</query>")), "{heard}");
    assert!(!ann.ask(&get(&format!(" ver='{version}'"))).contains("query"));
    for (item, condition) in [
        ("", "bad-request"),
        ("<item/>", "bad-request"),
        ("<item jid='@'/>", "bad-request"),
        ("<item jid='a@x'/><item jid='b@x'/>", "bad-request"),
        ("<item jid='ann@example.org'/>", "not-allowed"),
        ("<item jid='a@x'><group/></item>", "not-acceptable"),
        ("<item jid='a@x' subscription='remove'/>", "item-not-found"),
        (&format!("<item jid='a@x' name='{}'/>", "x".repeat(1_024)), "not-acceptable"),
    ] {
        let heard = ann.ask(&set(item));
        assert!(heard.contains("type='error'") && heard.contains(condition), "{item}: {heard}");
    }
    // Others are not asked.
    let bob = site.online("bob", "desk");
    for text in [get(""), set("<item jid='a@x'/>")] {
        let heard = bob.ask(&text.replace("id=", "to='ann@example.org' id="));
        assert!(heard.contains("service-unavailable"), "{heard}");
    }
    for number in 0..2 {
        assert!(ann.ask(&set(&format!("<item jid='{number}@x'/>"))).contains("type='result'"));
    }
    assert!(ann.ask(&set("<item jid='3@x'/>")).contains("resource-constraint"));
    assert!(ann.ask("<presence to='3@x' type='subscribe'/>").contains("resource-constraint"));
    // Requests of others count as well.
    assert!(bob.ask("<presence to='ann@example.org' type='subscribe'/>").is_empty());
    let carl = site.online("carl", "desk");
    assert!(
        carl.ask("<presence to='ann@example.org' type='subscribe'/>")
            .contains("resource-constraint")
    );
}

#[test]
fn a_contact_is_removed() {
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    for client in [&ann, &bob] {
        let heard = client.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        assert!(heard.contains("subscription='both'"), "{heard}");
    }
    let heard = ann.ask(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>",
    );
    assert!(heard.contains("subscription='remove'") && heard.contains("type='result'"), "{heard}");
    let heard = bob.heard();
    for word in
        ["type='unsubscribe'", "type='unsubscribed'", "type='unavailable'", "subscription='none'"]
    {
        assert!(heard.contains(word), "{word}: {heard}");
    }
    assert!(
        !ann.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>").contains("item")
    );
}
