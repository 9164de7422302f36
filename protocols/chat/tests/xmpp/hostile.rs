//! Servers and people who mean harm, and handlers that fail: what a client does not forget, does not believe, and does not keep.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_chat::xmpp::{
    client::{RequestError, SendError, XmppClient, XmppError, XmppHandler},
    codec::{Element, Message},
};
use sinew_transports::{ConnectError, ConnectionLost, reactor::Failure};

use crate::xmpp_support::{BIND, BOUND, ENABLED, HEADER, MECHANISMS, SUCCESS, Script, config, jid};

const ASK: &str = "<r xmlns='urn:xmpp:sm:3'/>";
const RESUMED: &str = "<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='9'/>";

fn say(script: &Script, body: &str) -> Result<String, SendError> {
    script.xmpp.send_message(Message::chat(jid("b@c")).with_id("i").with_body(body))
}

#[test]
fn stanzas_before_the_agreement_to_stream_management() {
    let script = Script::new(config());
    for step in [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND] {
        script.receive(step);
    }
    script.sent();
    // They can be answered only when the client is online, and nobody is told of them before that.
    script.receive(
        "<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq><message from='a@b'><body>x</body></message>",
    );
    assert_eq!((script.sent().as_str(), script.notes().len()), ("", 0));
    script.receive(ENABLED);
    assert_eq!(script.sent(), format!("<iq type='result' id='1' to='a@b/c'/>{ASK}"));
    assert_eq!(script.notes(), ["online false", "message a@b Some(\"x\")"]);
    // They are not counted (XEP-0198 3).
    script.receive(ASK);
    assert_eq!(script.sent(), "<a xmlns='urn:xmpp:sm:3' h='0'/>");
    // Not any number of them is kept.
    let script = Script::new(config());
    for step in [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND] {
        script.receive(step);
    }
    script.receive(&"<presence from='a@b'/>".repeat(65));
    assert!(script.failure().contains("too many stanzas"));
}

