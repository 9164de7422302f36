//! Messages, presence and the roster.

use sinew_chat::xmpp::{
    client::SendError,
    codec::{Element, EncodeError, Message, MessageKind, Presence, PresenceKind, Show},
};

use crate::xmpp_support::{BIND, BOUND, ENABLED, Script, config, jid};

fn online() -> Script {
    let script = Script::online_simply(config());
    script.sent();
    script
}

#[test]
fn nothing_breaks_out() {
    let script = online();
    let text = "</body></message><presence type='unavailable'/>&lt;\"'\r\n";
    script.xmpp.send_message(Message::chat(jid("b@c")).with_body(text).with_subject(text)).unwrap();
    let sent = script.sent();
    assert_eq!(sent.matches('<').count(), 6, "{sent}");
    for bad in ["\0", "\u{1}", "\u{ffff}"] {
        let message = || Message::chat(jid("b@c")).with_body("x");
        for message in [
            message().with_body(bad),
            message().with_id(bad),
            message().with(Element::new("x", bad)),
            message().with(Element::new(bad, "urn:x")),
            message().with(Element::new("x", "urn:x").with_attribute(bad, "")),
        ] {
            assert!(matches!(script.xmpp.send_message(message), Err(SendError::Encode(_))));
        }
        assert!(script.xmpp.send_presence(Presence::available().with_status(bad)).is_err());
    }
    let long = "<".repeat(100_000);
    let error = script.xmpp.say(&jid("b@c"), long).unwrap_err();
    assert!(matches!(error, SendError::TooLong { max: 262_144, .. }));
    assert_eq!(script.sent(), "");
}

/// No deeper than our server takes it. A server may put others around it, as in a carbon copy.
#[test]
fn elements_in_each_other() {
    let script = online();
    let deep = |depth: usize| {
        let inner = |inner, _| Element::new("x", "urn:x").with_child(inner);
        let child = (2..depth).fold(Element::new("x", "urn:x"), inner);
        script.xmpp.send_message(Message::chat(jid("b@c")).with(child))
    };
    deep(63).unwrap();
    assert_eq!(script.sent().matches("<x").count(), 62);
    assert_eq!(deep(64), Err(SendError::Encode(EncodeError::TooDeep { max: 63 })));
    assert_eq!(script.sent(), "");
    script.receive(&format!(
        "<message from='ann@example.org'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client' from='b@c'>{}{}</message></forwarded></received></message>",
        "<x>".repeat(62),
        "</x>".repeat(62)
    ));
    assert!(script.xmpp.is_online());
}

#[test]
fn messages_and_presence() {
    let script = online();
    let id = script
        .xmpp
        .send_message(Message::new(MessageKind::Normal, jid("b@c")).with_thread("t"))
        .unwrap();
    assert_eq!(script.sent(), format!("<message to='b@c' id='{id}'><thread>t</thread></message>"));
    script
        .xmpp
        .send_presence(Presence::available().with_show(Show::Away).with_priority(-1))
        .unwrap();
    assert_eq!(script.sent(), "<presence><show>away</show><priority>-1</priority></presence>");
    script.xmpp.subscribe(&jid("b@c/d")).unwrap();
    script.xmpp.accept(&jid("b@c/d")).unwrap();
    script.xmpp.refuse(&jid("b@c/d")).unwrap();
    assert_eq!(
        script.sent(),
        "<presence type='subscribe' to='b@c'/><presence type='subscribed' to='b@c'/><presence type='unsubscribed' to='b@c'/>"
    );
    script.receive(
        "<message from='b@c/d' type='chat'><body>1 &lt; 2</body></message><message from='b@c' type='strange'/>\
         <message from='r@c/n' type='groupchat'><body>x</body></message><presence from='b@c/d'><show>dnd</show></presence>\
         <presence from='b@c/d' type='unavailable'/><presence from='b@c/d' type='subscribe'/>\
         <presence from='b@c' type='subscribed'/><presence from='b@c' type='huh'/><presence from='b@c' type=''/>",
    );
    assert_eq!(
        script.notes(),
        [
            "message b@c/d Some(\"1 < 2\")",
            "message b@c None",
            "room_message r@c/n Some(\"x\")",
            "presence b@c/d Some(Available)",
            "presence b@c/d Some(Unavailable)",
            "subscription_requested b@c",
            "subscription_changed b@c",
        ]
    );
    assert_eq!(script.sent(), "");
    let presence = Presence::directed(PresenceKind::Unavailable, jid("b@c"));
    assert_eq!((presence.show(), presence.priority()), (None, 0));
}

