//! Moderators and admins: kicks, bans, roles, affiliations, lists.

use super::script::{Script, admin, entry, jid};
use sinew_chat::xmpp::{
    codec::{Element, ns},
    server::rooms::{Affiliation, RoomsConfig},
};

#[test]
fn kick_and_ban() {
    let mut script = Script::with(&["bob", "cid"]);
    assert_eq!(
        script.told("ann", &admin("<item nick='bob' role='none'><reason>noise</reason></item>")),
        [
            "ann: presence of bob, unavailable, none/none by ann \"noise\" 307",
            "bob: presence of bob, unavailable, none/none by ann \"noise\" 110 307",
            "cid: presence of bob, unavailable, none/none by ann \"noise\" 307",
            "ann: iq of room, result"
        ]
    );
    assert!(script.enter("bob").len() > 1);
    assert_eq!(
        script.told("ann", &admin("<item nick='bob' affiliation='outcast'/>")),
        [
            "ann: presence of bob, unavailable, outcast/none by ann 301",
            "bob: presence of bob, unavailable, outcast/none by ann 110 301",
            "cid: presence of bob, unavailable, outcast/none by ann 301",
            "ann: iq of room, result"
        ]
    );
    assert_eq!(script.error("bob", &entry("bob", "")), "forbidden");
    script.told("ann", &admin("<item jid='bob@b' affiliation='none'/>"));
    assert!(script.enter("bob").len() > 1);
}

#[test]
fn affiliations_and_the_roles_that_follow() {
    let mut script = Script::with(&["bob", "cid"]);
    for (affiliation, role) in [
        ("admin", "moderator"),
        ("member", "participant"),
        ("owner", "moderator"),
        ("none", "participant"),
    ] {
        let told =
            script.told("ann", &admin(&format!("<item jid='bob@b' affiliation='{affiliation}'/>")));
        assert_eq!(told[1], format!("bob: presence of bob, {affiliation}/{role} by ann 110"));
    }
    script.configure(&[("membersonly", "1")]);
    assert_eq!(script.room().occupants().count(), 1, "322: the others were no members");
    script.told(
        "ann",
        &admin("<item jid='bob@b' affiliation='member'/><item jid='cid@b' affiliation='member'/>"),
    );
    script.enter("bob");
    assert_eq!(
        script.told("ann", &admin("<item jid='bob@b' affiliation='none'/>"))[1],
        "bob: presence of bob, unavailable, none/none by ann 110 321"
    );
}

#[test]
fn what_is_refused() {
    let mut script = Script::with(&["bob", "cid", "dan"]);
    script.told("ann", &admin("<item jid='bob@b' affiliation='admin'/>"));
    for (who, items, expected) in [
        ("cid", "<item nick='dan' role='none'/>", "forbidden"),
        ("eve", "<item nick='dan' role='none'/>", "forbidden"),
        ("cid", "<item jid='dan@b' affiliation='member'/>", "forbidden"),
        ("bob", "<item nick='ann' role='none'/>", "not-allowed"),
        ("bob", "<item jid='ann@b' affiliation='none'/>", "not-allowed"),
        ("bob", "<item jid='cid@b' affiliation='owner'/>", "not-allowed"),
        ("bob", "<item jid='bob@b' affiliation='outcast'/>", "conflict"),
        ("ann", "<item jid='ann@b' affiliation='none'/>", "conflict"),
        ("ann", "<item jid='ann@b' affiliation='admin'/>", "conflict"),
        ("ann", "<item nick='nobody' role='none'/>", "item-not-found"),
        ("ann", "<item nick='nobody' affiliation='member'/>", "item-not-found"),
        ("ann", "<item nick='bob' role='visitor'/>", "not-allowed"),
        ("ann", "<item jid='@' affiliation='member'/>", "jid-malformed"),
        ("ann", "<item nick='cid' role='king'/>", "bad-request"),
        ("ann", "<item nick='cid'/>", "bad-request"),
        ("ann", "<item role='none'/>", "bad-request"),
        (
            "ann",
            "<item nick='cid' role='none'/><item nick='cid' affiliation='member'/>",
            "bad-request",
        ),
        ("ann", "", "bad-request"),
        ("ann", &"<item nick='cid' role='none'/>".repeat(101), "not-acceptable"),
        // All or none.
        (
            "ann",
            "<item nick='cid' role='none'/><item nick='nobody' role='none'/>",
            "item-not-found",
        ),
    ] {
        assert_eq!(script.error(who, &admin(items)), expected, "{who}: {items}");
    }
    assert_eq!(script.room().occupants().count(), 4);
    let config = RoomsConfig::default().affiliations_max(2);
    let mut script = Script::new(config.locks_new_rooms(false));
    script.enter("ann");
    let two = "<item jid='c@b' affiliation='member'/><item jid='d@b' affiliation='member'/>";
    assert_eq!(script.error("ann", &admin(two)), "resource-constraint");
}

#[test]
fn lists() {
    let mut script = Script::with(&["bob", "cid"]);
    script.told(
        "ann",
        &admin("<item jid='bob@b' affiliation='member'/><item jid='eve@b' affiliation='outcast'/>"),
    );
    let ask = |item: &str| admin(item).replace("'set'", "'get'");
    let jids = |script: &mut Script, who: &str, item: &str| {
        let out = script.send(who, &ask(item));
        let query = out[0].child("query", ns::MUC_ADMIN).map(Element::children);
        let items = query.into_iter().flatten().filter_map(|item| item.attribute("jid"));
        items.collect::<Vec<_>>().join(" ")
    };
    for (item, expected) in [
        ("<item affiliation='owner'/>", "ann@b"),
        ("<item affiliation='member'/>", "bob@b"),
        ("<item affiliation='outcast'/>", "eve@b"),
        ("<item role='moderator'/>", "ann@b/x"),
        ("<item role='participant'/>", "bob@b/x cid@b/x"),
    ] {
        assert_eq!(jids(&mut script, "ann", item), expected, "{item}");
        assert_eq!(script.error("cid", &ask(item)), "forbidden", "{item}");
    }
    for item in ["<item affiliation='none'/>", "<item role='none'/>", "<item/>"] {
        assert_eq!(script.error("ann", &ask(item)), "bad-request", "{item}");
    }
    script.configure(&[("membersonly", "1"), ("whois", "anyone")]);
    assert_eq!(jids(&mut script, "bob", "<item affiliation='member'/>"), "bob@b");
    assert_eq!(script.error("bob", &ask("<item affiliation='outcast'/>")), "forbidden");
    assert_eq!(script.room().affiliation(&jid("eve@b")), Affiliation::Outcast);
}
