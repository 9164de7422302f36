//! Entering and leaving, nicks, history, and who may not enter.

use std::time::Duration;

use sinew_chat::xmpp::server::rooms::{Affiliation, Role, RoomsConfig};

use super::script::{Script, admin, entry, jid};

#[test]
fn a_new_room_belongs_to_who_made_it() {
    let mut script = Script::new(RoomsConfig::default());
    assert_eq!(
        script.enter("ann"),
        [
            "ann: presence of ann, owner/moderator 110 201",
            "ann: message of room, groupchat, subject \"\""
        ]
    );
    assert!(script.room().is_locked());
    // XEP-0045 10.1.2: nobody else may enter before it is configured.
    assert_eq!(script.error("bob", &entry("bob", "")), "item-not-found");
    assert_eq!(script.configure(&[]), ["ann: iq of room, result"]);
    assert_eq!(
        script.enter("bob"),
        [
            "bob: presence of ann, owner/moderator",
            "ann: presence of bob, none/participant",
            "bob: presence of bob, none/participant 110",
            "bob: message of room, groupchat, subject \"\""
        ]
    );
    assert_eq!(
        script.leave("ann"),
        [
            "ann: presence of ann, unavailable, owner/none 110",
            "bob: presence of ann, unavailable, owner/none"
        ]
    );
    assert_eq!(script.leave("bob").len(), 1);
    assert!(script.rooms.rooms().next().is_none(), "nobody is in it");
    assert!(script.leave("bob").is_empty());
}

