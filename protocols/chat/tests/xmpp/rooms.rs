//! Rooms: joined, left, refused, renamed in, and joined again in a new session.

use sinew_chat::xmpp::client::RequestError;

use crate::xmpp_support::{BIND, BOUND, ENABLED, Script, config, jid};

const ENTRY: &str =
    "<presence to='room@muc.example/bot'><x xmlns='http://jabber.org/protocol/muc'/></presence>";

fn presence(nick: &str, kind: &str, codes: &[&str]) -> String {
    let codes: String = codes.iter().map(|code| format!("<status code='{code}'/>")).collect();
    format!(
        "<presence from='room@muc.example/{nick}' {kind}><x xmlns='http://jabber.org/protocol/muc#user'>{codes}</x></presence>"
    )
}

#[test]
fn join_say_rename_and_leave() {
    let script = Script::online_simply(config());
    script.sent();
    let room = jid("room@muc.example");
    let joined = script.xmpp.join(&room, "bot", None);
    assert_eq!(script.sent(), ENTRY);
    script.receive(&presence("ann", "", &[]));
    assert!(!joined.is_settled() && script.xmpp.rooms().is_empty());
    // The room may give another nick.
    script.receive(&presence("bot2", "", &["110", "210"]));
    assert!(joined.take().unwrap().is_ok());
    assert_eq!(
        (script.xmpp.rooms(), script.xmpp.nick(&room).as_deref()),
        (vec![room.clone()], Some("bot2"))
    );
    script.xmpp.say(&room, "hi").unwrap();
    assert!(script.sent().contains("<message to='room@muc.example' type='groupchat'"));
    script.receive(&presence("bot2", "type='unavailable'", &["303", "110"]));
    script.receive(&presence("bot3", "", &["110"]));
    script.receive(&presence("ann", "type='unavailable'", &[]));
    assert_eq!(script.xmpp.nick(&room).as_deref(), Some("bot3"));
    script.xmpp.leave(&room).unwrap();
    assert_eq!(script.sent(), "<presence type='unavailable' to='room@muc.example/bot3'/>");
    script.receive(&presence("bot3", "type='unavailable'", &["110"]));
    assert!(script.xmpp.rooms().is_empty());
    let notes: Vec<_> =
        script.notes().into_iter().filter(|note| note.starts_with("room_")).collect();
    assert_eq!(notes, ["room_joined room@muc.example", "room_left room@muc.example"]);
    script.xmpp.leave(&room).unwrap();
    assert_eq!(script.sent(), "");
}

#[test]
fn rooms_that_refuse_or_do_not_answer() {
    let script = Script::online_simply(config().rooms_max(1));
    let room = jid("room@muc.example");
    let refused = script.xmpp.join(&room, "bot", Some("a<b"));
    assert!(script.sent().contains("<password>a&lt;b</password>"));
    let full = script.xmpp.join(&jid("other@muc.example"), "bot", None);
    for (jid, nick) in
        [(jid("room@muc.example/x"), "bot"), (room.clone(), ""), (room.clone(), "a\nb")]
    {
        let bad = script.xmpp.join(&jid, nick, None);
        script.advance(0);
        assert!(matches!(bad.take(), Some(Err(RequestError::NoRoom))));
    }
    script.receive(
        "<presence from='room@muc.example/bot' type='error'><error type='auth'>\
         <registration-required xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
    );
    assert!(matches!(refused.take(), Some(Err(RequestError::Refused(_)))));
    assert!(matches!(full.take(), Some(Err(RequestError::TooMany { max: 1 }))));
    let silent = script.xmpp.join(&room, "bot", None);
    script.advance(30_001);
    assert!(matches!(silent.take(), Some(Err(RequestError::TimedOut { .. }))));
    assert_eq!(script.xmpp.nick(&room), None);
}

#[test]
fn a_new_session_joins_again() {
    let mut script = Script::online(config());
    let room = jid("room@muc.example");
    script.xmpp.join(&room, "bot", None).detach();
    script.receive(&presence("bot", "", &["110"]));
    script.cut();
    assert_eq!(script.xmpp.rooms(), std::slice::from_ref(&room));
    script.advance(200_000); // the server forgets the session after 100 seconds
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert!(script.xmpp.rooms().is_empty());
    script.receive(BOUND);
    script.sent();
    script.receive(ENABLED);
    assert!(script.sent().starts_with(ENTRY));
    script.notes();
    script.receive(&presence("bot", "", &["110"]));
    assert_eq!(script.notes()[1], "room_joined room@muc.example");
}