#[test]
fn the_roster_and_who_may_change_it() {
    let script = Script::online_simply(config().fetches_roster(true).roster_max(3));
    script.sent();
    script.receive(
        "<iq type='result' id='s1' from='ann@example.org'><query xmlns='jabber:iq:roster'>\
         <item jid='Bob@c' name='Bob' subscription='both'><group>Friends</group></item><item jid='eve@c' ask='subscribe'/>\
         <item jid='a b@c'/><item/></query></iq>",
    );
    assert_eq!(script.notes(), ["roster 2"]);
    let bob = script.xmpp.contact(&jid("bob@c/x")).unwrap();
    assert_eq!(
        (bob.name.as_deref(), bob.groups.as_slice()),
        (Some("Bob"), &["Friends".to_owned()][..])
    );
    assert!(bob.sees_me() && script.xmpp.contact(&jid("eve@c")).unwrap().is_asking);
    let push = |from: &str, item: &str| {
        script.receive(&format!(
            "<iq type='set' id='p'{from}><query xmlns='jabber:iq:roster'>{item}</query></iq>"
        ));
        script.sent()
    };
    let evil = push(" from='eve@c'", "<item jid='eve@c' subscription='both'/>");
    assert!(evil.contains("<service-unavailable "));
    assert!(
        push(" from='ann@example.org/other'", "<item jid='eve@c' subscription='both'/>")
            .contains("type='error'")
    );
    assert!(!script.xmpp.contact(&jid("eve@c")).unwrap().sees_me());
    assert!(push("", "").contains("<bad-request "));
    assert_eq!(script.notes().len(), 0);
    assert_eq!(push("", "<item jid='eve@c' subscription='from'/>"), "<iq type='result' id='p'/>");
    push(" from='ann@example.org'", "<item jid='bob@c' subscription='remove'/>");
    for number in 0..5 {
        push("", &format!("<item jid='u{number}@c'/>"));
    }
    assert_eq!(script.notes()[..2], ["contact eve@c Some(From)", "contact bob@c None"]);
    assert_eq!(script.xmpp.roster().len(), 3);
    let set = script.xmpp.set_contact(&jid("new@c"), Some("N'"), &["A&B"]);
    assert!(
        script.sent().contains("<item jid='new@c' name='N&apos;'><group>A&amp;B</group></item>")
    );
    script.receive("<iq type='result' id='s2'/>");
    assert!(set.take().unwrap().is_ok());
    script.xmpp.remove_contact(&jid("new@c")).detach();
    assert!(script.sent().contains("<item jid='new@c' subscription='remove'/>"));
}

#[test]
fn receipts_for_those_who_see_us() {
    let script = Script::online_simply(config().fetches_roster(true));
    script.receive(
        "<iq type='result' id='s1'><query xmlns='jabber:iq:roster'><item jid='bob@c' subscription='from'/>\
         <item jid='eve@c' subscription='to'/></query></iq>",
    );
    script.sent();
    let ask = |from: &str, more: &str| {
        script.receive(&format!(
            "<message from='{from}' {more}><body>x</body><request xmlns='urn:xmpp:receipts'/></message>"
        ));
        script.sent()
    };
    assert_eq!(
        ask("bob@c/x", "type='chat' id='7'"),
        "<message to='bob@c/x' type='chat'><received xmlns='urn:xmpp:receipts' id='7'/></message>"
    );
    for (from, more) in [
        ("eve@c/x", "type='chat' id='7'"),
        ("mallory@c", "id='7'"),
        ("bob@c", ""),
        ("bob@c", "id='7' type='groupchat'"),
        ("bob@c", "id='7' type='error'"),
    ] {
        assert_eq!(ask(from, more), "", "{from} {more}");
    }
    script.notes();
    script
        .receive("<message from='bob@c/x'><received xmlns='urn:xmpp:receipts' id='s9'/></message>");
    assert_eq!(script.notes(), ["receipt bob@c/x s9"]);
}

