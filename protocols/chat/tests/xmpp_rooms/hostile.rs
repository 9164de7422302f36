//! What occupants and strangers try that they may not.

use sinew_chat::xmpp::{
    codec::ns,
    server::rooms::{RoomChange, Rooms, RoomsConfig},
};

use super::script::{Script, admin, entry, jid, parse};

fn deep(levels: usize) -> String {
    format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels))
}

fn many_attributes(count: usize) -> String {
    (0..count).map(|i| format!(" a{i}='x'")).collect()
}

/// What is stored of a room can be read again, whatever its subject was: otherwise the service does not start any more.
#[test]
fn a_subject_does_not_spoil_the_record() {
    for subject in [
        format!("<subject>{}</subject>", deep(61)),
        format!("<subject>{}</subject>", deep(60)),
        format!("<subject{}>x</subject>", many_attributes(128)),
        "<subject xmlns:p='urn:p' p:a='x'>x</subject>".to_owned(),
    ] {
        let mut script = Script::with(&[]);
        script.configure(&[("persistentroom", "1")]);
        script.rooms.take_changes();
        script.send(
            "ann",
            &format!("<message type='groupchat' to='club@rooms.b'>{subject}</message>"),
        );
        let changes = script.rooms.take_changes();
        let Some(RoomChange::Save(record)) = changes.get(&jid("club@rooms.b")) else {
            panic!("the room is stored: {changes:?}");
        };
        let mut again = Rooms::new(jid("rooms.b"), RoomsConfig::default());
        assert_eq!(again.restore(record), Ok(()), "{subject}");
    }
}

/// A subject is a text: what else is in it is not kept for everybody who enters.
#[test]
fn of_a_subject_the_text_is_kept() {
    let mut script = Script::with(&[]);
    let filler = "x".repeat(20_000);
    let xml = format!(
        "<message type='groupchat' to='club@rooms.b'><subject>a<b>{filler}</b></subject></message>"
    );
    script.send("ann", &xml);
    let last = script.send("bob", &entry("bob", "")).pop().unwrap();
    assert_eq!(last.child("subject", ns::CLIENT).unwrap().text(), "a");
    assert!(last.encode(ns::CLIENT).unwrap().len() < 1_000);
}

/// An error goes back to who has written in private. It is no way around what the room allows.
#[test]
fn errors_carry_no_messages() {
    let mut script = Script::with(&["bob"]);
    script.configure(&[("allowpm", "none")]);
    let xml = "<message type='error' to='club@rooms.b/ann'><body>spam</body></message>";
    assert!(script.told("bob", xml).is_empty());
    let failed = "<message type='error' to='club@rooms.b/ann'><body>spam</body><error type='cancel' by='bob@b/x'>\
        <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let out = script.send("bob", failed);
    assert_eq!(out.len(), 1);
    let text = out[0].encode(ns::CLIENT).unwrap();
    assert!(text.contains("<gone") && text.contains("from='club@rooms.b/bob'"), "{text}");
    assert!(!text.contains("spam") && !text.contains("bob@b"), "{text}");
    let failed = "<iq type='error' id='1' to='club@rooms.b/ann'><error type='cancel' by='bob@b/x'>\
        <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    script.send("ann", "<iq type='get' id='1' to='club@rooms.b/bob'><q xmlns='urn:x'/></iq>");
    let text = script.send("bob", failed)[0].encode(ns::CLIENT).unwrap();
    assert!(text.contains("<gone") && !text.contains("bob@b"), "{text}");
}

/// A stranger does not learn from answers who is in a room.
#[test]
fn strangers_find_out_nothing() {
    let mut script = Script::with(&["bob"]);
    let decline = |to: &str| {
        format!(
            "<message to='club@rooms.b'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='{to}'/></x></message>"
        )
    };
    assert_eq!(script.send("eve", &decline("ann@b")).len(), 1);
    assert!(script.send("eve", &decline("nobody@b")).is_empty());
    for nick in ["bob", "nobody"] {
        for item in ["affiliation='member'", "role='visitor'"] {
            let xml = admin(&format!("<item nick='{nick}' {item}/>"));
            assert_eq!(script.error("eve", &xml), "forbidden", "{nick} {item}");
        }
    }
    let xml = "<message type='groupchat' to='club@rooms.b'><subject>secret</subject></message>";
    script.send("ann", xml);
    let info = "<iq type='get' id='1' to='club@rooms.b'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    for (name, setting, is_told) in [
        ("eve", ("publicroom", "1"), true),
        ("eve", ("roomsecret", "word"), false),
        ("bob", ("roomsecret", "word"), true),
        ("eve", ("roomsecret", ""), true),
        ("eve", ("membersonly", "1"), false),
        ("ann", ("membersonly", "1"), true),
    ] {
        script.configure(&[setting]);
        let text = script.send(name, info)[0].encode(ns::CLIENT).unwrap();
        assert_eq!(text.contains("secret</value>"), is_told, "{name} {setting:?}: {text}");
    }
}

