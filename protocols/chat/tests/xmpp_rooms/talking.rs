//! Messages, subjects, private messages, invitations, questions between occupants.

use sinew_chat::xmpp::codec::{Element, StanzaCondition, StanzaError};

use super::script::{Script, admin, entry, owner, submit};

const SUBJECT: &str =
    "<message type='groupchat' to='club@rooms.b'><subject>news</subject></message>";

#[test]
fn messages_to_all() {
    let mut script = Script::with(&["bob"]);
    assert_eq!(
        script.say("bob", "hi"),
        [
            "ann: message of bob, groupchat, body \"hi\"",
            "bob: message of bob, groupchat, body \"hi\""
        ]
    );
    // What only the room may say is left out.
    let forged = "<message type='groupchat' id='7' to='club@rooms.b'><body>hi</body>\
        <x xmlns='http://jabber.org/protocol/muc#user'><status code='301'/></x><delay xmlns='urn:xmpp:delay' stamp='x'/></message>";
    let out = script.send("bob", forged);
    assert_eq!(out[0].attribute("id"), Some("7"));
    assert_eq!(out[0].children().count(), 1);
    let say = "<message type='groupchat' to='club@rooms.b'><body>hi</body></message>";
    assert_eq!(script.error("eve", say), "not-acceptable");
    let long = say.replace("hi", &"x".repeat(33_000));
    assert_eq!(script.error("bob", &long), "policy-violation");
    let in_private = "<message type='groupchat' to='club@rooms.b/ann'><body>hi</body></message>";
    assert_eq!(script.error("bob", in_private), "bad-request");
    assert_eq!(script.error("bob", &say.replace("club", "other")), "item-not-found");
    assert_eq!(
        script.error("bob", "<message to='club@rooms.b'><body>hi</body></message>"),
        "bad-request"
    );
}

#[test]
fn moderated_rooms() {
    let mut script = Script::with(&[]);
    script.configure(&[("moderatedroom", "1")]);
    let entered = script.enter("bob");
    assert!(entered.contains(&"bob: presence of bob, none/visitor 110".to_owned()));
    let say = "<message type='groupchat' to='club@rooms.b'><body>hi</body></message>";
    assert_eq!(script.error("bob", say), "forbidden");
    assert_eq!(
        script.told(
            "ann",
            &admin("<item nick='bob' role='participant'><reason>welcome</reason></item>")
        ),
        [
            "ann: presence of bob, none/participant by ann \"welcome\"",
            "bob: presence of bob, none/participant by ann \"welcome\" 110",
            "ann: iq of room, result"
        ]
    );
    assert_eq!(script.say("bob", "hi").len(), 2);
}

#[test]
fn subjects() {
    let mut script = Script::with(&["bob"]);
    assert_eq!(script.error("bob", SUBJECT), "forbidden");
    assert_eq!(script.told("ann", SUBJECT)[1], "bob: message of ann, groupchat, subject \"news\"");
    assert_eq!(script.room().subject().as_deref(), Some("news"));
    script.configure(&[("changesubject", "1")]);
    assert_eq!(script.told("bob", SUBJECT).len(), 2);
    let long = SUBJECT.replace("news", &"x".repeat(5_000));
    assert_eq!(script.error("ann", &long), "not-acceptable");
    script.told("ann", &SUBJECT.replace("news", ""));
    assert_eq!(script.room().subject(), None);
}

