//! What must not be learnt by those who are blocked or are no contacts, and what others must not be able to do to an account.

use std::{cell::RefCell, rc::Rc};

use sinew_chat::xmpp::{
    codec::{Element, ns},
    server::{Router, Service},
};

use super::kit::{Site, config};

fn change(word: &str, jid: &str) -> String {
    format!(
        "<iq type='set' id='b'><{word} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{word}></iq>"
    )
}

/// Keeps what it receives.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Service for Log {
    fn stanza_received(&self, _: &Router, stanza: Element) {
        self.0.borrow_mut().push(stanza.encode(ns::CLIENT).unwrap());
    }
}

fn with_log() -> (Site, Rc<Log>) {
    let log = Rc::new(Log::default());
    (Site::new(config().service("log.example.org", Rc::clone(&log)).unwrap()), log)
}

#[test]
fn directed_presence_ends_with_a_block() {
    let (site, log) = with_log();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say("<presence to='bob@example.org/desk'/>");
    ann.say("<presence to='room@log.example.org/ann'/>");
    assert!(bob.heard().contains("from='ann@example.org/desk'"));
    log.0.take();
    ann.ask(&change("block", "bob@example.org"));
    assert!(bob.heard().contains("type='unavailable'"));
    ann.ask(&change("block", "log.example.org"));
    assert!(log.0.take().concat().contains("type='unavailable'"));
    // When she leaves is not theirs to know.
    ann.end();
    assert_eq!((bob.heard(), log.0.take()), (String::new(), Vec::new()));
}

#[test]
fn nothing_shows_that_who_has_blocked_is_there() {
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.ask(&change("block", "bob@example.org"));
    bob.heard();
    // Once more, in another way; and one of the two blocks is taken back.
    ann.ask(&change("block", "example.org"));
    assert_eq!(bob.heard(), "");
    ann.ask(&change("unblock", "bob@example.org"));
    assert_eq!(bob.heard(), "");
    ann.ask("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>");
    let heard = bob.heard();
    assert!(!heard.contains("ann@example.org/desk"), "{heard}");
}

/// XEP-0191: what is for all is dropped. An error would be taken for the end of the client, by a room at least.
#[test]
fn what_a_blocked_occupant_says_is_dropped() {
    let (site, log) = with_log();
    let ann = site.online("ann", "desk");
    ann.ask(&change("block", "room@log.example.org/eve"));
    for kind in ["groupchat", "headline"] {
        let message = Element::new("message", ns::CLIENT)
            .with_attribute("type", kind)
            .with_attribute("from", "room@log.example.org/eve")
            .with_attribute("to", "ann@example.org/desk")
            .with_child(Element::new("body", ns::CLIENT).with_text("x"));
        site.server.router().route(message);
        site.advance(0);
    }
    assert_eq!((ann.heard(), log.0.take()), (String::new(), Vec::new()));
}

#[test]
fn published_items_of_the_blocked() {
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let publish = "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:n'>\
         <item id='1'><x xmlns='urn:x'/></item></publish></pubsub></iq>";
    for client in [&ann, &bob] {
        assert!(client.ask(publish).contains("type='result'"));
    }
    ann.ask(&change("block", "bob@example.org"));
    // Neither does he see hers, nor she his.
    for name in ["bob", "ann"] {
        let other = if name == "bob" { "ann" } else { "bob" };
        let client = site.bind(name, "phone");
        let heard = client.ask("<presence/>");
        assert!(heard.contains(&format!("<message from='{name}@example.org'")), "{heard}");
        assert!(!heard.contains(&format!("<message from='{other}@example.org'")), "{heard}");
    }
}

