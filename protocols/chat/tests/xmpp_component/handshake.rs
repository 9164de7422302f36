//! The handshake: right, wrong, never; what a hostile server sends; silence; and the table of `link.rs`.

use std::time::Duration;

use sinew_chat::xmpp::component::{ComponentError, ComponentHandler, XmppComponent};
use sinew_testkit::testing::every_split;
use sinew_transports::{Factory, Peer, reactor::Reactor};

use super::script::{HEADER, PROOF, Script, config};

const OPENING: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' to='echo.example.org'>";

#[test]
fn handshake_and_end() {
    let script = Script::new(config());
    let online = script.xmpp.when_online();
    assert_eq!(script.sent(), OPENING);
    script.receive(HEADER);
    assert_eq!(script.sent(), PROOF);
    assert!(!script.xmpp.is_online());
    script.receive("<handshake/>");
    assert!(script.xmpp.is_online() && matches!(online.take(), Some(Ok(()))));
    script.xmpp.quit();
    assert_eq!(script.sent(), "</stream:stream>");
    assert_eq!(script.end(), ["online", "lost"]);
}

#[test]
fn component_handshake_wrong() {
    let script = Script::new(config());
    let online = script.xmpp.when_online();
    script.receive(HEADER);
    script.receive(
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
    );
    let notes = script.end();
    assert_eq!(
        notes,
        ["failed: the XMPP server ended the stream of the component: not-authorized"]
    );
    assert!(matches!(online.take(), Some(Err(ComponentError::Stream(_)))));
}

#[test]
fn a_second_connection_is_refused() {
    let script = Script::online(config());
    assert!(script.xmpp.clone().build_protocol(&Peer::Memory).is_none());
    let second = script.xmpp.connect(&script.reactor, ("localhost", 1));
    script.advance(0);
    assert!(matches!(second.take(), Some(Err(ComponentError::Connected))));
}

#[test]
fn an_attempt_is_given_up() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let xmpp = XmppComponent::new(&reactor, config(), Echo);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = reactor.clone();
    let online = reactor.run_until(async move {
        let first = xmpp.connect(&handle, ("127.0.0.1", port));
        let second = xmpp.connect(&handle, ("127.0.0.1", port)).await;
        assert!(matches!(second, Err(ComponentError::Connected)));
        drop(first);
        // It is over in a later turn, and another one may be made.
        loop {
            let third = xmpp.connect(&handle, ("127.0.0.1", port));
            xmpp.quit();
            match third.await {
                Err(ComponentError::Connected) => handle.sleep(Duration::from_millis(1)).await,
                other => return other,
            }
        }
    });
    let online = online.unwrap();
    assert!(matches!(online, Err(ComponentError::Connect(_))), "{online:?}");
}

#[test]
fn hostile_servers() {
    let long = "x".repeat(10 * 1_024);
    let deep = "<a>".repeat(100);
    let cases = [
        (
            "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>",
            "without an id",
        ),
        ("<stream xmlns='urn:other' id='1'>", "another protocol"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "not well-formed"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>", "must not have"),
        ("\u{0}", "not well-formed"),
    ];
    for (text, expected) in cases {
        let script = Script::new(config());
        script.receive(text);
        assert!(script.wire.is_closing(), "{text}");
        let notes = script.end();
        assert!(notes.len() == 1 && notes[0].contains(expected), "{text}: {notes:?}");
    }
    for text in ["<message/>", "<handshake xmlns='urn:other'/>", &long, &deep, "</other>"] {
        let script = Script::new(config());
        script.receive(HEADER);
        script.receive(&format!("<x>{text}"));
        script.receive("</x>");
        script.receive(text);
        assert!(script.wire.is_closing(), "{text}");
        assert!(!script.xmpp.is_online());
        script.receive("<handshake/>");
        assert!(script.end().iter().all(|note| note.starts_with("failed")));
    }
}

#[test]
fn silent_servers() {
    let script = Script::new(config());
    script.advance(60_001);
    let notes = script.end();
    assert!(notes[0].contains("did not accept the component within 60s"), "{notes:?}");
    // One that was heard is asked; the ping comes back from a server that is there.
    let script = Script::online(config());
    script.advance(60_000);
    let ping = "<iq type='get' to='echo.example.org' id='s1' from='echo.example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert_eq!(script.sent(), ping);
    script.receive(ping);
    assert_eq!(
        script.sent(),
        "<iq type='result' id='s1' to='echo.example.org' from='echo.example.org'/>"
    );
    script.advance(60_000);
    assert!(script.sent().contains("id='s2'"));
    script.advance(60_001);
    assert!(script.wire.is_closing());
    assert_eq!(script.end(), ["lost"]);
}

#[test]
fn limits_after_the_handshake_are_those_of_stanzas() {
    let script = Script::online(config());
    let body = "x".repeat(20 * 1_024);
    script.receive(&format!(
        "<message from='a@b' to='echo.example.org'><body>{body}</body></message>"
    ));
    assert_eq!(script.notes().len(), 1);
    script.receive(&format!("<message>{}", "x".repeat(256 * 1_024)));
    assert!(script.wire.is_closing());
    assert!(script.sent().contains("<policy-violation "));
}

/// Says back what was said to it.
struct Echo;

impl ComponentHandler for Echo {
    fn message_received(
        &mut self,
        xmpp: &XmppComponent,
        message: &sinew_chat::xmpp::codec::Message,
    ) {
        let from = message.from().cloned().expect("it has one");
        let answer = sinew_chat::xmpp::codec::Message::chat(from);
        xmpp.send(answer.with_body(message.body().unwrap_or_default())).expect("it is online");
    }
}

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let input = format!(
        "{HEADER}<handshake/><message from='a@b' to='echo.example.org'><body>ä</body></message> \n\
         <iq type='get' id='1' from='a@b' to='echo.example.org'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>"
    );
    let expected = format!(
        "{OPENING}{PROOF}<message to='a@b' type='chat' from='echo.example.org'><body>ä</body></message>\
         <iq type='result' id='1' to='a@b' from='echo.example.org'/></stream:stream>"
    );
    let make = || {
        let reactor = Reactor::simulated(0);
        let mut xmpp = XmppComponent::new(&reactor, config(), Echo);
        xmpp.build_protocol(&Peer::Memory).expect("it is offline")
    };
    every_split(make, input.as_bytes(), expected.as_bytes());
}
