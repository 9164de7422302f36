//! What the server answers for itself and for accounts.

use super::kit::{Site, config};

#[test]
fn unknown_iq_gets_one_error() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let _ = bob;
    for to in [
        "",
        "to='example.org'",
        "to='ann@example.org'",
        "to='bob@example.org'",
        "to='bob@example.org/none'",
        "to='nobody@example.org'",
    ] {
        for kind in ["get", "set"] {
            let heard = ann.ask(&format!("<iq type='{kind}' id='q' {to}><x xmlns='urn:x'/></iq>"));
            assert_eq!(heard.matches("<iq ").count(), 1, "{to}: {heard}");
            assert!(heard.contains("type='error'") && heard.contains("id='q'"), "{to}: {heard}");
            assert!(heard.contains("<service-unavailable "), "{to}: {heard}");
        }
    }
}

#[test]
fn iq_without_id() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    for text in [
        format!("<iq type='get' to='example.org'>{ping}</iq>"),
        format!("<iq type='get' id='' to='example.org'>{ping}</iq>"),
        "<iq type='get' id='1' to='example.org'/>".to_owned(),
        format!("<iq type='get' id='1' to='example.org'>{ping}{ping}</iq>"),
        format!("<iq type='x' id='1' to='example.org'>{ping}</iq>"),
        format!("<iq id='1'>{ping}</iq>"),
    ] {
        let heard = ann.ask(&text);
        assert!(
            heard.contains("type='error'") && heard.contains("<bad-request "),
            "{text}: {heard}"
        );
        assert_eq!(heard.matches("<iq ").count(), 1);
    }
    for text in ["<iq type='result' id='1'><a/><b/></iq>", "<iq type='error' to='example.org'/>"] {
        assert_eq!(ann.ask(text), "", "{text}");
    }
}