#[test]
fn messages_for_which_there_was_no_room() {
    let script = Script::new(config().unacknowledged_max(2));
    for step in [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND] {
        script.receive(step);
    }
    say(&script, "1").unwrap();
    say(&script, "2").unwrap();
    script.xmpp.when_online().then({
        let xmpp = script.xmpp.clone();
        // It takes the place of a message that waits.
        move |_, _| drop(xmpp.ping(jid("a@b")))
    });
    script.receive(ENABLED);
    let bodies = |sent: String| -> Vec<String> {
        let bodies = sent.split("<body>").skip(1);
        bodies.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    };
    assert_eq!(bodies(script.sent()), ["1", "2"]);
    assert_eq!(say(&script, "3"), Err(SendError::QueueFull { max: 2 }));
    script.cut();
    // Two of the session that is resumed leave no room for those that were written meanwhile, until they are acknowledged.
    let mut script = script;
    say(&script, "4").unwrap();
    say(&script, "5").unwrap();
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    script.sent();
    script.receive(&RESUMED.replace('9', "0"));
    assert_eq!(bodies(script.sent()), ["1", "2"]);
    assert_eq!(say(&script, "6"), Err(SendError::QueueFull { max: 2 }));
    script.receive("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    assert_eq!(bodies(script.sent()), ["4"]);
    // Not before the one that waits.
    say(&script, "6").unwrap();
    script.receive("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    assert_eq!(bodies(script.sent()), ["5", "6"]);
}

#[test]
fn counts_that_never_agree() {
    let mut script = Script::online(config());
    say(&script, "1").unwrap();
    script.cut();
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    script.receive(RESUMED);
    script.wire.close_if_open();
    script.advance(10_000);
    let notes = script.notes();
    assert_eq!(notes[0], "undelivered message");
    assert!(notes[1].contains("acknowledged 9 stanzas, and 1 were sent"), "{notes:?}");
    // The next attempt does not ask for the same again.
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert!(script.sent().contains("<bind "));
}

#[test]
fn who_may_end_a_session() {
    let error = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    for end in [error, "</stream:stream>"] {
        // Before the login anybody between can say it: the session remains.
        let mut script = Script::online(config());
        script.cut();
        script.reconnect();
        script.receive(HEADER);
        script.receive(end);
        script.failure();
        script.reconnect();
        script.log_in();
        script.receive(BIND);
        assert!(script.sent().contains("<resume "), "{end}");
        // It is the server who says it now.
        script.receive(end);
        script.failure();
        script.reconnect();
        script.log_in();
        script.receive(BIND);
        assert!(script.sent().contains("<bind "), "{end}");
    }
    // And the client, also while the session has no stream yet.
    let mut script = Script::online(config());
    say(&script, "1").unwrap();
    script.cut();
    script.reconnect();
    script.xmpp.quit();
    script.wire.close_if_open();
    script.advance(10_000);
    assert_eq!(script.notes()[0], "undelivered message");
}

#[test]
fn a_server_that_does_not_acknowledge() {
    let script = Script::online(config());
    script.sent();
    say(&script, "1").unwrap();
    for _ in 0..19 {
        script.advance(10_000);
        // It is not silent.
        script.receive("<presence from='a@b'/>");
    }
    script.wire.close_if_open();
    script.advance(10_000);
    let notes = script.notes();
    assert!(notes.last().unwrap().contains("has acknowledged no stanza for 1"), "{notes:?}");
    assert!(!script.xmpp.is_online() && script.xmpp.can_resume());
}

#[test]
fn no_session_before_its_resource() {
    let script = Script::new(config());
    script.log_in();
    script.receive(
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
         <session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></stream:features>",
    );
    script.receive("<iq type='result' id='session'/>");
    assert!(script.failure().contains("no answer to the binding"));
}

#[test]
fn limits_of_the_server() {
    let script = Script::new(config());
    script.log_in();
    let limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>20000</max-bytes><idle-seconds>40</idle-seconds></limits>";
    say(&script, &"x".repeat(30_000)).unwrap();
    say(&script, "2").unwrap();
    script.receive(&BIND.replace("</stream:features>", &format!("{limits}</stream:features>")));
    script.receive(BOUND);
    script.sent();
    script.receive(ENABLED);
    // What the server does not accept would end the stream.
    assert_eq!(script.notes(), ["undelivered message", "online false"]);
    assert!(script.sent().contains("<body>2<"));
    let long = say(&script, &"x".repeat(30_000));
    assert!(matches!(long, Err(SendError::TooLong { max: 20_000, .. })));
    script.receive("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    script.advance(29_000);
    assert_eq!(script.sent(), "");
    script.advance(1_000);
    assert_eq!(script.sent(), ASK);
}

#[test]
fn a_roster_that_would_fill_the_memory() {
    let script = Script::online_simply(config().roster_max(1));
    let group = format!("<group>{}</group>", "x".repeat(1_000));
    let push = |item: &str| {
        script.receive(&format!(
            "<iq type='set' id='p'><query xmlns='jabber:iq:roster'>{item}</query></iq>"
        ));
    };
    push(&format!("<item jid='a@b' name='Ann'>{}</item>", group.repeat(200)));
    push(&format!("<item jid='a@b' name='{}'/>", "x".repeat(5_000)));
    let contact = script.xmpp.contact(&jid("a@b")).unwrap();
    assert_eq!((contact.name, contact.groups.len()), (None, 0));
    push(&format!("<item jid='a@b' name='Ann'>{}</item>", group.repeat(200)));
    let contact = script.xmpp.contact(&jid("a@b")).unwrap();
    assert_eq!((contact.name.as_deref(), contact.groups.len()), (Some("Ann"), 4));
    // One that is not remembered was not removed.
    script.notes();
    push("<item jid='c@d' subscription='both'/>");
    assert_eq!(script.notes(), ["contact c@d Some(Both)"]);
    assert!(script.xmpp.contact(&jid("c@d")).is_none());
}

#[test]
fn an_iq_of_no_type_and_a_copy_that_failed() {
    let script = Script::online_simply(config());
    script.sent();
    // RFC 6120 8.2.3: another type is an error, and so is none.
    for kind in ["type='huh'", "type=''", ""] {
        script.receive(&format!("<iq {kind} id='2' from='a@b'><a/></iq>"));
        let sent = script.sent();
        assert!(sent.starts_with("<iq type='error' id='2' to='a@b'>"), "{sent}");
        assert!(sent.contains("<bad-request "), "{sent}");
    }
    script.notes();
    // An error of something that looks like a copy is an error.
    script.receive(
        "<message type='error' from='eve@c'><received xmlns='urn:xmpp:carbons:2'/><error type='cancel'/></message>",
    );
    assert_eq!(script.notes(), ["message_failed eve@c undefined-condition"]);
}

/// Fails in all that it is told, and counts.
struct Panics(Rc<Cell<u32>>);

impl Panics {
    fn panic(&self) {
        self.0.set(self.0.get() + 1);
        panic!("the handler");
    }
}

impl XmppHandler for Panics {
    fn online(&mut self, _: &XmppClient, _: bool) {
        self.panic();
    }

    fn login_failed(&mut self, _: &XmppClient, _: &XmppError) {
        self.panic();
    }

    fn connection_lost(&mut self, _: &XmppClient, _: &ConnectionLost) {
        self.panic();
    }

    fn undelivered(&mut self, _: &XmppClient, _: Vec<Element>) {
        self.panic();
    }
}

#[test]
fn a_handler_that_panics_keeps_nobody_waiting() {
    let calls = Rc::new(Cell::new(0));
    let mut script = Script::with(config(), Panics(Rc::clone(&calls)));
    let waits = script.xmpp.when_online();
    script.wire.reset();
    script.advance(0);
    assert_eq!(calls.get(), 1);
    assert!(matches!(waits.take(), Some(Err(XmppError::Lost { .. }))));
    script.reconnect();
    let waits = script.xmpp.when_online();
    for step in [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND, ENABLED] {
        script.receive(step);
    }
    assert!(matches!(waits.take(), Some(Ok(()))));
    // The panic has ended the connection; the client can connect again.
    script.advance(1_000);
    assert!(calls.get() >= 3 && !script.xmpp.is_online(), "{}", calls.get());
    script.reconnect();
    script.advance(0);
    assert!(script.sent().contains("<stream:stream"));
}

#[test]
fn attempts_to_connect() {
    let reactor = sinew_transports::reactor::Reactor::simulated(0);
    let nobody = || {
        let endpoint: sinew_transports::endpoint::ClientEndpoint = "memory:nobody".parse().unwrap();
        endpoint
    };
    let handler = || Panics(Rc::default());
    let advance = || reactor.advance(Duration::ZERO).unwrap();
    let xmpp = XmppClient::new(&reactor, config(), handler());
    // One at a time; what becomes of the second does not matter to the first.
    let (first, second) = (xmpp.connect(&reactor, nobody()), xmpp.connect(&reactor, nobody()));
    advance();
    assert!(matches!(second.take(), Some(Err(XmppError::Connected))));
    assert!(matches!(first.take(), Some(Err(XmppError::Connect(_)))));
    // Given up by its deferred, or by the end that is asked for.
    let dropped = xmpp.connect(&reactor, ("192.0.2.1", 5222));
    drop(dropped);
    advance();
    let ended = xmpp.connect(&reactor, ("192.0.2.1", 5222));
    xmpp.quit();
    advance();
    let given_up = ConnectError::GivenUp(Failure::Cancelled).to_string();
    match ended.take() {
        Some(Err(XmppError::Connect(error))) => assert_eq!(error.to_string(), given_up),
        other => panic!("{other:?}"),
    }
    let again = xmpp.connect(&reactor, nobody());
    advance();
    assert!(matches!(again.take(), Some(Err(XmppError::Connect(_)))));
}

#[test]
fn rooms_that_answer_late() {
    let presence = |nick: &str, kind: &str, codes: &str| {
        format!(
            "<presence from='room@muc.example/{nick}'{kind}><x xmlns='http://jabber.org/protocol/muc#user'>{codes}</x></presence>"
        )
    };
    let (me, gone) = ("<status code='110'/>", " type='unavailable'");
    let room = jid("room@muc.example");
    let joined = || {
        let script = Script::online(config());
        script.xmpp.join(&room, "bot", None).detach();
        script.receive(&presence("bot", "", me));
        script.notes();
        script.sent();
        script
    };
    // Another nick is refused: the client is still in the room.
    let script = joined();
    let other = script.xmpp.join(&room, "taken", None);
    script.receive(
        "<presence from='room@muc.example/taken' type='error'><error type='cancel'>\
         <conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
    );
    assert!(matches!(other.take(), Some(Err(RequestError::Refused(_)))));
    assert_eq!(script.xmpp.nick(&room).as_deref(), Some("bot"));
    assert_eq!(script.xmpp.rooms(), std::slice::from_ref(&room));
    // Or it is not answered.
    let other = script.xmpp.join(&room, "slow", None);
    script.advance(30_001);
    assert!(matches!(other.take(), Some(Err(RequestError::TimedOut { .. }))));
    assert_eq!(script.xmpp.rooms(), std::slice::from_ref(&room));
    // Or it is given.
    let other = script.xmpp.join(&room, "free", None);
    script.receive(&presence("bot", gone, "<status code='303'/><status code='110'/>"));
    script.receive(&presence("free", "", me));
    assert!(other.take().unwrap().is_ok());
    assert_eq!(script.xmpp.nick(&room).as_deref(), Some("free"));
    // The client leaves and comes again at once.
    let script = joined();
    script.xmpp.leave(&room).unwrap();
    let again = script.xmpp.join(&room, "bot", None);
    script.receive(&presence("bot", gone, me));
    assert!(!again.is_settled());
    script.receive(&presence("bot", "", me));
    assert!(again.take().unwrap().is_ok());
    let notes: Vec<_> = script.notes().into_iter().filter(|note| note.contains("room_")).collect();
    assert_eq!(notes, ["room_left room@muc.example", "room_joined room@muc.example"]);
    // A room that was left is not joined again, though it has never said so.
    let mut script = joined();
    script.xmpp.leave(&room).unwrap();
    script.receive("</stream:stream>");
    script.wire.close_if_open();
    script.advance(10_000);
    script.reconnect();
    script.log_in();
    for step in [BIND, BOUND, ENABLED] {
        script.receive(step);
    }
    assert!(!script.sent().contains("room@muc.example"));
    // Nor one that is left while there is no session.
    let mut script = joined();
    script.receive("</stream:stream>");
    script.wire.close_if_open();
    script.advance(10_000);
    script.xmpp.leave(&room).unwrap();
    assert_eq!(script.xmpp.nick(&room), None);
    script.reconnect();
    // And while the session can be resumed, the client is still in it.
    let script = joined();
    script.cut();
    assert_eq!(script.xmpp.leave(&room), Err(SendError::NotConnected));
    assert_eq!(script.xmpp.rooms(), std::slice::from_ref(&room));
}
