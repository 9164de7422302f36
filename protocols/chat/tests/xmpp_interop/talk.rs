//! What two people do at a server of XMPP, whichever it is: rosters, messages with receipts and copies, rooms, questions, and a session
//! that is resumed.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::xmpp::{
    client::{IqRequest, RequestError, XmppClient, XmppConfig, XmppError, XmppHandler},
    codec::{Element, Iq, Jid, Message, Presence, ns},
};
use sinew_transports::{ConnectionLost, reactor::Reactor, tls::TlsClientConfig};

pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

pub(crate) struct Noting(pub(crate) Notes);

impl XmppHandler for Noting {
    fn online(&mut self, _: &XmppClient, is_resumed: bool) {
        self.0.borrow_mut().push(format!("online {is_resumed}"));
    }

    fn connection_lost(&mut self, _: &XmppClient, _: &ConnectionLost) {
        self.0.borrow_mut().push("lost".to_owned());
    }

    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        self.0.borrow_mut().push(format!("message {}", message.body().unwrap_or_default()));
    }

    fn room_message(&mut self, _: &XmppClient, message: &Message) {
        if let Some(body) = message.body() {
            self.0.borrow_mut().push(format!("room {body}"));
        }
    }

    fn carbon_received(&mut self, _: &XmppClient, message: &Message, is_sent: bool) {
        self.0
            .borrow_mut()
            .push(format!("carbon {is_sent} {}", message.body().unwrap_or_default()));
    }

    fn receipt_received(&mut self, _: &XmppClient, _: &Jid, id: &str) {
        self.0.borrow_mut().push(format!("receipt {id}"));
    }

    fn presence_received(&mut self, _: &XmppClient, presence: &Presence) {
        let from = presence.from().map(Jid::to_string).unwrap_or_default();
        self.0.borrow_mut().push(format!("presence {from}"));
    }

    fn subscription_requested(&mut self, xmpp: &XmppClient, from: &Jid, _: &Presence) {
        xmpp.accept(from).unwrap();
        if xmpp.contact(from).is_none_or(|contact| !contact.is_asking) {
            xmpp.subscribe(from).unwrap();
        }
    }

    fn iq_received(&mut self, _: &XmppClient, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("sum", "urn:sums")) {
            request.result(Some(Element::new("sum", "urn:sums").with_text("3"))).unwrap();
        }
    }
}

fn client(
    reactor: &Reactor,
    tls: &TlsClientConfig,
    user: &str,
    resource: &str,
) -> (XmppClient, Notes) {
    let notes = Notes::default();
    let jid: Jid = format!("{user}@localhost/{resource}").parse().unwrap();
    let config = XmppConfig::new(jid, format!("secret of {user}").as_str());
    let config = config.tls(tls.clone()).carbons(true);
    (XmppClient::new(reactor, config, Noting(Rc::clone(&notes))), notes)
}

/// Waits until somebody was told that.
pub(crate) async fn told(reactor: &Reactor, notes: &Notes, text: &str) {
    for _ in 0..2_000 {
        if notes.borrow().iter().any(|note| note == text) {
            return;
        }
        reactor.sleep(Duration::from_millis(5)).await;
    }
    panic!("{text} is not in {:?}", notes.borrow());
}

pub(crate) async fn connected(
    reactor: &Reactor,
    xmpp: &XmppClient,
    port: u16,
) -> Result<(), XmppError> {
    loop {
        match xmpp.connect(reactor, ("127.0.0.1", port)).await {
            // It does not listen yet.
            Err(XmppError::Connect(_)) => reactor.sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}

/// Two people, one of them twice, at the server of `localhost` at this port: all that they can do.
pub(crate) async fn talk(
    reactor: Reactor,
    port: u16,
    tls: TlsClientConfig,
) -> Result<(), Box<dyn std::error::Error>> {
    let (ann, ann_notes) = client(&reactor, &tls, "ann", "desk");
    let (phone, phone_notes) = client(&reactor, &tls, "ann", "phone");
    let (bob, bob_notes) = client(&reactor, &tls, "bob", "desk");
    for xmpp in [&ann, &phone, &bob] {
        connected(&reactor, xmpp, port).await?;
        assert!(xmpp.can_resume());
    }
    // Rosters, and who sees whom.
    ann.set_contact(&bob.jid(), Some("Bob <3"), &["Friends & Co"]).await?;
    ann.subscribe(&bob.jid())?;
    told(&reactor, &ann_notes, "presence bob@localhost/desk").await;
    told(&reactor, &bob_notes, "presence ann@localhost/desk").await;
    let contact = ann.contact(&bob.jid()).expect("he is in the roster");
    assert_eq!((contact.name.as_deref(), contact.groups.len()), (Some("Bob <3"), 1));
    // A message, its receipt, and its copies.
    let request = Element::new("request", ns::RECEIPTS);
    let id = ann.send_message(Message::chat(bob.jid()).with_body("1 < 2 & '\"").with(request))?;
    told(&reactor, &bob_notes, "message 1 < 2 & '\"").await;
    told(&reactor, &ann_notes, &format!("receipt {id}")).await;
    told(&reactor, &phone_notes, "carbon true 1 < 2 & '\"").await;
    // Questions.
    ann.ping("localhost".parse()?).await?;
    let info = ann.disco_info("localhost".parse()?).await?;
    assert!(info.children().any(|feature| feature.attribute("var") == Some(ns::PING)));
    let sum = ann.request(Iq::get(Element::new("sum", "urn:sums")).with_to(bob.jid())).await?;
    assert_eq!(sum.child("sum", "urn:sums").map(Element::text).as_deref(), Some("3"));
    let refused = ann.request(Iq::get(Element::new("x", "urn:x")).with_to(bob.jid())).await;
    assert!(matches!(refused, Err(RequestError::Refused(_))));
    // A room.
    let room: Jid = "club@rooms.localhost".parse()?;
    ann.join(&room, "ann", None).await?;
    // It is locked until its owner has accepted how it is configured.
    let owner = "http://jabber.org/protocol/muc#owner";
    let form = Element::new("x", "jabber:x:data").with_attribute("type", "submit");
    ann.request(Iq::set(Element::new("query", owner).with_child(form)).with_to(room.clone()))
        .await?;
    bob.join(&room, "bob", None).await?;
    bob.say(&room, "hello, room")?;
    told(&reactor, &ann_notes, "room hello, room").await;
    told(&reactor, &bob_notes, "room hello, room").await;
    // The connection breaks; what is said meanwhile arrives once the session is resumed.
    bob_notes.borrow_mut().clear();
    bob.abort();
    told(&reactor, &bob_notes, "lost").await;
    ann.send_message(Message::chat(bob.jid()).with_body("while you were away"))?;
    bob.send_message(Message::chat(ann.jid()).with_body("while I was away"))?;
    connected(&reactor, &bob, port).await?;
    told(&reactor, &bob_notes, "online true").await;
    told(&reactor, &bob_notes, "message while you were away").await;
    told(&reactor, &ann_notes, "message while I was away").await;
    for xmpp in [&ann, &phone, &bob] {
        xmpp.quit();
    }
    Ok(())
}
