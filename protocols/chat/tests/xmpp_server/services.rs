//! Services that have domains of their own.

use std::{cell::RefCell, rc::Rc};

use sinew_chat::xmpp::{
    codec::{Element, Message, Stanza, StanzaError, StreamEvent, StreamParser, XmlLimits},
    server::{Router, Service},
};

use super::kit::{Site, config};

/// Returns messages, notes presence, refuses the rest.
#[derive(Default)]
struct Echo {
    notes: RefCell<Vec<String>>,
}

impl Service for Echo {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        let encoded = stanza.encode("jabber:client").unwrap();
        assert!(!encoded.contains("panic"), "a service panics");
        self.notes.borrow_mut().push(encoded);
        match Stanza::try_from(stanza) {
            Ok(Stanza::Message(message)) if message.error().is_none() => {
                let (from, to) = (message.from().unwrap().clone(), message.to().unwrap().clone());
                let body = message.body().unwrap_or_default();
                router
                    .route(Message::new(message.kind(), from).with_from(to).with_body(body).into());
            }
            Ok(Stanza::Iq(iq)) if iq.is_request() => {
                router.refuse(iq.element(), &StanzaError::service_unavailable());
            }
            _ => {}
        }
    }

    fn name(&self) -> String {
        "Echoes & more".to_owned()
    }
}

#[test]
fn a_service_receives_what_is_for_its_domain() {
    let echo = Rc::new(Echo::default());
    let site = Site::new(config().service("echo.example.org", Rc::clone(&echo)).unwrap());
    let ann = site.online("ann", "desk");
    let items = ann.ask("<iq type='get' id='1' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(items.contains("<item jid='echo.example.org' name='Echoes &amp; more'/>"), "{items}");
    let back = ann.ask("<message from='bob@example.org/x' to='Room@Echo.Example.Org/nick' type='chat'><body>hi</body></message>");
    assert_eq!(
        back,
        "<message to='ann@example.org/desk' type='chat' from='room@echo.example.org/nick'><body>hi</body></message>"
    );
    let refused =
        ann.ask("<iq type='get' id='2' to='echo.example.org'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(refused.contains("id='2'") && refused.contains("service-unavailable"), "{refused}");
    // Directed presence, and the end of the session.
    echo.notes.borrow_mut().clear();
    ann.say("<presence to='room@echo.example.org/ann'/>");
    ann.cut();
    let notes = echo.notes.borrow().join("\n");
    assert_eq!(
        notes,
        "<presence to='room@echo.example.org/ann' from='ann@example.org/desk'/>\n\
         <presence type='unavailable' from='ann@example.org/desk' to='room@echo.example.org/ann'/>"
    );
}

/// A panic loses one stanza, no session, and not what is in line behind it.
#[test]
fn a_service_that_panics() {
    let site = Site::new(config().service("echo.example.org", Echo::default()).unwrap());
    let ann = site.online("ann", "desk");
    let back = ann.ask(
        "<message to='echo.example.org'><body>panic</body></message><message to='echo.example.org'><body>a</body></message>\
         <message to='ann@example.org/desk'><body>b</body></message>",
    );
    assert!(back.contains("<body>a</body>") && back.contains("<body>b</body>"), "{back}");
    assert!(!back.contains("panic"));
    assert_eq!(site.server.report().sessions, 1);
}

/// What a service sends that is no stanza goes nowhere.
#[test]
fn what_is_no_stanza_is_not_routed() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let router = site.server.router();
    for (text, is_routed) in [
        ("<message from='x.example' to='ann@example.org/desk'/>", true),
        ("<message to='ann@example.org/desk'/>", false),
        ("<message from='x.example'/>", false),
        ("<message from='x.example' to='@'/>", false),
        ("<iq from='x.example' to='ann@example.org/desk' type='get' id='1'/>", false),
        ("<iq from='x.example' to='ann@example.org/desk' type='result'/>", false),
        ("<x from='x.example' to='ann@example.org/desk'/>", false),
    ] {
        router.route(element(text));
        assert_eq!(!ann.heard().is_empty(), is_routed, "{text}");
    }
    // What XML cannot hold does not end the stream.
    let nul = element("<message from='x.example' to='ann@example.org/desk'/>").with_text("\0");
    router.route(nul);
    assert_eq!(ann.heard(), "");
}

fn element(text: &str) -> Element {
    let mut parser = StreamParser::new(XmlLimits::default());
    let text = format!("<s xmlns='jabber:client'>{text}");
    let mut data = text.as_bytes();
    parser.next(&mut data).unwrap();
    match parser.next(&mut data).unwrap() {
        Some(StreamEvent::Stanza(element)) => element,
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_domains_are_not_found() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let refused = ann.ask("<message to='bob@example.com'><body>a</body></message>");
    assert_eq!(
        refused,
        "<message type='error' to='ann@example.org/desk' from='bob@example.com'><error type='cancel'>\
         <remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    );
}