#[test]
fn private_messages() {
    let mut script = Script::with(&["bob"]);
    let to_ann = "<message type='chat' to='club@rooms.b/ann'><body>psst</body></message>";
    let out = script.send("bob", to_ann);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].attribute("from"), Some("club@rooms.b/bob"));
    assert!(out[0].child("x", "http://jabber.org/protocol/muc#user").is_some());
    assert_eq!(script.error("bob", &to_ann.replace("ann", "nobody")), "item-not-found");
    assert_eq!(script.error("eve", to_ann), "not-acceptable");
    for (allowed, expected) in [("moderators", true), ("none", true), ("participants", false)] {
        script.configure(&[("allowpm", allowed)]);
        assert_eq!(script.told("bob", to_ann)[0].contains("forbidden"), expected, "{allowed}");
    }
    assert_eq!(script.error("ann", &submit(&[("allowpm", "x")])), "not-acceptable");
    // An error goes back in private as well, and takes nobody out.
    let failed = "<message type='error' to='club@rooms.b/bob'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    assert_eq!(script.told("ann", failed), ["bob: message of ann, error, gone"]);
    assert_eq!(script.room().occupants().count(), 2);
}

fn invite(who: &str) -> String {
    format!(
        "<message to='club@rooms.b'><x xmlns='http://jabber.org/protocol/muc#user'>\
         <invite to='{who}'><reason>come</reason></invite></x></message>"
    )
}

#[test]
fn invitations() {
    let mut script = Script::with(&["bob"]);
    script.configure(&[("passwordprotectedroom", "1"), ("roomsecret", "s")]);
    assert_eq!(
        script.told("bob", &invite("cid@b")),
        ["cid: message of room <invite bob@b> \"come\" <password >"]
    );
    assert_eq!(script.error("eve", &invite("cid@b")), "not-acceptable");
    assert_eq!(script.error("bob", &invite("@")), "jid-malformed");
    assert_eq!(
        script.error(
            "bob",
            &invite("cid@b").replace("invite ", "other ").replace("/invite", "/other")
        ),
        "bad-request"
    );
    let many = "<invite to='cid@b'/>".repeat(11);
    let many = invite("x@b").replace("<invite to='x@b'><reason>come</reason></invite>", &many);
    assert_eq!(script.error("bob", &many), "not-acceptable");
    // In a room for members, an invitation makes a member.
    script.configure(&[("passwordprotectedroom", "0"), ("membersonly", "1")]);
    assert_eq!(script.error("cid", &entry("cid", "")), "registration-required");
    script.told("ann", &invite("cid@b"));
    assert!(script.enter("cid").len() > 1);
    assert_eq!(script.error("cid", &invite("dan@b")), "forbidden");
    script.configure(&[("allowinvites", "1")]);
    assert_eq!(script.told("cid", &invite("dan@b")).len(), 1);
    script.told("ann", &admin("<item affiliation='outcast' jid='eve@b'/>"));
    assert_eq!(script.error("cid", &invite("eve@b")), "not-allowed");
    let decline = "<message to='club@rooms.b'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='ann@b'><reason>no</reason></decline></x></message>";
    assert_eq!(script.told("fay", decline), ["ann: message of room <decline fay@b> \"no\""]);
    assert!(script.told("fay", &decline.replace("ann@b", "nobody@b")).is_empty());
    assert_eq!(script.error("eve", decline), "forbidden");
}

#[test]
fn questions_between_occupants_and_self_pings() {
    let mut script = Script::with(&["bob"]);
    let ask = |kind: &str, nick: &str, payload: &str| {
        format!("<iq type='{kind}' id='9' to='club@rooms.b/{nick}'>{payload}</iq>")
    };
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    assert_eq!(script.told("bob", &ask("get", "bob", ping)), ["bob: iq of bob, result"]);
    assert_eq!(script.error("eve", &ask("get", "bob", ping)), "not-acceptable");
    assert_eq!(script.error("bob", &ask("get", "nobody", ping)), "item-not-found");
    let out = script.send("bob", &ask("get", "ann", "<vCard xmlns='vcard-temp'/>"));
    assert_eq!(
        (out[0].attribute("from"), out[0].attribute("to"), out[0].attribute("id")),
        (Some("club@rooms.b/bob"), Some("ann@b/x"), Some("9"))
    );
    assert_eq!(script.told("ann", &ask("result", "bob", "")), ["bob: iq of ann, result"]);
    assert!(script.told("ann", &ask("result", "nobody", "")).is_empty());
    assert!(script.told("eve", &ask("error", "bob", "")).is_empty());
}

