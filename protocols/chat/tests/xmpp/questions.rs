//! Questions of the client and to it.

use sinew_chat::xmpp::{
    client::{RequestError, XmppConfig},
    codec::{Element, Iq, StanzaError},
};

use crate::xmpp_support::{Script, config, jid};

fn online() -> Script {
    let script = Script::online_simply(config());
    script.sent();
    script
}

#[test]
fn answers_by_id_and_sender() {
    let script = online();
    let info = script.xmpp.disco_info(jid("bob@example.org/x"));
    assert_eq!(
        script.sent(),
        "<iq type='get' to='bob@example.org/x' id='s1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    );
    script.receive(
        "<iq type='result' from='bob@example.org/x' id='s1'><query xmlns='http://jabber.org/protocol/disco#info'>\
         <feature var='urn:xmpp:ping'/></query></iq>",
    );
    assert_eq!(info.take().unwrap().unwrap().children().count(), 1);
    let ping = script.xmpp.ping(jid("example.org"));
    script.receive(
        "<iq type='error' id='s2' from='example.org'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    match ping.take().unwrap() {
        Err(RequestError::Refused(error)) => assert_eq!(error.to_string(), "item-not-found"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn answer_from_a_stranger() {
    for (to, strangers, own) in [
        (
            Some("bob@example.org/x"),
            &["eve@example.org", "bob@example.org", "bob@example.org/y", ""][..],
            &["bob@example.org/x"][..],
        ),
        (
            None,
            &["eve@example.org", "ann@example.org/other", "other.example"],
            &["", "ann@example.org", "ann@example.org/desk", "example.org"],
        ),
        (Some("example.org"), &["ann@example.org", "eve@example.org"], &["", "example.org"]),
        (Some("ann@example.org"), &["example.org", "ann@example.org/x"], &["", "ann@example.org"]),
    ] {
        for own in own {
            let script = online();
            let iq = Iq::get(Element::new("ping", "urn:xmpp:ping"));
            let answer = script.xmpp.request(match to {
                Some(to) => iq.with_to(jid(to)),
                None => iq,
            });
            let receive = |from: &str| match from {
                "" => script.receive("<iq type='result' id='s1'/>"),
                from => script.receive(&format!("<iq type='result' id='s1' from='{from}'/>")),
            };
            strangers.iter().for_each(|stranger| receive(stranger));
            assert!(!answer.is_settled(), "{to:?}");
            receive(own);
            assert!(answer.take().unwrap().is_ok(), "{to:?} {own}");
        }
    }
}

#[test]
fn iq_timeout() {
    let script = Script::online_simply(config().requests_max(2));
    let first = script.xmpp.ping(jid("a@b"));
    let second = script.xmpp.ping(jid("a@b"));
    let third = script.xmpp.ping(jid("a@b"));
    script.advance(0);
    assert!(matches!(third.take(), Some(Err(RequestError::TooMany { max: 2 }))));
    // One that nobody waits for makes room.
    drop(second);
    script.advance(20_000);
    let fourth = script.xmpp.ping(jid("a@b"));
    script.advance(9_999);
    assert!(!first.is_settled());
    script.advance(2);
    assert!(matches!(first.take(), Some(Err(RequestError::TimedOut { .. }))));
    assert!(!fourth.is_settled());
    // The answer that comes too late is nobody's.
    script.receive("<iq type='result' id='s1' from='a@b'/>");
    script.cut();
    assert!(matches!(fourth.take(), Some(Err(RequestError::Lost))));
    let offline = script.xmpp.ping(jid("a@b"));
    script.advance(0);
    assert!(matches!(offline.take(), Some(Err(RequestError::Send(_)))));
}

#[test]
fn unknown_iq_gets_one_error() {
    let script = online();
    let refusal = "<iq type='error' id='1' to='bob@b/x'><error type='cancel'>\
                   <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    for kind in ["get", "set"] {
        script.receive(&format!("<iq type='{kind}' id='1' from='bob@b/x'><x xmlns='urn:x'/></iq>"));
        assert_eq!(script.sent(), refusal);
    }
    // A question that is none is answered as well.
    for bad in [
        "<iq type='get' id='1' from='bob@b/x'/>",
        "<iq type='set' id='1' from='bob@b/x'><a/><b/></iq>",
    ] {
        script.receive(bad);
        let sent = script.sent();
        assert!(
            sent.starts_with("<iq type='error' id='1'") && sent.contains("<bad-request "),
            "{sent}"
        );
    }
}

#[test]
fn error_gets_none() {
    let script = online();
    script.receive(
        "<iq type='error' id='1' from='a@b'><error type='cancel'/></iq><iq type='result' id='2' from='a@b'/>\
         <iq type='result' id='2' from='a@b'><a/><b/></iq>\
         <message type='error' from='a@b'><request xmlns='urn:xmpp:receipts'/></message>\
         <presence type='error' from='a@b'/>",
    );
    assert_eq!(script.sent(), "");
    assert_eq!(
        script.notes(),
        ["message_failed a@b undefined-condition", "presence a@b Some(Error)"]
    );
}

#[test]
fn iq_without_id() {
    let script = online();
    script.receive(
        "<iq type='get' from='a@b'><ping xmlns='urn:xmpp:ping'/></iq><iq type='get' id='' from='a@b'><x/></iq>\
         <iq type='get' id='1' from='a b@b'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    assert_eq!(script.sent(), "");
    assert!(script.xmpp.is_online());
}

#[test]
fn what_the_client_answers_itself() {
    let config = || config().software(Some("bot <1>")).feature("urn:mine");
    let script = Script::online_simply(config());
    script.sent();
    script.receive("<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(script.sent(), "<iq type='result' id='1' to='a@b/c'/>");
    let disco = "http://jabber.org/protocol/disco#info";
    script.receive(&format!("<iq type='get' id='1' from='a@b/c'><query xmlns='{disco}'/></iq>"));
    assert_eq!(
        script.sent(),
        format!(
            "<iq type='result' id='1' to='a@b/c'><query xmlns='{disco}'><identity category='client' type='bot' \
             name='bot &lt;1&gt;'/><feature var='{disco}'/><feature var='urn:xmpp:ping'/>\
             <feature var='urn:xmpp:receipts'/><feature var='urn:mine'/></query></iq>"
        )
    );
    script.receive(&format!(
        "<iq type='get' id='1' from='a@b/c'><query xmlns='{disco}' node='x'/></iq>"
    ));
    assert!(script.sent().contains("<item-not-found "));
    script.receive("<iq type='get' id='1' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(script.sent().contains("disco#items'/></iq>"));
    drop(Script::online_simply(XmppConfig::clone(&config())));
}

#[test]
fn questions_for_the_handler() {
    let script = Script::online(config());
    let ask = |id: &str| {
        script.receive(&format!(
            "<iq type='get' id='{id}' from='a@b/c'><mine xmlns='urn:mine'/></iq>"
        ))
    };
    for id in ["1", "2", "3", "4", "5"] {
        ask(id);
    }
    script.sent();
    let mut questions = std::mem::take(&mut *script.questions.borrow_mut()).into_iter();
    let mut next = || questions.next().unwrap();
    next().result(Some(Element::new("yes", "urn:mine"))).unwrap();
    next().error(&StanzaError::service_unavailable().with_text("a<b")).unwrap();
    drop(next());
    let sent = script.sent();
    let answers: Vec<_> = sent.split("<iq ").skip(1).collect();
    assert!(
        answers[0].starts_with("type='result' id='1' to='a@b/c'><yes xmlns='urn:mine'/></iq>"),
        "{sent}"
    );
    assert!(
        answers[1].starts_with("type='error' id='2'") && answers[1].contains(">a&lt;b</text>"),
        "{sent}"
    );
    assert!(answers[2].starts_with("type='error' id='3'"), "{sent}");
    assert_eq!(answers.len(), 3);
    // An answer that cannot be written is one as well.
    assert!(next().result(Some(Element::new("a b", ""))).is_err());
    assert!(script.sent().contains("<internal-server-error "));
    // The session of the last is over.
    let last = next();
    script.receive("</stream:stream>");
    script.wire.close_if_open();
    script.advance(10_000);
    script.sent();
    assert!(last.result(None).is_err());
}
