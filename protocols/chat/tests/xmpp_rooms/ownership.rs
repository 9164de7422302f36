//! Owners: the form, the end of a room, what is stored; and discovery.

use sinew_chat::xmpp::{
    codec::{Element, ns},
    server::rooms::{Affiliation, RecordError, RoomChange, Rooms, RoomsConfig},
};

use super::script::{Script, admin, jid, owner, submit};

#[test]
fn the_form() {
    let mut script = Script::with(&["bob"]);
    let get = owner("").replace("'set'", "'get'");
    assert_eq!(script.error("bob", &get), "forbidden");
    let out = script.send("ann", &get);
    let form = out[0].child("query", ns::MUC_OWNER).unwrap().child("x", ns::DATA_FORMS).unwrap();
    let names: Vec<_> = form.children().filter_map(|field| field.attribute("var")).collect();
    assert_eq!(names.len(), 15, "{names:?}");
    assert!(names.contains(&"muc#roomconfig_persistentroom"));
    assert_eq!(
        script.configure(&[("roomname", "The Club"), ("unknown", "x")]),
        [
            "ann: message of room, groupchat 104",
            "bob: message of room, groupchat 104",
            "ann: iq of room, result"
        ]
    );
    assert_eq!(script.configure(&[("roomname", "The Club")]).len(), 1, "nothing has changed");
    for (name, value) in [
        ("persistentroom", "perhaps"),
        ("maxusers", "0"),
        ("maxusers", "many"),
        ("muc#maxhistoryfetch", "-1"),
        ("passwordprotectedroom", "1"),
        ("roomname", &"x".repeat(2_000)),
        ("whois", "x"),
    ] {
        assert_eq!(
            script.error("ann", &submit(&[(name, value)])),
            "not-acceptable",
            "{name} {value}"
        );
    }
    for payload in ["", "<x xmlns='jabber:x:data' type='form'/>", "<x xmlns='urn:other'/>"] {
        assert_eq!(script.error("ann", &owner(payload)), "bad-request", "{payload}");
    }
    let other = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:x</value></field></x>";
    assert_eq!(script.error("ann", &owner(other)), "bad-request");
    assert_eq!(
        script.told("ann", &owner("<x xmlns='jabber:x:data' type='cancel'/>")),
        ["ann: iq of room, result"]
    );
    assert_eq!(script.room().settings().name, "The Club");
}

#[test]
fn destroyed_rooms() {
    let mut script = Script::with(&["bob"]);
    let destroy = "<destroy jid='hall@rooms.b'><reason>moved</reason></destroy>";
    assert_eq!(script.error("bob", &owner(destroy)), "forbidden");
    script.configure(&[("persistentroom", "1")]);
    assert_eq!(
        script.told("ann", &owner(destroy)),
        [
            "ann: presence of ann, unavailable, none/none <destroy > \"moved\" 110",
            "bob: presence of bob, unavailable, none/none <destroy > \"moved\" 110",
            "ann: iq of room, result"
        ]
    );
    assert!(script.rooms.rooms().next().is_none());
    assert_eq!(script.rooms.take_changes()[&jid("club@rooms.b")], RoomChange::Remove);
    // Who cancels the configuration of a new room ends it.
    let mut script = Script::new(RoomsConfig::default());
    script.enter("ann");
    script.told("ann", &owner("<x xmlns='jabber:x:data' type='cancel'/>"));
    assert!(script.rooms.rooms().next().is_none());
}

#[test]
fn persistent_rooms_are_stored() {
    let mut script = Script::with(&[]);
    assert!(script.rooms.take_changes().is_empty());
    script.configure(&[
        ("persistentroom", "1"),
        ("roomname", "A &amp; &lt;B>"),
        ("passwordprotectedroom", "true"),
        ("roomsecret", "&apos;s&apos;"),
        ("maxusers", "7"),
        ("whois", "anyone"),
        ("moderatedroom", "1"),
        ("muc#maxhistoryfetch", "3"),
    ]);
    script.told("ann", &admin("<item jid='bob@b' affiliation='outcast'/>"));
    script.told(
        "ann",
        "<message type='groupchat' to='club@rooms.b'><subject>news</subject></message>",
    );
    script.say("ann", "this changes nothing that is stored");
    let changes = script.rooms.take_changes();
    let Some(RoomChange::Save(record)) = changes.get(&jid("club@rooms.b")) else {
        panic!("{changes:?}")
    };
    script.say("ann", "neither does this");
    script.leave("ann");
    assert!(script.rooms.take_changes().is_empty());
    let mut restored = Rooms::new(jid("rooms.b"), RoomsConfig::default());
    restored.restore(record).unwrap();
    let room = restored.room(&jid("club@rooms.b")).unwrap();
    assert_eq!(room.settings(), script.room().settings());
    assert_eq!(room.subject().as_deref(), Some("news"));
    assert!(room.affiliations().eq(script.room().affiliations()));
    // It is not kept any more.
    script.rooms = restored;
    script.told("ann", &submit(&[("persistentroom", "0")]));
    assert_eq!(script.rooms.take_changes()[&jid("club@rooms.b")], RoomChange::Remove);
}

