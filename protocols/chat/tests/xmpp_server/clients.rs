//! The client of this crate and the server, both in memory.

use std::{cell::RefCell, rc::Rc};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_chat::xmpp::{
    client::{Security, XmppClient, XmppConfig, XmppHandler},
    codec::{Element, Iq, Jid, Message, Presence, ns},
};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

use super::kit::config;

type Notes = Rc<RefCell<Vec<String>>>;

struct Noting(Notes);

impl XmppHandler for Noting {
    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        self.0.borrow_mut().push(message.body().unwrap_or_default());
    }

    fn receipt_received(&mut self, _: &XmppClient, _: &Jid, id: &str) {
        self.0.borrow_mut().push(format!("receipt {id}"));
    }

    fn subscription_requested(&mut self, xmpp: &XmppClient, from: &Jid, _: &Presence) {
        xmpp.accept(from).unwrap();
    }
}

fn client(reactor: &Reactor, user: &str) -> (XmppClient, Notes) {
    let notes = Notes::default();
    let login = ClientLogin::password(user, "secret")
        .mechanisms([Mechanism::Scram(sinew_auth::ScramHash::Sha256)]);
    let config = XmppConfig::with_login(format!("{user}@example.org/desk").parse().unwrap(), login);
    let config = config.security(Security::None).carbons(true);
    (XmppClient::new(reactor, config, Noting(Rc::clone(&notes))), notes)
}

async fn until(reactor: &Reactor, is: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is() {
            return;
        }
        reactor.sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not happen");
}

#[test]
fn two_clients() {
    crate::watchdog::watch_this_test();
    task_test(|reactor| async move {
        let server = sinew_chat::xmpp::server::XmppServer::new(&reactor, config());
        let at: ServerEndpoint = "memory:two-clients".parse().unwrap();
        let port = at.listen(&reactor, server.clone()).unwrap();
        let to = || "memory:two-clients".parse::<ClientEndpoint>().unwrap();
        let ((ann, of_ann), (bob, of_bob)) = (client(&reactor, "ann"), client(&reactor, "bob"));
        ann.connect(&reactor, to()).await.unwrap();
        bob.connect(&reactor, to()).await.unwrap();
        assert!(ann.can_resume());
        let (jid_of_ann, jid_of_bob): (Jid, Jid) =
            ("ann@example.org".parse().unwrap(), "bob@example.org".parse().unwrap());
        for (one, other) in [(&ann, &jid_of_bob), (&bob, &jid_of_ann)] {
            one.subscribe(other).unwrap();
        }
        let sees = |xmpp: &XmppClient, jid: &Jid| {
            xmpp.contact(jid).is_some_and(|contact| contact.sees_me())
        };
        until(&reactor, || sees(&ann, &jid_of_bob) && sees(&bob, &jid_of_ann)).await;
        ann.send_message(Message::chat(jid_of_bob.clone()).with_body("hello")).unwrap();
        until(&reactor, || of_bob.borrow().contains(&"hello".to_owned())).await;
        let request = Element::new("request", ns::RECEIPTS);
        ann.send_message(
            Message::chat(jid_of_bob.clone()).with_body("receipt?").with_id("m1").with(request),
        )
        .unwrap();
        until(&reactor, || of_ann.borrow().contains(&"receipt m1".to_owned())).await;
        let ping = Iq::get(Element::new("ping", ns::PING)).with_to("example.org".parse().unwrap());
        ann.request(ping).await.unwrap();
        let unknown = Iq::get(Element::new("x", "urn:x")).with_to(jid_of_bob.clone());
        assert!(ann.request(unknown).await.is_err());
        let of_other = Iq::get(Element::new("ping", ns::PING))
            .with_to("bob@example.org/desk".parse().unwrap());
        ann.request(of_other).await.unwrap();
        ann.quit();
        bob.quit();
        until(&reactor, || server.report().connections == 0).await;
        assert_eq!(server.report().sessions, 0);
        port.stop_listening();
    });
}
