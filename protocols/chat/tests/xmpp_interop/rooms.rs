//! The same script in a room of Prosody and in one of ours: the answers are the same.

use std::{rc::Rc, time::Duration};

use sinew_auth::{Authenticator, AuthenticatorConfig, ClientLogin, Mechanism, Users};
use sinew_chat::xmpp::{
    client::{RequestError, Security, XmppClient, XmppConfig, XmppError, XmppHandler},
    codec::{Element, Iq, Jid, Message, StanzaError, ns},
    server::{
        ServerConfig, XmppServer,
        rooms::{RoomService, RoomsConfig},
    },
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::prosody::prosody;

/// Where we follow the specification, or are more exact: a step, what comes of it at Prosody, and here.
const DIFFERENT: [(&str, &str, &str); 4] = [
    // XEP-0045 8.2, 9.1: who is no moderator, or no admin.
    ("a kick by nobody", "not-allowed", "forbidden"),
    ("a ban by nobody", "not-allowed", "forbidden"),
    // RFC 6120 8.3.3.1: it cannot be understood.
    ("a role that is none", "not-acceptable", "bad-request"),
    // XEP-0045 7.2.7: also in a room for members.
    ("an outcast enters", "registration-required", "forbidden"),
];

/// Notes why messages were refused.
struct Noting(Rc<std::cell::RefCell<Vec<String>>>);

impl XmppHandler for Noting {
    fn message_failed(&mut self, _: &XmppClient, _: &Message, error: &StanzaError) {
        self.0.borrow_mut().push(error.condition.to_string());
    }
}

fn outcome<T>(result: Result<T, RequestError>) -> String {
    match result {
        Ok(_) => "fine".to_owned(),
        Err(RequestError::Refused(error)) => error.condition.to_string(),
        Err(error) => panic!("{error}"),
    }
}

fn configure(room: &Jid, fields: &[(&str, &str)]) -> Iq {
    let mut form = Element::new("x", ns::DATA_FORMS).with_attribute("type", "submit");
    let all = [("FORM_TYPE", ns::MUC_ROOMCONFIG)].into_iter().chain(fields.iter().copied());
    for (name, value) in all {
        let value = Element::new("value", ns::DATA_FORMS).with_text(value);
        let field = Element::new("field", ns::DATA_FORMS).with_attribute("var", name);
        form.push(field.with_child(value));
    }
    Iq::set(Element::new("query", ns::MUC_OWNER).with_child(form)).with_to(room.clone())
}

fn admin(room: &Jid, attributes: &[(&str, &str)]) -> Iq {
    let mut item = Element::new("item", ns::MUC_ADMIN);
    for (name, value) in attributes {
        item.set_attribute(name, *value);
    }
    Iq::set(Element::new("query", ns::MUC_ADMIN).with_child(item)).with_to(room.clone())
}

/// Waits until somebody knows that it was taken out: otherwise it would take that for the end of its next entry.
async fn taken_out(reactor: &Reactor, xmpp: &XmppClient, room: &Jid) {
    while xmpp.rooms().contains(room) {
        reactor.sleep(Duration::from_millis(5)).await;
    }
}

/// What comes of each step.
async fn script(
    reactor: &Reactor,
    ann: &XmppClient,
    bob: &XmppClient,
    refused: &Noting,
) -> Vec<String> {
    let room: Jid = "club@rooms.localhost".parse().unwrap();
    let at = |nick: &str| room.with_resource(nick).unwrap();
    let mut all = Vec::new();
    let mut note = |what: &str, result: String| all.push(format!("{what}: {result}"));
    note("a new room", outcome(ann.join(&room, "Ann", None).await));
    note("a locked room", outcome(bob.join(&room, "Bob", None).await));
    let password =
        [("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "s")];
    note("configured", outcome(ann.request(configure(&room, &password)).await));
    note("no password", outcome(bob.join(&room, "Bob", None).await));
    note("a wrong one", outcome(bob.join(&room, "Bob", Some("t")).await));
    note("a nick that is taken", outcome(bob.join(&room, "Ann", Some("s")).await));
    note("a ping from outside", outcome(bob.ping(at("Ann")).await));
    bob.say(&room, "from outside").unwrap();
    bob.send_message(Message::chat(at("Ann")).with_body("from outside")).unwrap();
    note("in", outcome(bob.join(&room, "Bob", Some("s")).await));
    note("a ping to oneself", outcome(bob.ping(at("Bob")).await));
    note("a ping to another", outcome(bob.ping(at("Ann")).await));
    note("a ping to nobody", outcome(bob.ping(at("Nobody")).await));
    bob.send_message(Message::groupchat(room.clone()).with_subject("mine")).unwrap();
    bob.send_message(Message::chat(at("Nobody")).with_body("hello?")).unwrap();
    for (what, who, item) in [
        ("a kick by nobody", bob, [("nick", "Ann"), ("role", "none")]),
        ("a ban by nobody", bob, [("jid", "ann@localhost"), ("affiliation", "outcast")]),
        ("the last owner", ann, [("jid", "ann@localhost"), ("affiliation", "none")]),
        ("a kick of nobody", ann, [("nick", "Nobody"), ("role", "none")]),
        ("a role that is none", ann, [("nick", "Bob"), ("role", "king")]),
        ("a member", ann, [("jid", "bob@localhost"), ("affiliation", "member")]),
        ("a kick", ann, [("nick", "Bob"), ("role", "none")]),
    ] {
        note(what, outcome(who.request(admin(&room, &item)).await));
    }
    let members = [
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_passwordprotectedroom", "0"),
        ("muc#roomconfig_roomsecret", ""),
    ];
    note("members only", outcome(ann.request(configure(&room, &members)).await));
    taken_out(reactor, bob, &room).await;
    note("a member enters", outcome(bob.join(&room, "Bob", None).await));
    let stranger = [("jid", "bob@localhost"), ("affiliation", "none")];
    note("no member", outcome(ann.request(admin(&room, &stranger)).await));
    taken_out(reactor, bob, &room).await;
    note("a stranger enters", outcome(bob.join(&room, "Bob", None).await));
    let outcast = [("jid", "bob@localhost"), ("affiliation", "outcast")];
    note("banned", outcome(ann.request(admin(&room, &outcast)).await));
    note("an outcast enters", outcome(bob.join(&room, "Bob", None).await));
    let form = Iq::get(Element::new("query", ns::MUC_OWNER)).with_to(room.clone());
    note("the form for an owner", outcome(ann.request(form.clone()).await));
    note("the form for others", outcome(bob.request(form).await));
    let destroy =
        Element::new("query", ns::MUC_OWNER).with_child(Element::new("destroy", ns::MUC_OWNER));
    note(
        "the end by others",
        outcome(bob.request(Iq::set(destroy.clone()).with_to(room.clone())).await),
    );
    note("the end", outcome(ann.request(Iq::set(destroy).with_to(room.clone())).await));
    note("no room", outcome(ann.disco_info(room.clone()).await));
    while refused.0.borrow().len() < 4 {
        reactor.sleep(Duration::from_millis(5)).await;
    }
    all.extend(refused.0.borrow().iter().map(|refused| format!("a message: {refused}")));
    all
}

async fn connected(reactor: &Reactor, xmpp: &XmppClient, port: u16) {
    loop {
        match xmpp.connect(reactor, ("127.0.0.1", port)).await {
            // It does not listen yet.
            Err(XmppError::Connect(_)) => reactor.sleep(Duration::from_millis(20)).await,
            result => return result.unwrap(),
        }
    }
}

async fn run(reactor: Reactor, configs: [XmppConfig; 2], port: u16) -> Vec<String> {
    let notes = Rc::default();
    let [ann, bob] =
        configs.map(|config| XmppClient::new(&reactor, config, Noting(Rc::clone(&notes))));
    connected(&reactor, &ann, port).await;
    connected(&reactor, &bob, port).await;
    script(&reactor, &ann, &bob, &Noting(notes)).await
}

#[test]
fn rooms_of_prosody_and_ours_answer_the_same() {
    crate::watchdog::watch_this_test();
    let Some(prosody) = prosody("rooms") else { return };
    let reactor = Reactor::new().unwrap();
    let jid = |user: &str| format!("{user}@localhost/x").parse::<Jid>().unwrap();
    let config = |user: &str| {
        XmppConfig::new(jid(user), format!("secret of {user}").as_str()).tls(prosody.tls.clone())
    };
    let theirs = run(reactor.clone(), [config("ann"), config("bob")], prosody.port);
    let theirs = reactor.run_until(theirs).unwrap();
    let users = Users::new().user("ann", "secret").user("bob", "secret");
    let users = Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true));
    let domain = "rooms.localhost";
    let rooms = RoomService::new(&reactor, domain.parse().unwrap(), RoomsConfig::default());
    let server = ServerConfig::new("localhost", users).unwrap().requires_tls(false);
    let server = XmppServer::new(&reactor, server.service(domain, rooms).unwrap());
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let config = |user: &str| {
        let login = ClientLogin::password(user, "secret").allow_plaintext(true);
        XmppConfig::with_login(jid(user), login.mechanisms([Mechanism::Plain]))
            .security(Security::None)
    };
    let ours = run(reactor.clone(), [config("ann"), config("bob")], port.local().port());
    let ours = reactor.run_until(ours).unwrap();
    let expected = theirs.into_iter().map(|line| {
        let known = DIFFERENT.iter().find(|(step, theirs, _)| line == format!("{step}: {theirs}"));
        known.map_or(line.clone(), |(step, _, ours)| format!("{step}: {ours}"))
    });
    assert_eq!(ours, expected.collect::<Vec<_>>());
}