#[test]
fn records_that_are_none() {
    let mut rooms = Rooms::new(jid("rooms.b"), RoomsConfig::default());
    let record = |inner: &str| format!("<rooms xmlns='urn:sinew:room:0'>{inner}</rooms>");
    let room = |inner: &str| {
        record(&format!(
            "<room jid='club@rooms.b'><x xmlns='jabber:x:data' type='submit'/>{inner}</room>"
        ))
    };
    let value = |what| Err(RecordError::Value { what });
    assert_eq!(rooms.restore("<rooms>"), Err(RecordError::Incomplete));
    assert!(matches!(rooms.restore("{}"), Err(RecordError::Xml(_))));
    assert_eq!(rooms.restore(&record("<other/>")), value("another element than a room"));
    assert_eq!(rooms.restore(&record("<room jid='@'/>")), value("an address that is none"));
    assert_eq!(
        rooms.restore(&record("<room jid='rooms.b'/>")),
        value("an address that is not that of a room")
    );
    assert_eq!(
        rooms.restore(&record("<room jid='club@rooms.b'/>")),
        value("a configuration that is none")
    );
    assert_eq!(rooms.restore(&room("")), value("no owner"));
    assert_eq!(
        rooms.restore(&room("<affiliation jid='a@b' is='king'/>")),
        value("an affiliation that is none")
    );
    let right = room("<affiliation jid='a@b' is='owner'/>");
    assert_eq!(
        rooms.restore(&right.replace("rooms.b", "other")),
        value("an address of another domain")
    );
    rooms.restore(&right).unwrap();
    assert_eq!(
        rooms.room(&jid("club@rooms.b")).unwrap().affiliation(&jid("a@b")),
        Affiliation::Owner
    );
}

#[test]
fn discovery() {
    let mut script = Script::with(&["bob"]);
    let ask = |to: &str, space: &str| {
        format!("<iq type='get' id='1' to='{to}'><query xmlns='{space}'/></iq>")
    };
    let vars = |out: &[Element], space: &str| {
        let query = out[0].child("query", space).unwrap();
        let named =
            query.children().filter_map(|child| child.attribute("var").or(child.attribute("jid")));
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    let service = vars(&script.send("eve", &ask("rooms.b", ns::DISCO_INFO)), ns::DISCO_INFO);
    assert!(service.contains(&ns::MUC.to_owned()));
    assert_eq!(
        vars(&script.send("eve", &ask("rooms.b", ns::DISCO_ITEMS)), ns::DISCO_ITEMS),
        ["club@rooms.b"]
    );
    let room = vars(&script.send("eve", &ask("club@rooms.b", ns::DISCO_INFO)), ns::DISCO_INFO);
    assert_eq!(
        room[3..],
        [
            ns::PING,
            ns::MUC_SELF_PING,
            "muc_public",
            "muc_open",
            "muc_unmoderated",
            "muc_semianonymous",
            "muc_unsecured",
            "muc_temporary"
        ]
    );
    assert_eq!(
        vars(&script.send("eve", &ask("club@rooms.b", ns::DISCO_ITEMS)), ns::DISCO_ITEMS).len(),
        0
    );
    assert_eq!(
        vars(&script.send("bob", &ask("club@rooms.b", ns::DISCO_ITEMS)), ns::DISCO_ITEMS).len(),
        2
    );
    script.configure(&[("publicroom", "0")]);
    assert_eq!(
        vars(&script.send("eve", &ask("rooms.b", ns::DISCO_ITEMS)), ns::DISCO_ITEMS).len(),
        0
    );
    assert_eq!(
        vars(&script.send("ann", &ask("rooms.b", ns::DISCO_ITEMS)), ns::DISCO_ITEMS).len(),
        1
    );
    assert_eq!(
        script.told("eve", "<iq type='get' id='1' to='rooms.b'><ping xmlns='urn:xmpp:ping'/></iq>"),
        ["eve: iq of room, result"]
    );
    script.told("ann", &admin("<item affiliation='outcast' jid='eve@b'/>"));
    for (to, space, expected) in [
        ("club@rooms.b", ns::DISCO_INFO, "forbidden"),
        ("other@rooms.b", ns::DISCO_INFO, "item-not-found"),
        ("rooms.b", "urn:x", "service-unavailable"),
    ] {
        assert_eq!(script.error("eve", &ask(to, space)), expected);
    }
    let node = ask("rooms.b", ns::DISCO_INFO).replace("<query", "<query node='x'");
    assert_eq!(script.error("ann", &node), "item-not-found");
    assert_eq!(script.error("ann", &ask("club@rooms.b", "urn:x")), "service-unavailable");
}
