//! The port for components, as components see it: a connection in memory.

use std::{cell::RefCell, time::Duration};

use sinew_auth::FailureLimiter;
use sinew_chat::xmpp::{
    codec::component_handshake,
    server::{
        XmppServer,
        components::{ComponentPort, ComponentPortConnection, ComponentsConfig},
    },
};
use sinew_testkit::testing::every_split;
use sinew_transports::{
    Connection, Factory, Peer, StreamConfig, memory, memory::Wire, reactor::Reactor,
};

use crate::kit::{Site, config};

const OPEN: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' to='echo.example.org'>";

struct Component<'a> {
    site: &'a Site,
    wire: Wire,
    _connection: Connection<ComponentPortConnection>,
    unread: RefCell<String>,
}

fn components() -> ComponentsConfig {
    let config = ComponentsConfig::default().component("echo.example.org", "secret").unwrap();
    config.component("ask.example.org", "other").unwrap()
}

/// A server with a port for components.
fn site(components: ComponentsConfig) -> (Site, ComponentPort) {
    let port = ComponentPort::new(components);
    assert!(port.clone().build_protocol(&Peer::Memory).is_none(), "it is not attached");
    let site = Site::new(port.register(config()).unwrap());
    port.attach(&site.server);
    (site, port)
}

fn connect<'a>(site: &'a Site, port: &ComponentPort) -> Component<'a> {
    let protocol = port.clone().build_protocol(&Peer::Memory).expect("there is room");
    let (connection, wire) =
        memory::connect(&site.reactor, StreamConfig::default(), protocol).expect("no limit");
    Component { site, wire, _connection: connection, unread: RefCell::default() }
}

impl Component<'_> {
    fn ask(&self, text: &str) -> String {
        self.wire.receive_if_open(text.as_bytes());
        self.heard()
    }

    fn heard(&self) -> String {
        self.site.advance(0);
        let _ = self.unread.take();
        String::from_utf8(self.wire.sent()).expect("it is UTF-8")
    }

    /// The id of the stream.
    fn open(&self) -> String {
        let header = self.ask(OPEN);
        assert!(header.contains("from='echo.example.org'"), "{header}");
        let (_, id) = header.split_once(" id='").expect("it has an id");
        id.split('\'').next().unwrap().to_owned()
    }

    /// What is said after the longest delay of a failure.
    fn late(&self) -> String {
        self.site.advance(8_000);
        self.heard()
    }

    fn prove(&self, secret: &str) -> String {
        let proof = component_handshake(&self.open(), secret.as_bytes());
        self.ask(&format!("<handshake>{proof}</handshake>"))
    }
}

/// A component that is online.
fn online<'a>(site: &'a Site, port: &ComponentPort) -> Component<'a> {
    let component = connect(site, port);
    assert_eq!(component.prove("secret"), "<handshake/>");
    component
}

#[test]
fn stanzas_in_both_directions() {
    let (site, port) = site(components());
    let ann = site.online("ann", "desk");
    let component = online(&site, &port);
    assert_eq!(port.connected(), ["echo.example.org".parse().unwrap()]);
    ann.say("<message to='bot@echo.example.org' type='chat'><body>hi</body></message>");
    assert_eq!(
        component.heard(),
        "<message to='bot@echo.example.org' type='chat' from='ann@example.org/desk'><body>hi</body></message>"
    );
    component.ask("<message from='bot@echo.example.org' to='ann@example.org/desk' type='chat'><body>ho</body></message>");
    assert_eq!(
        ann.heard(),
        "<message from='bot@echo.example.org' to='ann@example.org/desk' type='chat'><body>ho</body></message>"
    );
    // To itself, and to another component, which is not there.
    let ping = "<iq type='get' id='1' from='echo.example.org' to='echo.example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert_eq!(component.ask(ping), ping);
    let refused = component.ask("<message from='echo.example.org' to='ask.example.org' id='2'/>");
    assert!(refused.contains("<error type='wait'><remote-server-timeout "), "{refused}");
    // A question that is none is answered.
    let refused = component.ask("<iq type='get' id='3' from='echo.example.org' to='example.org'/>");
    assert!(refused.contains("<bad-request "), "{refused}");
    assert!(!component.wire.is_closing());
}

