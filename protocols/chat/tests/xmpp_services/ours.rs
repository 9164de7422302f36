//! Our own clients and component at our own server, over loopback: rooms, and a component.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_chat::xmpp::{
    client::{RequestError, Security, XmppClient, XmppConfig, XmppHandler},
    codec::{Element, Iq, Jid, Message, Presence, StanzaCondition, ns},
    component::{ComponentConfig, ComponentError, ComponentHandler, IqRequest, XmppComponent},
    server::{
        XmppServer,
        components::{ComponentPort, ComponentsConfig},
        rooms::{RoomService, RoomsConfig},
    },
};
use sinew_transports::{ReactorTcp, RetryConfig, reactor::Reactor};

use crate::kit;

type Notes = Rc<RefCell<Vec<String>>>;

struct Noting(Notes);

fn of(jid: Option<&Jid>) -> String {
    jid.map(Jid::to_string).unwrap_or_default()
}

impl XmppHandler for Noting {
    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        let (from, body) = (of(message.from()), message.body().unwrap_or_default());
        self.0.borrow_mut().push(format!("message {from} {body}"));
    }

    fn room_message(&mut self, _: &XmppClient, message: &Message) {
        let (from, body) = (of(message.from()), message.body());
        if let Some(body) = body {
            self.0.borrow_mut().push(format!("room {from} {body}"));
        }
    }

    fn presence_received(&mut self, _: &XmppClient, presence: &Presence) {
        let from = of(presence.from());
        self.0.borrow_mut().push(format!("presence {from} {}", presence.kind().unwrap()));
    }

    fn room_left(&mut self, _: &XmppClient, room: &Jid, _: &Presence) {
        self.0.borrow_mut().push(format!("left {room}"));
    }
}

/// Says back what is said to it, and adds.
struct Echo;

impl ComponentHandler for Echo {
    fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {
        let (from, to) = (message.from().unwrap().clone(), message.to().unwrap().clone());
        let answer = Message::new(message.kind(), from).with_from(to);
        xmpp.send(answer.with_body(message.body().unwrap_or_default())).unwrap();
    }

    fn iq_received(&mut self, _: &XmppComponent, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("sum", "urn:sums")) {
            request.result(Some(Element::new("sum", "urn:sums").with_text("3"))).unwrap();
        }
    }
}

async fn told(reactor: &Reactor, notes: &Notes, text: &str) {
    for _ in 0..2_000 {
        if notes.borrow().iter().any(|note| note == text) {
            return;
        }
        reactor.sleep(Duration::from_millis(5)).await;
    }
    panic!("{text} is not in {:?}", notes.borrow());
}

async fn client(reactor: &Reactor, user: &str, port: u16) -> (XmppClient, Notes) {
    let notes = Notes::default();
    let login = ClientLogin::password(user, "secret");
    let login = login.allow_plaintext(true).mechanisms([Mechanism::Plain]);
    let config = XmppConfig::with_login(format!("{user}@example.org/x").parse().unwrap(), login);
    let xmpp = XmppClient::new(reactor, config.security(Security::None), Noting(Rc::clone(&notes)));
    xmpp.connect(reactor, ("127.0.0.1", port)).await.unwrap();
    (xmpp, notes)
}

fn condition<T: std::fmt::Debug>(result: Result<T, RequestError>) -> StanzaCondition {
    match result {
        Err(RequestError::Refused(error)) => error.condition,
        other => panic!("{other:?}"),
    }
}

