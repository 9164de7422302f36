//! A client and a server in a simulated network whose link is cut: the session is resumed, and each message arrives once.

#![cfg(feature = "tls")]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "xmpp_support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod xmpp_support;

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::xmpp::{
    client::{XmppClient, XmppHandler},
    codec::{Element, Message, StreamEvent, StreamParser, XmlLimits, ns},
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{Protocol, ReactorTcp, RetryConfig, Transport, reactor::Reactor};

use xmpp_support::{BIND, BOUND, ENABLED, HEADER, MECHANISMS, SUCCESS, config, jid};

/// The session at the server, which outlives connections.
#[derive(Default)]
struct Session {
    handled: u32,
    bodies: Vec<String>,
    binds: u32,
    resumes: u32,
    /// The connection that has it.
    owner: u64,
    connections: u64,
}

type Shared = Rc<RefCell<Session>>;

/// A server by script, with stream management.
struct Server {
    parser: StreamParser,
    session: Shared,
    number: u64,
    is_logged_in: bool,
}

impl Server {
    fn new(session: &Shared) -> Self {
        let mut shared = session.borrow_mut();
        shared.connections += 1;
        let number = shared.connections;
        drop(shared);
        let parser = StreamParser::new(XmlLimits::default());
        Self { parser, session: Rc::clone(session), number, is_logged_in: false }
    }

    fn element(&mut self, transport: &Transport, element: &Element) {
        let mut session = self.session.borrow_mut();
        match (element.ns(), element.name()) {
            (ns::SASL, "auth") => {
                transport.write(SUCCESS);
                self.is_logged_in = true;
                self.parser = StreamParser::new(XmlLimits::default());
            }
            (ns::CLIENT, "iq") if element.attribute("id") == Some("bind") => {
                session.binds += 1;
                transport.write(BOUND);
            }
            (ns::STREAM_MANAGEMENT, "enable") => {
                (session.handled, session.owner) = (0, self.number);
                transport.write(ENABLED.replace("100", "3000"));
            }
            (ns::STREAM_MANAGEMENT, "resume") => {
                session.resumes += 1;
                session.owner = self.number;
                let h = session.handled;
                transport.write(format!("<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='{h}'/>"));
            }
            (ns::STREAM_MANAGEMENT, "r") => {
                let h = session.handled;
                transport.write(format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
            }
            // A connection whose session has gone to another has none.
            (ns::CLIENT, _) if session.owner == self.number => {
                session.handled += 1;
                session.bodies.extend(element.child("body", ns::CLIENT).map(Element::text));
            }
            _ => {}
        }
    }
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        while let Ok(Some(event)) = self.parser.next(&mut data) {
            match event {
                StreamEvent::Opened(_) => {
                    transport.write(HEADER);
                    transport.write(if self.is_logged_in { BIND } else { MECHANISMS });
                }
                StreamEvent::Stanza(element) => self.element(transport, &element),
                _ => return transport.lose_connection(),
            }
        }
    }
}

/// Notes what may be lost.
struct Noting(Rc<RefCell<usize>>);

impl XmppHandler for Noting {
    fn undelivered(&mut self, _: &XmppClient, stanzas: Vec<Element>) {
        *self.0.borrow_mut() += stanzas.len();
    }
}

/// How many messages are sent, one each second.
const MESSAGES: usize = 60;

fn start(reactor: &Reactor, lost: &Rc<RefCell<usize>>) {
    let config = config().resume_within(Duration::from_secs(3_000));
    let xmpp = XmppClient::new(reactor, config, Noting(Rc::clone(lost)));
    xmpp.keep_connected(reactor, ("server", 5222), RetryConfig::default());
    let sent = RefCell::new(0);
    reactor.call_every(Duration::from_secs(1), move |_| {
        let mut sent = sent.borrow_mut();
        if *sent < MESSAGES {
            let message = Message::chat(jid("b@c")).with_body(sent.to_string());
            xmpp.send_message(message).unwrap();
            *sent += 1;
        }
    });
}

/// Returns how often the session was resumed.
fn run(network: &Network, disturb: impl FnOnce(&Network)) -> u32 {
    let (server, client) = (network.host("server"), network.host("client"));
    let (session, lost) = (Shared::default(), Rc::new(RefCell::new(0)));
    let of_server = Rc::clone(&session);
    server.boot(move |reactor| {
        let session = Rc::clone(&of_server);
        let factory = move |_: &sinew_transports::Peer| Server::new(&session);
        drop(reactor.listen_tcp("0.0.0.0:5222", factory).unwrap());
    });
    let of_client = Rc::clone(&lost);
    client.boot(move |reactor| start(reactor, &of_client));
    disturb(network);
    network.run_for(Duration::from_secs(1_500)).unwrap();
    let session = session.borrow();
    let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(session.bodies, expected, "each message once, in order");
    assert_eq!((session.binds, *lost.borrow()), (1, 0));
    session.resumes
}

#[test]
fn resume_after_cut() {
    watchdog::watch_this_test();
    simulate(0..5, |network| {
        let resumes = run(network, |network| {
            let (server, client) = (network.host("server"), network.host("client"));
            network.run_for(Duration::from_secs(10)).unwrap();
            network.cut(&server, &client);
            // Longer than the silence that the client bears.
            network.run_for(Duration::from_secs(200)).unwrap();
            network.join(&server, &client);
        });
        assert_eq!(resumes, 1);
    });
}

#[test]
fn resets_and_cuts_at_any_time() {
    watchdog::watch_this_test();
    let resumes = std::cell::Cell::new(0);
    simulate(0..15, |network| {
        resumes.set(
            resumes.get()
                + run(network, |network| {
                    // The first session is there before anything fails.
                    network.run_for(Duration::from_secs(2)).unwrap();
                    let faults = RandomFaults::every(Duration::from_secs(5));
                    network.set_random_faults(Some(
                        faults.lasting(Duration::from_secs(4)).cuts().resets(),
                    ));
                    network.run_for(Duration::from_secs(58)).unwrap();
                    network.set_random_faults(None);
                    network.heal();
                }),
        );
    });
    assert!(resumes.get() > 0, "the faults cut no connection");
}
