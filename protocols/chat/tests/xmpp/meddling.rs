//! A handler that does everything in all that it is told of: nothing is borrowed meanwhile, and no end comes twice.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_chat::xmpp::{
    client::{Contact, IqRequest, UploadFile, UploadService, XmppClient, XmppError, XmppHandler},
    codec::{Element, Iq, Jid, Message, Presence, StanzaError},
};
use sinew_transports::ConnectionLost;

use crate::xmpp_support::{BIND, BOUND, ENABLED, HEADER, MECHANISMS, SUCCESS, Script, config, jid};

/// What it does at the end of each call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Nothing,
    Quit,
    Abort,
    Both,
}

struct Meddles {
    end: End,
    /// At which call it ends the connection.
    at: u32,
    calls: Rc<Cell<u32>>,
    ends: Rc<RefCell<Vec<String>>>,
    held: Vec<IqRequest>,
}

impl Meddles {
    fn meddle(&mut self, xmpp: &XmppClient) {
        self.calls.set(self.calls.get() + 1);
        let (room, friend) = (jid("room@muc.example"), jid("bob@example.org"));
        xmpp.send_message(Message::chat(friend.clone()).with_body("x")).ok();
        xmpp.send_presence(Presence::available()).ok();
        xmpp.subscribe(&friend).ok();
        xmpp.join(&room, "bot", None).detach();
        xmpp.say(&room, "x").ok();
        xmpp.leave(&room).ok();
        xmpp.set_contact(&friend, None, &[]).detach();
        drop(xmpp.ping(friend.clone()));
        let inner = xmpp.clone();
        xmpp.request(Iq::get(Element::new("x", "urn:x"))).then(move |_, _| {
            inner.send_presence(Presence::available()).ok();
        });
        let service = UploadService::new(friend.clone());
        xmpp.upload_slot(&service, &UploadFile::new("x", 1)).detach();
        xmpp.upload_service().detach();
        xmpp.when_online().detach();
        let _ = (xmpp.roster(), xmpp.rooms(), xmpp.nick(&room), xmpp.contact(&friend), xmpp.jid());
        let _ = (xmpp.can_resume(), xmpp.is_online(), format!("{xmpp:?}"));
        self.held.clear();
        if self.calls.get() == self.at {
            match self.end {
                End::Nothing => {}
                End::Quit => xmpp.quit(),
                End::Abort => xmpp.abort(),
                End::Both => {
                    xmpp.quit();
                    xmpp.abort();
                    xmpp.quit();
                }
            }
        }
    }
}

impl XmppHandler for Meddles {
    fn online(&mut self, xmpp: &XmppClient, _: bool) {
        self.meddle(xmpp);
    }

    fn login_failed(&mut self, xmpp: &XmppClient, error: &XmppError) {
        self.ends.borrow_mut().push(error.to_string());
        self.meddle(xmpp);
    }

    fn connection_lost(&mut self, xmpp: &XmppClient, reason: &ConnectionLost) {
        self.ends.borrow_mut().push(reason.to_string());
        self.meddle(xmpp);
    }

    fn undelivered(&mut self, xmpp: &XmppClient, _: Vec<Element>) {
        self.meddle(xmpp);
    }

    fn message_received(&mut self, xmpp: &XmppClient, _: &Message) {
        self.meddle(xmpp);
    }

    fn room_message(&mut self, xmpp: &XmppClient, _: &Message) {
        self.meddle(xmpp);
    }

    fn message_failed(&mut self, xmpp: &XmppClient, _: &Message, _: &StanzaError) {
        self.meddle(xmpp);
    }

    fn carbon_received(&mut self, xmpp: &XmppClient, _: &Message, _: bool) {
        self.meddle(xmpp);
    }

    fn receipt_received(&mut self, xmpp: &XmppClient, _: &Jid, _: &str) {
        self.meddle(xmpp);
    }