async fn talk_in_rooms(reactor: Reactor, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let (ann, ann_notes) = client(&reactor, "ann", port).await;
    let (bob, bob_notes) = client(&reactor, "bob", port).await;
    let room: Jid = "club@rooms.example.org".parse()?;
    ann.join(&room, "Ann", None).await?;
    assert_eq!(condition(bob.join(&room, "Bob", None).await), StanzaCondition::ItemNotFound);
    // Locked until it is configured; here with a password.
    let field = |name: &str, value: &str| {
        let value = Element::new("value", ns::DATA_FORMS).with_text(value);
        Element::new("field", ns::DATA_FORMS).with_attribute("var", name).with_child(value)
    };
    let form = Element::new("x", ns::DATA_FORMS)
        .with_attribute("type", "submit")
        .with_child(field("muc#roomconfig_passwordprotectedroom", "1"))
        .with_child(field("muc#roomconfig_roomsecret", "open sesame"));
    let configure = Element::new("query", ns::MUC_OWNER).with_child(form);
    ann.request(Iq::set(configure).with_to(room.clone())).await?;
    assert_eq!(condition(bob.join(&room, "Bob", None).await), StanzaCondition::NotAuthorized);
    let taken = bob.join(&room, "Ann", Some("open sesame")).await;
    assert_eq!(condition(taken), StanzaCondition::Conflict);
    ann.say(&room, "before")?;
    bob.join(&room, "Bob", Some("open sesame")).await?;
    assert_eq!((bob.rooms(), bob.nick(&room)), (vec![room.clone()], Some("Bob".to_owned())));
    told(&reactor, &bob_notes, "room club@rooms.example.org/Ann before").await;
    bob.say(&room, "1 < 2")?;
    told(&reactor, &ann_notes, "room club@rooms.example.org/Bob 1 < 2").await;
    told(&reactor, &bob_notes, "room club@rooms.example.org/Bob 1 < 2").await;
    // In private.
    bob.send_message(Message::chat(room.with_resource("Ann")?).with_body("psst"))?;
    told(&reactor, &ann_notes, "message club@rooms.example.org/Bob psst").await;
    // A ping to oneself, and through the room to the client of another occupant.
    bob.ping(room.with_resource("Bob")?).await?;
    bob.ping(room.with_resource("Ann")?).await?;
    let gone = bob.ping(room.with_resource("Nobody")?).await;
    assert_eq!(condition(gone), StanzaCondition::ItemNotFound);
    // A kick.
    let item = Element::new("item", ns::MUC_ADMIN).with_attribute("nick", "Bob");
    let kick = Element::new("query", ns::MUC_ADMIN).with_child(item.with_attribute("role", "none"));
    ann.request(Iq::set(kick).with_to(room.clone())).await?;
    told(&reactor, &bob_notes, "left club@rooms.example.org").await;
    let outside = bob.ping(room.with_resource("Ann")?).await;
    assert_eq!(condition(outside), StanzaCondition::NotAcceptable);
    // Who ends its session leaves the room.
    bob.join(&room, "Bob", Some("open sesame")).await?;
    ann_notes.borrow_mut().clear();
    bob.quit();
    told(&reactor, &ann_notes, "presence club@rooms.example.org/Bob unavailable").await;
    ann.quit();
    Ok(())
}

#[test]
fn our_clients_in_our_rooms() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let domain = "rooms.example.org";
    let rooms = RoomService::new(&reactor, domain.parse().unwrap(), RoomsConfig::default());
    let config = kit::config().service(domain, rooms.clone()).unwrap();
    let server = XmppServer::new(&reactor, config);
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let number = port.local().port();
    let result = reactor.run_until(talk_in_rooms(reactor.clone(), number));
    result.unwrap().unwrap();
    assert!(rooms.report().occupants <= 1);
}

async fn talk_to_a_component(
    reactor: Reactor,
    port: u16,
    components: u16,
) -> Result<(), Box<dyn std::error::Error>> {
    let config = ComponentConfig::new("echo.example.org".parse()?, "wrong");
    let wrong = XmppComponent::new(&reactor, config, Echo);
    let refused = wrong.connect(&reactor, ("127.0.0.1", components)).await;
    assert!(matches!(refused, Err(ComponentError::Stream(_))), "{refused:?}");
    let config = ComponentConfig::new("echo.example.org".parse()?, "secret");
    let echo = XmppComponent::new(&reactor, config.ping_after(Duration::from_millis(20)), Echo);
    let service = echo.keep_connected(&reactor, ("127.0.0.1", components), RetryConfig::default());
    echo.when_online().await?;
    let (ann, notes) = client(&reactor, "ann", port).await;
    let bot: Jid = "bot@echo.example.org/x".parse()?;
    ann.send_message(Message::chat(bot.clone()).with_body("1 < 2 & '\""))?;
    told(&reactor, &notes, "message bot@echo.example.org/x 1 < 2 & '\"").await;
    let sum = ann.request(Iq::get(Element::new("sum", "urn:sums")).with_to(bot.clone())).await?;
    assert_eq!(sum.child("sum", "urn:sums").map(Element::text).as_deref(), Some("3"));
    let unknown = ann.request(Iq::get(Element::new("x", "urn:x")).with_to(bot)).await;
    assert_eq!(condition(unknown), StanzaCondition::ServiceUnavailable);
    ann.ping(echo.domain()).await?;
    // In the other direction.
    let version = Iq::get(Element::new("query", ns::VERSION)).with_to("example.org".parse()?);
    echo.request(version).await?;
    let pong = Iq::get(Element::new("ping", ns::PING)).with_to(ann.jid());
    echo.request(pong).await?;
    assert!(echo.is_online());
    ann.quit();
    service.stop().await?;
    Ok(())
}

#[test]
fn our_component_at_our_port() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let components = ComponentsConfig::default().component("echo.example.org", "secret").unwrap();
    let components = ComponentPort::new(components);
    let server = XmppServer::new(&reactor, components.register(kit::config()).unwrap());
    components.attach(&server);
    let port = |listening: sinew_transports::ListeningPort| {
        let number = listening.local().port();
        (listening, number)
    };
    let (_clients, clients) = port(reactor.listen_tcp("127.0.0.1:0", server).unwrap());
    let (_components, components) = port(reactor.listen_tcp("127.0.0.1:0", components).unwrap());
    let result = reactor.run_until(talk_to_a_component(reactor.clone(), clients, components));
    result.unwrap().unwrap();
}