/// Members of a room whose occupants do not see each other's addresses do not see the list of them either.
#[test]
fn lists_show_no_hidden_addresses() {
    let mut script = Script::with(&["bob"]);
    script.told("ann", &admin("<item affiliation='member' jid='bob@b'/>"));
    let list = "<iq type='get' id='1' to='club@rooms.b'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query></iq>";
    script.configure(&[("membersonly", "1")]);
    assert_eq!(script.error("bob", list), "forbidden");
    script.configure(&[("whois", "anyone")]);
    assert_eq!(script.told("bob", list), ["bob: iq of room, result, <query>"]);
}

/// One request does not become a hundred rounds to all.
#[test]
fn an_item_twice_is_refused() {
    let mut script = Script::with(&["bob"]);
    for items in [
        "<item nick='bob' role='visitor'/><item nick='bob' role='participant'/>",
        "<item jid='bob@b' affiliation='member'/><item jid='bob@b/x' affiliation='none'/>",
        "<item jid='bob@b' affiliation='member'/><item nick='bob' affiliation='none'/>",
    ] {
        assert_eq!(script.error("ann", &admin(items)), "bad-request", "{items}");
    }
    // What is so already is told to nobody.
    assert_eq!(
        script.told("ann", &admin("<item nick='bob' role='participant'/>")),
        ["ann: iq of room, result"]
    );
}

/// A nick that looks like another one is the same.
#[test]
fn nicks_that_look_the_same() {
    let mut script = Script::with(&["Bob"]);
    for nick in ["Bob", "bob", "BOB", "Bob ", " Bob", "B\u{200b}ob", "\u{ff22}ob", "Bob\u{ad}"] {
        assert_eq!(script.error("eve", &entry(nick, "")), "conflict", "{nick:?}");
    }
    assert!(!script.send("eve", &entry("B ob", "")).is_empty());
    let renamed = |nick: &str| format!("<presence to='club@rooms.b/{nick}'/>");
    assert_eq!(script.error("eve", &renamed("bob")), "conflict");
    // One's own nick may be written in another way.
    assert_eq!(script.send("Bob", &renamed("bob")).len(), 6);
    for nick in ["\u{200b}", "\u{ad} \u{200d}"] {
        assert_eq!(script.error("fay", &entry(nick, "")), "not-acceptable", "{nick:?}");
    }
}

/// Who gives rooms away has made them nevertheless; who is given some has not.
#[test]
fn rooms_are_counted_for_who_made_them() {
    let config = RoomsConfig::default().locks_new_rooms(false).rooms_of_member_max(2);
    let mut script = Script::new(config);
    let enter = |room: &str, nick: &str| {
        format!(
            "<presence to='{room}@rooms.b/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
    };
    for room in ["one", "two"] {
        script.send("mallory", &enter(room, "m"));
        let to_room = |xml: String| xml.replace("club@", &format!("{room}@"));
        let keep = super::script::submit(&[("persistentroom", "1")]);
        script.send("mallory", &to_room(keep));
        let items = "<item affiliation='owner' jid='ann@b'/>";
        script.send("mallory", &to_room(admin(items)));
        let left = to_room(admin("<item affiliation='none' jid='mallory@b'/>"));
        script.send("mallory", &left);
        script.send("mallory", &format!("<presence type='unavailable' to='{room}@rooms.b/m'/>"));
    }
    assert_eq!(script.rooms.rooms().count(), 2);
    // Also after a restart.
    let changes = script.rooms.take_changes();
    let config = RoomsConfig::default().locks_new_rooms(false).rooms_of_member_max(2);
    let mut again = Rooms::new(jid("rooms.b"), config);
    for change in changes.values() {
        let RoomChange::Save(record) = change else { panic!("both are kept") };
        again.restore(record).unwrap();
    }
    for rooms in [&mut script.rooms, &mut again] {
        let ask = |name: &str, room: &str| {
            parse(&enter(room, "n")).with_attribute("from", format!("{name}@b/x"))
        };
        let out = rooms.stanza_received(ask("mallory", "three"), script.now);
        assert!(out[0].encode(ns::CLIENT).unwrap().contains("<resource-constraint "), "{out:?}");
        let out = rooms.stanza_received(ask("ann", "hers"), script.now);
        assert_eq!(out.len(), 2, "{out:?}");
    }
}