#[test]
fn who_is_blocked_is_not_probed() {
    let (site, log) = with_log();
    let ann = site.online("ann", "desk");
    ann.say("<presence type='subscribe' to='bot@log.example.org'/>");
    let subscribed = Element::new("presence", ns::CLIENT)
        .with_attribute("type", "subscribed")
        .with_attribute("from", "bot@log.example.org")
        .with_attribute("to", "ann@example.org");
    site.server.router().route(subscribed);
    site.advance(0);
    log.0.take();
    site.online("ann", "phone");
    assert!(log.0.take().concat().contains("type='probe'"));
    ann.ask(&change("block", "bot@log.example.org"));
    site.online("ann", "pad");
    assert_eq!(log.0.take(), Vec::<String>::new());
}

/// RFC 6121 8.5.1: presence for nobody is ignored, also if it asks for a subscription.
#[test]
fn who_has_no_account_is_silent() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
        let heard = ann.ask(&format!("<presence type='{kind}' to='nobody@example.org'/>"));
        assert!(!heard.contains("type='error'"), "{kind}: {heard}");
    }
}

/// Requests are kept until they are answered: all of them have to fit into what is sent at a login.
#[test]
fn requests_are_kept_without_what_is_long() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let long = "x".repeat(20_000);
    ann.say(&format!(
        "<presence type='subscribe' to='bob@example.org'><status>{long}</status></presence>"
    ));
    let bob = site.bind("bob", "desk");
    let heard = bob.ask("<presence/>");
    assert!(
        heard.contains("type='subscribe'") && heard.contains("from='ann@example.org'"),
        "{heard}"
    );
    assert!(!heard.contains("xxx"), "{heard}");
}

/// RFC 6121 2.3.3.
#[test]
fn a_group_twice_is_a_bad_request() {
    let site = Site::new(config());
    let ann = site.online("ann", "desk");
    let set = |groups: &str| {
        format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'>{groups}</item></query></iq>"
        )
    };
    let twice = ann.ask(&set("<group>a</group><group>b</group><group>a</group>"));
    assert!(twice.contains("<bad-request "), "{twice}");
    assert!(ann.ask(&set("<group>a</group><group>b</group>")).contains("type='result'"));
}

/// XEP-0191: only that resource, and that one as well.
#[test]
fn a_resource_that_is_blocked_sees_nothing() {
    let site = Site::new(config());
    site.make_friends();
    let (desk, phone) = (site.online("bob", "desk"), site.online("bob", "phone"));
    let ann = site.online("ann", "desk");
    for client in [&desk, &phone] {
        assert!(client.heard().contains("from='ann@example.org/desk'"));
    }
    ann.ask(&change("block", "bob@example.org/desk"));
    assert!(desk.heard().contains("type='unavailable'"));
    assert_eq!(phone.heard(), "");
    ann.ask("<presence><show>away</show></presence>");
    assert_eq!(desk.heard(), "");
    assert!(phone.heard().contains("<show>away</show>"));
    ann.ask(&change("unblock", "bob@example.org/desk"));
    assert!(desk.heard().contains("<show>away</show>"));
    assert_eq!(phone.heard(), "");
}

/// XEP-0203 5: a stamp in the name of the server is the server's, also if a service sends the message.
#[test]
fn services_do_not_stamp_for_the_server() {
    let site = Site::new(config());
    let delay = Element::new("delay", ns::DELAY)
        .with_attribute("from", "example.org")
        .with_attribute("stamp", "1999-01-01T00:00:00Z");
    let message = Element::new("message", ns::CLIENT)
        .with_attribute("type", "chat")
        .with_attribute("from", "bot@log.example.org")
        .with_attribute("to", "ann@example.org")
        .with_child(Element::new("body", ns::CLIENT).with_text("x"))
        .with_child(delay);
    site.server.router().route(message.clone());
    site.advance(0);
    let ann = site.bind("ann", "desk");
    let heard = ann.ask("<presence/>");
    assert!(heard.contains("<body>x</body><delay") && !heard.contains("1999"), "{heard}");
    site.server.router().route(message);
    let heard = ann.heard();
    assert!(heard.contains("<body>x</body>") && !heard.contains("1999"), "{heard}");
}