    fn presence_received(&mut self, xmpp: &XmppClient, _: &Presence) {
        self.meddle(xmpp);
    }

    fn subscription_requested(&mut self, xmpp: &XmppClient, _: &Jid, _: &Presence) {
        self.meddle(xmpp);
    }

    fn subscription_changed(&mut self, xmpp: &XmppClient, _: &Presence) {
        self.meddle(xmpp);
    }

    fn roster_received(&mut self, xmpp: &XmppClient) {
        self.meddle(xmpp);
    }

    fn contact_changed(&mut self, xmpp: &XmppClient, _: &Jid, _: Option<&Contact>) {
        self.meddle(xmpp);
    }

    fn room_joined(&mut self, xmpp: &XmppClient, _: &Jid) {
        self.meddle(xmpp);
    }

    fn room_left(&mut self, xmpp: &XmppClient, _: &Jid, _: &Presence) {
        self.meddle(xmpp);
    }

    fn iq_received(&mut self, xmpp: &XmppClient, request: IqRequest) {
        self.held.push(request);
        self.meddle(xmpp);
    }
}

/// Something for each of its methods.
const STANZAS: [&str; 15] = [
    "<iq type='result' id='s1' from='ann@example.org'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query></iq>",
    "<message from='bob@example.org/x' id='1'><body>x</body><request xmlns='urn:xmpp:receipts'/></message>",
    "<message from='bob@example.org/x'><received xmlns='urn:xmpp:receipts' id='s9'/></message>",
    "<message from='room@muc.example/ann' type='groupchat'><body>x</body></message>",
    "<message from='bob@example.org' type='error'><error type='cancel'/></message>",
    "<message from='ann@example.org'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
     <message xmlns='jabber:client' from='ann@example.org/phone'/></forwarded></sent></message>",
    "<presence from='bob@example.org/x'/>",
    "<presence from='bob@example.org' type='subscribe'/>",
    "<presence from='bob@example.org' type='subscribed'/>",
    "<presence from='room@muc.example/bot'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
    "<presence from='room@muc.example/bot' type='unavailable'/>",
    "<iq type='set' id='p'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query></iq>",
    "<iq type='get' id='q' from='bob@example.org/x'><y xmlns='urn:y'/></iq>",
    "<iq type='get' id='q' from='bob@example.org/x'><y xmlns='urn:y'/></iq>",
    "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/>",
];

#[test]
fn everything_from_within_everything() {
    crate::watchdog::watch_this_test();
    for end in [End::Nothing, End::Quit, End::Abort, End::Both] {
        for at in 1..24 {
            let (calls, ends) = (Rc::new(Cell::new(0)), Rc::<RefCell<Vec<String>>>::default());
            let handler = Meddles {
                end,
                at,
                calls: Rc::clone(&calls),
                ends: Rc::clone(&ends),
                held: Vec::new(),
            };
            let config = config().fetches_roster(true).requests_max(1_000);
            let mut script = Script::with(config, handler);
            for step in [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND, ENABLED] {
                script.receive(step);
            }
            for stanza in STANZAS {
                script.receive(stanza);
            }
            let before = calls.get();
            assert!(end != End::Nothing || before > 14, "{before}");
            script.wire.reset_if_open();
            script.advance(11_000);
            assert_eq!(ends.borrow().len(), 1, "{end:?} at {at}: {:?}", ends.borrow());
            // The session is not resumed: what was sent is told, and the rest goes on.
            script.reconnect();
            script.log_in();
            script.receive(BIND);
            script.receive("<failed xmlns='urn:xmpp:sm:3'/>");
            script.receive(BOUND);
            script.receive(ENABLED);
            script.wire.reset_if_open();
            script.advance(100_000);
            let ends = ends.borrow();
            assert!(
                ends.iter().all(|reason| !reason.contains("panic")),
                "{end:?} at {at}: {ends:?}"
            );
        }
    }
}
