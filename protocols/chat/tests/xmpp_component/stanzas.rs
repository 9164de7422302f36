//! Stanzas of a component that is online: addresses, namespaces, questions in both directions.

use sinew_chat::xmpp::{
    client::{RequestError, SendError},
    codec::{Element, Iq, Message, MessageKind, StanzaError, ns},
};

use super::script::{Script, config, jid};

#[test]
fn stanzas_are_of_the_namespace_of_clients() {
    let script = Script::online(config());
    script.receive(
        "<message from='ann@example.org/desk' to='bot@echo.example.org'><body>hi</body></message>\
         <message from='a@b' to='echo.example.org' type='error'><error type='cancel'>\
         <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>\
         <presence from='a@b' to='echo.example.org' type='subscribe'/><presence from='a@b' to='echo.example.org' type='other'/>",
    );
    assert_eq!(
        script.notes(),
        [
            "message ann@example.org/desk bot@echo.example.org Some(\"hi\")",
            "message_failed a@b gone",
            "presence a@b Some(Subscribe)"
        ]
    );
    // Without an address, or for another domain, a stanza is ignored.
    script.receive(
        "<message to='echo.example.org'/><message from='a@b'/><message from='a@b' to='example.org'/>",
    );
    assert!(script.notes().is_empty() && !script.wire.is_closing());
    script.receive("<x/>");
    assert!(script.wire.is_closing());
}

#[test]
fn what_is_sent_has_addresses() {
    let script = Script::online(config().stanza_max(200).output_max(100));
    let to = jid("ann@example.org");
    let message = || Message::chat(to.clone()).with_body("1 < 2");
    script.xmpp.send(message()).unwrap();
    script.xmpp.send(message().with_from(jid("bot@echo.example.org"))).unwrap();
    let sent = script.sent();
    assert!(sent.contains("from='echo.example.org'><body>1 &lt; 2</body>"), "{sent}");
    assert!(sent.contains("from='bot@echo.example.org'"), "{sent}");
    let foreign = message().with_from(jid("example.org"));
    assert_eq!(script.xmpp.send(foreign), Err(SendError::Addresses));
    assert_eq!(script.xmpp.send(Element::new("presence", ns::CLIENT)), Err(SendError::Addresses));
    let long = message().with_body("x".repeat(200));
    assert!(matches!(script.xmpp.send(long), Err(SendError::TooLong { max: 200, .. })));
    script.wire.set_capacity(0);
    let results: Vec<_> = (0..100).map(|_| script.xmpp.send(message())).collect();
    assert!(results.contains(&Err(SendError::QueueFull { max: 100 })));
    let offline = Script::new(config());
    assert_eq!(offline.xmpp.send(message()), Err(SendError::NotConnected));
}

#[test]
fn what_the_domain_says_of_itself() {
    let script =
        Script::online(config().identity("component", "echo", "Echo <1>").feature("urn:mine"));
    script.receive("<iq type='get' id='1' from='a@b' to='echo.example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    assert_eq!(
        script.sent(),
        "<iq type='result' id='1' to='a@b' from='echo.example.org'>\
         <query xmlns='http://jabber.org/protocol/disco#info'><identity category='component' type='echo' name='Echo &lt;1&gt;'/>\
         <feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/><feature var='urn:mine'/></query></iq>"
    );
}

#[test]
fn each_question_has_one_answer() {
    let script = Script::online(config());
    let ask = |id: &str, payload: &str| {
        script.receive(&format!(
            "<iq type='set' id='{id}' from='a@b' to='bot@echo.example.org'>{payload}</iq>"
        ));
    };
    ask("1", "<other xmlns='urn:x'/>");
    assert!(script.sent().contains("<service-unavailable "));
    ask("2", "");
    let refused = script.sent();
    assert!(
        refused.contains("from='bot@echo.example.org'") && refused.contains("<bad-request "),
        "{refused}"
    );
    for id in ["3", "4", "5"] {
        ask(id, "<mine xmlns='urn:mine'/>");
    }
    assert_eq!(script.sent(), "");
    let mut questions = std::mem::take(&mut *script.questions.borrow_mut()).into_iter();
    let mut next = || questions.next().unwrap();
    next().result(Some(Element::new("yes", "urn:mine"))).unwrap();
    next().error(&StanzaError::service_unavailable()).unwrap();
    let sent = script.sent();
    assert!(sent.starts_with("<iq type='result' id='3' to='a@b' from='bot@echo.example.org'><yes xmlns='urn:mine'/></iq>"), "{sent}");
    assert!(sent.contains("<iq type='error' id='4'"), "{sent}");
    let last = next();
    script.end();
    let _ = script.sent();
    assert_eq!(last.result(None), Err(SendError::NotConnected));
}

#[test]
fn iq_timeout_and_answers_from_strangers() {
    let script = Script::online(config().requests_max(2));
    let ask = || script.xmpp.request(Iq::get(Element::new("x", "urn:x")).with_to(jid("ann@b/c")));
    let (first, second, third) = (ask(), ask(), ask());
    script.advance(0);
    assert!(matches!(third.take(), Some(Err(RequestError::TooMany { max: 2 }))));
    for from in ["ann@b", "b", "echo.example.org", "ann@b/d"] {
        script.receive(&format!("<iq type='result' id='s1' from='{from}' to='echo.example.org'/>"));
    }
    assert!(!first.is_settled());
    script.receive("<iq type='result' id='s1' from='ann@b/c' to='echo.example.org'/>");
    assert!(matches!(first.take(), Some(Ok(_))));
    script.advance(30_001);
    assert!(matches!(second.take(), Some(Err(RequestError::TimedOut { .. }))));
    let lost = ask();
    script.end();
    assert!(matches!(lost.take(), Some(Err(RequestError::Lost))));
    let nobody = script.xmpp.request(Iq::get(Element::new("x", "urn:x")));
    script.advance(0);
    assert!(matches!(nobody.take(), Some(Err(RequestError::Send(SendError::Addresses)))));
}

#[test]
fn error_gets_none() {
    let script = Script::online(config());
    for text in [
        "<iq type='error' id='1' from='a@b' to='echo.example.org'/>",
        "<iq type='result' id='1' from='a@b' to='echo.example.org'/>",
        "<message type='error' from='a@b' to='echo.example.org'/>",
        "<presence type='error' from='a@b' to='echo.example.org'/>",
        "<iq type='get' from='a@b' to='echo.example.org'><x xmlns='urn:x'/></iq>",
    ] {
        script.receive(text);
        assert_eq!(script.sent(), "", "{text}");
    }
    let news = Message::new(MessageKind::Headline, jid("a@b"));
    script.xmpp.send(news).unwrap();
}