#[test]
fn while_it_is_away() {
    let (site, port) = site(components());
    let ann = site.online("ann", "desk");
    let ask = "<iq type='get' id='1' to='echo.example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert!(ann.ask(ask).contains("<remote-server-timeout "));
    assert_eq!(ann.ask("<presence to='echo.example.org' type='unavailable'/>"), "");
    let component = online(&site, &port);
    assert_eq!(ann.ask(ask), "");
    assert!(component.heard().contains("<ping "));
    component.wire.reset();
    site.advance(0);
    assert!(ann.ask(ask).contains("<remote-server-timeout "));
    assert!(port.connected().is_empty());
    let items = ann.ask("<iq type='get' id='2' to='example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    assert!(items.contains("jid='echo.example.org'"), "{items}");
}

/// RFC 6120 8.2.3: each question has one answer, also if the component goes away.
#[test]
fn questions_that_it_does_not_answer() {
    let (site, port) = site(components());
    let ann = site.online("ann", "desk");
    let ask = "<iq type='get' id='1' to='bot@echo.example.org'><x xmlns='urn:x'/></iq>";
    let answer = "<iq type='result' id='1' from='bot@echo.example.org' to='ann@example.org/desk'/>";
    for ending in ["</stream:stream>", "<message/>", ""] {
        let component = online(&site, &port);
        assert_eq!(ann.ask(ask), "");
        assert!(component.heard().contains("id='1'"));
        match ending {
            "" => component.wire.reset(),
            text => drop(component.ask(text)),
        }
        component.wire.close_if_open();
        let heard = ann.heard();
        assert_eq!(heard.matches("id='1'").count(), 1, "{ending}: {heard}");
        assert!(heard.contains("<remote-server-timeout "), "{heard}");
    }
    let component = online(&site, &port);
    component.ask(answer);
    assert_eq!(ann.heard(), "", "the question was of a connection that has gone");
    ann.say(ask);
    component.ask(answer);
    component.ask(answer);
    assert_eq!(ann.heard().matches("type='result'").count(), 1);
    component.wire.reset();
    assert_eq!(ann.heard(), "");
    // The other way round: a session that ends.
    let component = online(&site, &port);
    component.ask("<iq type='get' id='2' from='bot@echo.example.org' to='ann@example.org/desk'><x xmlns='urn:x'/></iq>");
    ann.end();
    let heard = component.heard();
    assert!(heard.contains("id='2'") && heard.contains("<service-unavailable "), "{heard}");
}

#[test]
fn component_handshake_wrong() {
    let (site, port) = site(components());
    for secret in ["", "Secret", "other"] {
        let component = connect(&site, &port);
        assert_eq!(component.prove(secret), "", "it is answered late");
        let answer = component.late();
        assert!(
            answer.contains("<not-authorized ") && answer.ends_with("</stream:stream>"),
            "{answer}"
        );
        assert!(component.wire.is_closing());
    }
    for text in [
        "<handshake/>",
        "<message from='echo.example.org' to='ann@example.org'/>",
        "<handshake xmlns='urn:x'/>",
    ] {
        let component = connect(&site, &port);
        component.open();
        assert_eq!(component.ask(text), "", "{text}");
        assert!(component.late().contains("<not-authorized "), "{text}");
    }
    // The proof of another stream.
    let (one, other) = (connect(&site, &port), connect(&site, &port));
    let proof = component_handshake(&one.open(), b"secret");
    other.open();
    assert_eq!(other.ask(&format!("<handshake>{proof}</handshake>")), "");
    assert!(other.late().contains("<not-authorized "));
    assert_eq!(
        one.ask(&format!("<handshake>{}</handshake>", proof.to_uppercase())),
        "<handshake/>"
    );
}

/// As of logins: each is answered later than the one before, and after too many none is judged for a while.
#[test]
fn wrong_handshakes_are_bounded() {
    let limiter = FailureLimiter::default().failures_max(100, 5);
    let (site, port) = site(components().limiter(limiter));
    let mut delays = Vec::new();
    for _ in 0..5 {
        let component = connect(&site, &port);
        let mut answer = component.prove("wrong");
        let mut seconds = 0;
        while answer.is_empty() {
            site.advance(1_000);
            seconds += 1;
            answer = component.heard();
        }
        assert!(answer.contains("<not-authorized "), "{answer}");
        delays.push(seconds);
    }
    assert_eq!(delays, [1, 2, 4, 8, 8]);
    // It is not told whether a handshake was right.
    for secret in ["wrong", "secret"] {
        let answer = connect(&site, &port).prove(secret);
        assert!(answer.contains("<policy-violation "), "{secret}: {answer}");
    }
    assert!(port.connected().is_empty());
    // It is let in again when the failures are forgotten.
    site.advance(15 * 60_000);
    drop(online(&site, &port));
}

/// What comes behind a handshake waits for the verdict.
#[test]
fn pipelined_behind_a_handshake() {
    let (site, port) = site(components());
    let ann = site.online("ann", "desk");
    for (secret, arrives) in [("wrong", false), ("secret", true)] {
        let component = connect(&site, &port);
        let proof = component_handshake(&component.open(), secret.as_bytes());
        component.ask(&format!(
            "<handshake>{proof}</handshake><message from='echo.example.org' to='ann@example.org/desk'/>"
        ));
        component.late();
        assert_eq!(ann.heard().contains("<message"), arrives, "{secret}");
    }
}

/// A component of the domain of the accounts could speak for all of them, and read their archives.
#[test]
fn the_domain_of_the_accounts() {
    let (site, port) = site(components().component("example.org", "secret").unwrap());
    let component = connect(&site, &port);
    let answer = component.ask(&OPEN.replace("echo.example.org", "example.org"));
    assert!(answer.contains("<host-unknown ") && component.wire.is_closing(), "{answer}");
    online(&site, &port);
}

#[test]
fn a_second_connection_is_a_conflict() {
    let (site, port) = site(components());
    let first = online(&site, &port);
    let second = connect(&site, &port);
    assert!(second.prove("secret").contains("<conflict "));
    assert!(!first.wire.is_closing());
    first.ask("</stream:stream>");
    first.wire.close_if_open();
    site.advance(0);
    drop(online(&site, &port));
}

#[test]
fn what_ends_the_stream() {
    let (site, port) = site(components());
    let long = "x".repeat(20_000);
    let before = [
        ("<stream xmlns='urn:x'>", "invalid-namespace"),
        (&OPEN.replace("jabber:component:accept", "jabber:client"), "invalid-namespace"),
        (&OPEN.replace("jabber:component:accept", "jabber:server"), "invalid-namespace"),
        (&OPEN.replace("etherx", "ether"), "invalid-namespace"),
        (&OPEN.replace("echo", "nobody"), "host-unknown"),
        (&OPEN.replace("to='echo.example.org'", ""), "host-unknown"),
        ("GET / HTTP/1.1\r\n\r\n", "not-well-formed"),
        ("<!DOCTYPE x>", "restricted-xml"),
        (&format!("<stream:stream a='{long}'"), "policy-violation"),
    ];
    for (text, expected) in before {
        let component = connect(&site, &port);
        let answer = component.ask(text);
        assert!(
            answer.starts_with("<?xml ") && answer.contains(&format!("<{expected} ")),
            "{text}: {answer}"
        );
        assert!(component.wire.is_closing());
    }
    for (text, expected) in [
        ("<message from='ask.example.org' to='ann@example.org'/>", "invalid-from"),
        ("<message from='ann@example.org' to='ann@example.org'/>", "invalid-from"),
        ("<message to='ann@example.org'/>", "invalid-from"),
        ("<message from='@' to='ann@example.org'/>", "invalid-from"),
        ("<message from='echo.example.org'/>", "improper-addressing"),
        ("<message from='echo.example.org' to='@'/>", "improper-addressing"),
        ("<handshake/>", "policy-violation"),
        ("<x/>", "unsupported-stanza-type"),
        (
            "<message xmlns='urn:x' from='echo.example.org' to='ann@example.org'/>",
            "unsupported-stanza-type",
        ),
        ("text", "not-well-formed"),
        (&"<a>".repeat(100), "policy-violation"),
    ] {
        let component = online(&site, &port);
        let answer = component.ask(text);
        assert!(answer.contains(&format!("<{expected} ")), "{text}: {answer}");
        assert!(component.wire.is_closing() && port.connected().is_empty());
        component.wire.close_if_open();
        site.advance(10_000);
    }
}

#[test]
fn silence() {
    let (site, port) = site(components());
    let late = connect(&site, &port);
    late.open();
    site.advance(60_001);
    assert!(late.heard().contains("<connection-timeout "));
    let component = online(&site, &port);
    site.advance(60_000);
    let ping = component.heard();
    assert!(ping.contains("from='example.org' to='echo.example.org'><ping "), "{ping}");
    component
        .ask("<iq type='result' id='component-ping' from='echo.example.org' to='example.org'/>");
    site.advance(60_000);
    assert!(component.heard().contains("<ping "));
    site.advance(60_000);
    assert!(component.heard().contains("<connection-timeout "));
    assert!(port.connected().is_empty());
}

#[test]
fn limits() {
    let (site, port) =
        site(components().connections_max(1).send_queue_max(200).rate(2, Duration::from_secs(1)));
    let ann = site.online("ann", "desk");
    let component = online(&site, &port);
    assert!(port.clone().build_protocol(&Peer::Memory).is_none());
    // Two at once, then one a second.
    let message = "<message from='echo.example.org' to='ann@example.org/desk'/>";
    component.ask(&message.repeat(5));
    assert_eq!(ann.heard().matches("<message").count(), 3);
    assert!(component.wire.is_paused());
    site.advance(1_000);
    assert_eq!(ann.heard().matches("<message").count(), 1);
    site.advance(10_000);
    assert_eq!(ann.heard().matches("<message").count(), 1);
    component.wire.set_capacity(0);
    let answers = ann.ask(
        &"<message to='echo.example.org'><body>12345678901234567890</body></message>".repeat(5),
    );
    assert!(answers.matches("<resource-constraint ").count() >= 3, "{answers}");
    assert!(!component.wire.is_closing());
}

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let make = || {
        let reactor = Reactor::simulated(0);
        let port = ComponentPort::new(components());
        let server = XmppServer::new(&reactor, port.register(config()).unwrap());
        port.attach(&server);
        port.clone().build_protocol(&Peer::Memory).expect("there is room")
    };
    // The header of the answer has a random id, which is cut out before answers are compared.
    let input = format!("{OPEN}<handshake>wrong</handshake>");
    let outputs: Vec<_> = (1..input.len())
        .map(|at| {
            let reactor = Reactor::simulated(0);
            let (_connection, wire) =
                memory::connect(&reactor, StreamConfig::default(), make()).expect("no limit");
            for part in [&input[..at], &input[at..]] {
                wire.receive_if_open(part.as_bytes());
                reactor.advance(Duration::ZERO).expect("it settles");
            }
            reactor.advance(Duration::from_secs(1)).expect("it settles");
            let text = String::from_utf8(wire.sent()).unwrap();
            let (before, id) = text.split_once(" id='").unwrap();
            format!("{before}{}", id.split_once('\'').unwrap().1)
        })
        .collect();
    assert!(outputs[0].ends_with("</stream:stream>") && outputs[0].contains("<not-authorized "));
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    every_split(make, b"  \n ", b"");
}