#[test]
fn who_may_not_enter() {
    let mut script = Script::with(&[]);
    script.told("ann", &admin("<item affiliation='outcast' jid='eve@b'/>"));
    assert_eq!(script.error("eve", &entry("eve", "")), "forbidden");
    assert_eq!(script.error("bob", &entry("ann", "")), "conflict");
    assert_eq!(script.error("bob", &entry(&"x".repeat(129), "")), "not-acceptable");
    assert_eq!(script.error("bob", "<presence to='club@rooms.b/bob'/>"), "not-acceptable");
    assert_eq!(script.error("bob", "<presence to='club@rooms.b'/>"), "jid-malformed");
    assert_eq!(script.error("bob", "<presence to='other@rooms.b/bob'/>"), "item-not-found");
    let long = "x".repeat(9_000);
    let wordy = format!(
        "<presence to='club@rooms.b/bob'><status>{long}</status><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    );
    assert_eq!(script.error("bob", &wordy), "policy-violation");
    script.configure(&[("passwordprotectedroom", "1"), ("roomsecret", "open sesame")]);
    assert_eq!(script.error("bob", &entry("bob", "")), "not-authorized");
    assert_eq!(script.error("bob", &entry("bob", "<password>open</password>")), "not-authorized");
    let right = script.told("bob", &entry("bob", "<password>open sesame</password>"));
    assert!(right.contains(&"bob: presence of bob, none/participant 110".to_owned()));
    script.configure(&[("passwordprotectedroom", "0"), ("membersonly", "1")]);
    assert_eq!(script.error("bob", &entry("bob", "")), "registration-required");
    script.configure(&[("membersonly", "0"), ("maxusers", "1")]);
    assert_eq!(script.error("bob", &entry("bob", "")), "service-unavailable");
    script.told("ann", &admin("<item affiliation='admin' jid='bob@b'/>"));
    assert!(script.enter("bob").len() > 1, "admins may enter a full room");
}

#[test]
fn another_nick() {
    let mut script = Script::with(&["bob"]);
    assert_eq!(
        script.told("bob", "<presence to='club@rooms.b/robert'/>"),
        [
            "ann: presence of bob, unavailable, none/participant now robert 303",
            "bob: presence of bob, unavailable, none/participant now robert 110 303",
            "ann: presence of robert, none/participant",
            "bob: presence of robert, none/participant 110"
        ]
    );
    assert_eq!(script.error("bob", "<presence to='club@rooms.b/ann'/>"), "conflict");
    let room = script.room();
    let names: Vec<_> = room.occupants().map(|(nick, _)| nick).collect();
    assert_eq!(names, ["ann", "robert"]);
    assert_eq!(
        script.told("bob", "<presence to='club@rooms.b/robert'><show>away</show></presence>"),
        [
            "ann: presence of robert, <show>, none/participant",
            "bob: presence of robert, <show>, none/participant 110"
        ]
    );
    // A client that has forgotten that it is there gets everything again.
    let again = script.told("bob", &entry("robert", ""));
    assert_eq!(again.first().map(String::as_str), Some("bob: presence of ann, owner/moderator"));
    assert_eq!(again.last().unwrap(), "bob: message of room, groupchat, subject \"\"");
    assert_eq!(script.room().occupants().count(), 2);
}

#[test]
fn what_newcomers_are_shown() {
    let mut script = Script::with(&[]);
    for body in ["one", "two", "three"] {
        script.say("ann", body);
        script.now += Duration::from_secs(60);
    }
    script.told(
        "ann",
        "<message type='groupchat' to='club@rooms.b'><subject>news</subject></message>",
    );
    let history = |script: &mut Script, x: &str| {
        let all = script.told("bob", &entry("bob", x));
        script.leave("bob");
        let lines = all.into_iter().filter(|line| line.contains("message"));
        lines.map(|line| line.replace("bob: message of ann, groupchat, ", "")).collect::<Vec<_>>()
    };
    assert_eq!(
        history(&mut script, ""),
        [
            "body \"one\", 2001-09-09T01:46:40.000Z",
            "body \"two\", 2001-09-09T01:47:40.000Z",
            "body \"three\", 2001-09-09T01:48:40.000Z",
            "subject \"news\""
        ]
    );
    assert_eq!(
        history(&mut script, "<history maxstanzas='1'/>"),
        ["body \"three\", 2001-09-09T01:48:40.000Z", "subject \"news\""]
    );
    let since = "<history since='2001-09-09T01:47:40Z'/>";
    assert_eq!(history(&mut script, since).len(), 3);
    assert_eq!(history(&mut script, "<history maxchars='0'/>"), ["subject \"news\""]);
    script.configure(&[("muc#maxhistoryfetch", "2")]);
    assert_eq!(history(&mut script, "").len(), 3);
    assert_eq!(script.room().history_len(), 3);
}

#[test]
fn addresses_are_seen_by_moderators_or_by_all() {
    let mut script = Script::with(&["bob", "cid"]);
    let sees = |script: &mut Script| {
        let out = script.send("cid", "<presence to='club@rooms.b/cid'/>");
        let seen = out.iter().filter(|stanza| {
            let x = stanza.children().find(|child| child.name() == "x").unwrap();
            x.children().any(|item| item.attribute("jid") == Some("cid@b/x"))
        });
        seen.map(|stanza| stanza.attribute("to").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sees(&mut script), ["ann@b/x", "cid@b/x"]);
    let told = script.configure(&[("whois", "anyone")]);
    assert_eq!(told[0], "ann: message of room, groupchat 104 172");
    assert_eq!(sees(&mut script), ["ann@b/x", "bob@b/x", "cid@b/x"]);
    let entered = script.enter("dan");
    assert!(entered.contains(&"dan: presence of dan, none/participant 110 100".to_owned()));
    assert_eq!(
        script.configure(&[("whois", "moderators")])[0],
        "ann: message of room, groupchat 104 173"
    );
}

#[test]
fn rooms_are_bounded() {
    let config = RoomsConfig::default().rooms_max(3).rooms_of_member_max(2).occupants_max(1);
    let mut script = Script::new(config.locks_new_rooms(false));
    let into = |room: &str, name: &str| entry(name, "").replace("club", room);
    for room in ["a", "b"] {
        assert_eq!(script.send("ann", &into(room, "ann")).len(), 2);
    }
    assert_eq!(script.error("ann", &into("c", "ann")), "resource-constraint");
    assert_eq!(script.error("bob", &into("a", "bob")), "service-unavailable");
    assert_eq!(script.send("bob", &into("c", "bob")).len(), 2);
    assert_eq!(script.error("cid", &into("d", "cid")), "resource-constraint");
}

#[test]
fn ghosts_are_taken_out() {
    let mut script = Script::with(&["bob", "cid"]);
    let error = |condition: &str| {
        format!(
            "<message type='error' to='club@rooms.b'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    assert!(script.told("bob", &error("not-acceptable")).is_empty());
    assert_eq!(
        script.told("bob", &error("recipient-unavailable"))[0],
        "ann: presence of bob, unavailable, none/none 307 333"
    );
    assert_eq!(script.told("cid", "<presence type='error' to='club@rooms.b/cid'/>").len(), 2);
    let room = script.room();
    assert_eq!(room.occupants().count(), 1);
    let (nick, ann) = room.occupants().next().unwrap();
    assert_eq!((nick, ann.role(), ann.jid()), ("ann", Role::Moderator, &jid("ann@b/x")));
    assert_eq!(room.affiliation(&jid("ann@b/other")), Affiliation::Owner);
}