/// RFC 6120 8.2.3: one answer to each question, also if somebody leaves while it is on its way.
#[test]
fn questions_of_those_who_leave() {
    let ask = "<iq type='get' id='9' to='club@rooms.b/bob'><vCard xmlns='vcard-temp'/></iq>";
    let answer = "<iq type='result' id='9' to='club@rooms.b/ann'/>";
    let leave = |name: &str| format!("<presence type='unavailable' to='club@rooms.b/{name}'/>");
    let refused = |stanzas: &[Element], from: &str| {
        let of_ann = stanzas.iter().filter(|stanza| stanza.name() == "iq");
        let of_ann = of_ann.filter(|stanza| stanza.attribute("id") == Some("9"));
        let of_ann: Vec<_> = of_ann.map(|stanza| StanzaError::of(stanza).condition).collect();
        let is_to_ann = |stanza: &&Element| {
            stanza.attribute("to") == Some("ann@b/x") && stanza.attribute("from") == Some(from)
        };
        assert_eq!(
            stanzas.iter().filter(is_to_ann).filter(|iq| iq.name() == "iq").count(),
            of_ann.len()
        );
        of_ann
    };
    for (who, what, condition) in [
        ("bob", leave("bob"), StanzaCondition::ItemNotFound),
        ("ann", admin("<item nick='bob' role='none'/>"), StanzaCondition::ItemNotFound),
        ("ann", admin("<item jid='bob@b' affiliation='outcast'/>"), StanzaCondition::ItemNotFound),
        ("ann", submit(&[("membersonly", "1")]), StanzaCondition::ItemNotFound),
        ("ann", owner("<destroy/>"), StanzaCondition::ItemNotFound),
        ("ann", leave("ann"), StanzaCondition::NotAcceptable),
    ] {
        let mut script = Script::with(&["bob", "cid"]);
        let what = what.replace("id='1'", "id='other'");
        assert_eq!(script.told("ann", ask), ["bob: iq of ann, get, <vCard>"]);
        let out = script.send(who, &what);
        assert_eq!(refused(&out, "club@rooms.b/bob"), [condition], "{what}");
        assert!(script.told("bob", answer).is_empty(), "{what}");
    }
    // Other nicks, also one that somebody else has taken: the answer is that to the question.
    let mut script = Script::with(&["bob"]);
    script.send("ann", ask);
    script.told("ann", "<presence to='club@rooms.b/Anna'/>");
    script.told("bob", "<presence to='club@rooms.b/Bobby'/>");
    script.told("cid", &entry("ann", ""));
    let out = script.send("bob", answer);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].attribute("from"), Some("club@rooms.b/bob"));
    assert_eq!(out[0].attribute("to"), Some("ann@b/x"));
    assert!(script.told("bob", answer).is_empty(), "it is answered");
}

/// Who never answers does not have a room keep ever more questions.
#[test]
fn old_questions_are_given_up() {
    let mut script = Script::with(&["bob"]);
    let ask = |id: &str| {
        format!("<iq type='get' id='{id}' to='club@rooms.b/bob'><q xmlns='urn:x'/></iq>")
    };
    for number in 0..100 {
        assert_eq!(script.send("ann", &ask(&number.to_string())).len(), 1, "{number}");
    }
    assert_eq!(
        script.told("ann", &ask("last")),
        ["ann: iq of bob, error, resource-constraint", "bob: iq of ann, get, <q>"]
    );
    // Also by their bytes.
    let given_up = script.send("ann", &ask(&"x".repeat(8_000))).len()
        + script.send("ann", &ask(&"y".repeat(8_100))).len();
    assert!(given_up > 60, "{given_up}");
    let left = script.leave("bob");
    assert_eq!(left.iter().filter(|line| line.contains("item-not-found")).count(), 104 - given_up);
}
