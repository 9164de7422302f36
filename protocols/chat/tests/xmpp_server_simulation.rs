//! The server and clients of this crate in a simulated network whose links are cut and reset: sessions are resumed, and each message
//! arrives once, in order.

#![cfg(feature = "tls")]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew_auth::{Authenticator, AuthenticatorConfig, ClientLogin, Mechanism, Users};
use sinew_chat::xmpp::{
    client::{Security, XmppClient, XmppConfig, XmppHandler},
    codec::{Element, Message},
    server::{ServerConfig, XmppServer},
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ReactorTcp, RetryConfig, reactor::Reactor};

/// How many messages are sent, one each second.
const MESSAGES: usize = 60;

/// What a client is told.
#[derive(Clone, Default)]
struct Noting {
    bodies: Rc<RefCell<Vec<String>>>,
    resumes: Rc<Cell<usize>>,
    lost: Rc<Cell<usize>>,
}

impl XmppHandler for Noting {
    fn online(&mut self, _: &XmppClient, is_resumed: bool) {
        self.resumes.set(self.resumes.get() + usize::from(is_resumed));
    }

    fn undelivered(&mut self, _: &XmppClient, stanzas: Vec<Element>) {
        self.lost.set(self.lost.get() + stanzas.len());
    }

    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        self.bodies.borrow_mut().extend(message.body());
    }
}

fn server(reactor: &Reactor) -> XmppServer {
    let users = Users::new().user("ann", "secret").user("bob", "secret");
    let users = Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true));
    let config = ServerConfig::new("example.org", users).unwrap().requires_tls(false);
    XmppServer::new(reactor, config.resume_within(Duration::from_secs(3_000)))
}

fn client(reactor: &Reactor, user: &str, noting: &Noting) -> XmppClient {
    let login =
        ClientLogin::password(user, "secret").allow_plaintext(true).mechanisms([Mechanism::Plain]);
    let config = XmppConfig::with_login(format!("{user}@example.org/desk").parse().unwrap(), login)
        .security(Security::None)
        .resume_within(Duration::from_secs(3_000));
    let xmpp = XmppClient::new(reactor, config, noting.clone());
    xmpp.keep_connected(reactor, ("server", 5222), RetryConfig::default());
    xmpp
}

/// Ann writes to Bob. Returns how often sessions were resumed.
fn run(network: &Network, disturb: impl FnOnce(&Network)) -> usize {
    let hosts = ["server", "ann", "bob"].map(|name| network.host(name));
    let report = Rc::new(RefCell::new(None));
    let of_server = Rc::clone(&report);
    hosts[0].boot(move |reactor| {
        let server = server(reactor);
        drop(reactor.listen_tcp("0.0.0.0:5222", server.clone()).unwrap());
        *of_server.borrow_mut() = Some(server);
    });
    let (of_ann, of_bob) = (Noting::default(), Noting::default());
    let (ann, bob) = (of_ann.clone(), of_bob.clone());
    hosts[2].boot(move |reactor| drop(client(reactor, "bob", &bob)));
    hosts[1].boot(move |reactor| {
        let xmpp = client(reactor, "ann", &ann);
        let sent = Cell::new(0);
        reactor.call_every(Duration::from_secs(1), move |_| {
            if sent.get() < MESSAGES {
                let message = Message::chat("bob@example.org/desk".parse().unwrap());
                xmpp.send_message(message.with_body(sent.get().to_string())).unwrap();
                sent.set(sent.get() + 1);
            }
        });
    });
    disturb(network);
    network.run_for(Duration::from_secs(1_500)).unwrap();
    let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(*of_bob.bodies.borrow(), expected, "each message once, in order");
    assert_eq!((of_ann.lost.get(), of_bob.lost.get()), (0, 0));
    let report = report.borrow().as_ref().map(XmppServer::report).unwrap();
    assert_eq!((report.sessions, report.sessions_waiting), (2, 0), "{report:?}");
    of_ann.resumes.get() + of_bob.resumes.get()
}

#[test]
fn resume_after_cut() {
    watchdog::watch_this_test();
    for cut in ["ann", "bob"] {
        simulate(0..5, |network| {
            let resumes = run(network, |network| {
                let (server, client) = (network.host("server"), network.host(cut));
                network.run_for(Duration::from_secs(10)).unwrap();
                network.cut(&server, &client);
                // Longer than the silence that both sides bear.
                network.run_for(Duration::from_secs(200)).unwrap();
                network.join(&server, &client);
            });
            assert_eq!(resumes, 1);
        });
    }
}

#[test]
fn resets_and_cuts_at_any_time() {
    watchdog::watch_this_test();
    let resumes = Cell::new(0);
    simulate(0..15, |network| {
        let resumed = run(network, |network| {
            // The first sessions are there before anything fails.
            network.run_for(Duration::from_secs(2)).unwrap();
            let faults = RandomFaults::every(Duration::from_secs(5));
            network.set_random_faults(Some(faults.lasting(Duration::from_secs(4)).cuts().resets()));
            network.run_for(Duration::from_secs(58)).unwrap();
            network.set_random_faults(None);
            network.heal();
        });
        resumes.set(resumes.get() + resumed);
    });
    assert!(resumes.get() > 0, "the faults cut no connection");
}