#[test]
fn the_server_says_what_it_is() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let ask = |to: &str, payload: &str| {
        ann.ask(&format!("<iq type='get' id='1' to='{to}'>{payload}</iq>"))
    };
    let info = ask("example.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("<identity category='server' type='im' name='sinew'/>"), "{info}");
    for feature in [
        "urn:xmpp:ping",
        "urn:xmpp:carbons:2",
        "urn:xmpp:blocking",
        "vcard-temp",
        "jabber:iq:version",
        "msgoffline",
    ] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
    let node =
        ask("example.org", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>");
    assert!(node.contains("<item-not-found "), "{node}");
    assert!(ask("example.org", "<ping xmlns='urn:xmpp:ping'/>").contains("type='result'"));
    assert!(ask("ann@example.org", "<ping xmlns='urn:xmpp:ping'/>").contains("type='result'"));
    let version = ask("example.org", "<query xmlns='jabber:iq:version'/>");
    assert!(version.contains("<name>sinew</name>"), "{version}");
    let own = ask("ann@example.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(
        own.contains("category='account' type='registered'") && own.contains("type='pep'"),
        "{own}"
    );
    // An account says nothing to strangers.
    let stranger = ask("bob@example.org", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(stranger.contains("<service-unavailable "), "{stranger}");
    let site = Site::new(config().software(None));
    let ann = site.online("ann", "desk");
    let version =
        ann.ask("<iq type='get' id='1' to='example.org'><query xmlns='jabber:iq:version'/></iq>");
    assert!(version.contains("<service-unavailable "), "{version}");
}

#[test]
fn vcards_and_private_data() {
    let site = Site::new(config().vcard_max(200).private_max(200));
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let set = |payload: &str| format!("<iq type='set' id='1'>{payload}</iq>");
    assert!(
        ann.ask(&set("<vCard xmlns='vcard-temp'><FN>Ann</FN></vCard>")).contains("type='result'")
    );
    let get = "<iq type='get' id='2' to='ann@example.org'><vCard xmlns='vcard-temp'/></iq>";
    assert!(bob.ask(get).contains("<vCard xmlns='vcard-temp'><FN>Ann</FN></vCard>"));
    assert!(bob.ask(&get.replace("'get'", "'set'")).contains("<service-unavailable "));
    let long = format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", "x".repeat(200));
    assert!(ann.ask(&set(&long)).contains("<resource-constraint "));
    assert!(bob.ask(get).contains("<FN>Ann</FN>"));

    let private = |payload: &str| format!("<query xmlns='jabber:iq:private'>{payload}</query>");
    let stored = "<storage xmlns='storage:bookmarks'><conference jid='a@b'/></storage>";
    assert!(ann.ask(&set(&private(stored))).contains("type='result'"));
    let get =
        format!("<iq type='get' id='3'>{}</iq>", private("<storage xmlns='storage:bookmarks'/>"));
    assert!(ann.ask(&get).contains(stored));
    assert!(bob.ask(&get).contains(&private("<storage xmlns='storage:bookmarks'/>")));
    assert!(
        bob.ask(&get.replace("id=", "to='ann@example.org' id=")).contains("<service-unavailable ")
    );
    let long = format!("<x xmlns='urn:x'>{}</x>", "x".repeat(150));
    assert!(ann.ask(&set(&private(&long))).contains("<resource-constraint "));
    assert!(ann.ask(&set(&private(""))).contains("<not-acceptable "));
    // One of each name.
    assert!(
        ann.ask(&set(&private("<storage xmlns='storage:bookmarks'/>"))).contains("type='result'")
    );
    assert!(!ann.ask(&get).contains("conference"));
}

#[test]
fn blocked_addresses() {
    let site = Site::new(config().blocked_max(2));
    site.make_friends();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let list = "<iq type='get' id='l'><blocklist xmlns='urn:xmpp:blocking'/></iq>";
    let change = |word: &str, jid: &str| {
        format!(
            "<iq type='set' id='b'><{word} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{word}></iq>"
        )
    };
    assert!(ann.ask(list).contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
    bob.heard();
    let push = ann.ask(&change("block", "bob@example.org"));
    assert!(
        push.contains("type='set'") && push.contains("<item jid='bob@example.org'/>"),
        "{push}"
    );
    // For him she is gone.
    assert!(bob.heard().contains("type='unavailable'"));
    assert!(
        bob.ask("<message to='ann@example.org'><body>a</body></message>")
            .contains("<service-unavailable ")
    );
    assert!(
        bob.ask("<iq to='ann@example.org/desk' type='get' id='1'><x xmlns='urn:x'/></iq>")
            .contains("<service-unavailable ")
    );
    assert_eq!(bob.ask("<presence to='ann@example.org/desk'/>"), "");
    bob.ask("<presence><show>away</show></presence>");
    assert_eq!(ann.heard(), "");
    let heard = ann.ask("<message to='bob@example.org'><body>a</body></message>");
    assert!(
        heard.contains("<not-acceptable ")
            && heard.contains("<blocked xmlns='urn:xmpp:blocking:errors'/>"),
        "{heard}"
    );
    ann.say("<presence><show>away</show></presence>");
    assert_eq!(bob.heard(), "");
    assert!(ann.ask(&change("block", "x.example")).contains("type='result'"));
    assert!(ann.ask(&change("block", "y.example")).contains("<resource-constraint "));
    assert!(ann.ask(&change("block", "@")).contains("<jid-malformed "));
    assert!(
        ann.ask("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'/></iq>")
            .contains("<bad-request ")
    );
    ann.ask(&change("unblock", "bob@example.org"));
    assert!(bob.heard().contains("<show>away</show>"));
    assert_eq!(bob.ask("<message to='ann@example.org'><body>a</body></message>"), "");
    ann.ask("<iq type='set' id='b'><unblock xmlns='urn:xmpp:blocking'/></iq>");
    assert!(ann.ask(list).contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
    // Not even herself, and not the server.
    ann.ask(&change("block", "example.org"));
    assert!(
        ann.ask("<iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
            .contains("type='result'")
    );
    assert!(
        ann.ask("<message to='ann@example.org'><body>a</body></message>")
            .contains("<body>a</body>")
    );
}