#[test]
fn carbon_copies_of_others_are_no_copies() {
    let script = online();
    let copy = |from: &str, kind: &str, inner: &str| {
        script.receive(&format!(
            "<message from='{from}'><{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}\
             </forwarded></{kind}></message>"
        ));
        script.notes()
    };
    let inner = "<message xmlns='jabber:client' from='bob@c/x' to='ann@example.org'><body>x</body></message>";
    assert_eq!(copy("ann@example.org", "sent", inner), ["carbon bob@c/x true"]);
    assert_eq!(copy("ann@example.org", "received", inner), ["carbon bob@c/x false"]);
    for from in ["eve@c", "ann@example.org/desk", "example.org"] {
        assert_eq!(copy(from, "received", inner), [""; 0], "{from}");
    }
    assert_eq!(copy("ann@example.org", "sent", "<iq xmlns='jabber:client'/>"), [""; 0]);
    assert_eq!(script.sent(), "");
}

#[test]
fn answers_and_whose_messages_they_are() {
    let script = online();
    let room = jid("room@muc.example");
    script.xmpp.join(&room, "bot", None).detach();
    script.receive(
        "<presence from='room@muc.example/bot'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
    );
    let message = |kind, from: Option<&str>| {
        let message = Message::new(kind, jid("ann@example.org")).with_thread("t");
        match from {
            Some(from) => message.with_from(jid(from)),
            None => message,
        }
    };
    for (kind, from, to, is_own) in [
        (MessageKind::Chat, Some("b@c/d"), Some("b@c/d"), false),
        (MessageKind::Normal, Some("b@c/d"), Some("b@c/d"), false),
        (MessageKind::Normal, Some("ann@example.org/phone"), Some("ann@example.org/phone"), true),
        (MessageKind::Groupchat, Some("room@muc.example/x"), Some("room@muc.example"), false),
        (MessageKind::Groupchat, Some("room@muc.example/bot"), Some("room@muc.example"), true),
        (MessageKind::Groupchat, Some("room@muc.example"), Some("room@muc.example"), false),
        (MessageKind::Groupchat, Some("other@muc.example/bot"), Some("other@muc.example"), false),
        (MessageKind::Headline, Some("b@c"), None, false),
        (MessageKind::Error, Some("b@c"), None, false),
        (MessageKind::Chat, None, None, true),
    ] {
        let message = message(kind, from);
        assert_eq!(script.xmpp.is_own(&message), is_own, "{from:?}");
        let answer = message.reply("x");
        assert_eq!(answer.as_ref().and_then(Message::to), to.map(jid).as_ref(), "{from:?}");
        if let Some(answer) = answer {
            assert_eq!((answer.kind(), answer.thread().as_deref()), (kind, Some("t")));
        }
        assert!(!message.is_delayed());
    }
    let delay = Element::new("delay", "urn:xmpp:delay");
    assert!(message(MessageKind::Chat, None).with(delay).is_delayed());
}

/// XEP-0352, where the server has it.
#[test]
fn what_is_said_of_the_state() {
    let mut script = Script::new(config());
    assert_eq!(script.xmpp.inactive(), Err(SendError::NotConnected));
    let with_csi = BIND.replace("<sm ", "<csi xmlns='urn:xmpp:csi:0'/><sm ");
    for (features, expected) in [
        (with_csi.as_str(), "<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>"),
        (BIND, ""),
    ] {
        script.log_in();
        script.receive(features);
        script.receive(BOUND);
        script.receive(ENABLED);
        script.sent();
        script.xmpp.inactive().unwrap();
        script.xmpp.active().unwrap();
        assert_eq!(script.sent(), expected);
        script = Script::new(config());
    }
}
