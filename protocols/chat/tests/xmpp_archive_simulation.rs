//! Archives of a server in a simulated network whose links are cut and reset: each message is in them once, in order, and a client that
//! reads them page by page, and asks again after each failure, has all of them.

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
    codec::{ArchiveQuery, Message},
    server::{
        ServerConfig, XmppServer,
        archive::{ArchiveConfig, MemoryArchive},
    },
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ReactorTcp, RetryConfig, reactor::Reactor};

/// How many messages are sent, one each second.
const MESSAGES: usize = 60;

struct Silent;

impl XmppHandler for Silent {}

fn server(reactor: &Reactor) {
    let users = Users::new().user("ann", "secret").user("bob", "secret");
    let users = Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true));
    let config = ServerConfig::new("example.org", users).unwrap().requires_tls(false);
    let archive = ArchiveConfig::new(MemoryArchive::new()).page_max(4);
    let config = config.resume_within(Duration::from_secs(3_000)).archive(archive);
    drop(reactor.listen_tcp("0.0.0.0:5222", XmppServer::new(reactor, config)).unwrap());
}

fn client(reactor: &Reactor, user: &str) -> XmppClient {
    let login =
        ClientLogin::password(user, "secret").allow_plaintext(true).mechanisms([Mechanism::Plain]);
    let config = XmppConfig::with_login(format!("{user}@example.org/desk").parse().unwrap(), login)
        .security(Security::None)
        .resume_within(Duration::from_secs(3_000));
    let xmpp = XmppClient::new(reactor, config, Silent);
    xmpp.keep_connected(reactor, ("server", 5222), RetryConfig::default());
    xmpp
}

/// Reads all that there is, again and again, for as long as Ann writes, and notes what is new.
async fn follow(
    reactor: Reactor,
    xmpp: XmppClient,
    found: Rc<RefCell<Vec<String>>>,
    failures: Rc<Cell<usize>>,
) {
    let mut last: Option<String> = None;
    loop {
        let query =
            last.as_deref().map_or_else(ArchiveQuery::new, |id| ArchiveQuery::new().after(id));
        let reader = xmpp.read_archive(query);
        loop {
            match reader.next_page().await {
                Ok(Some(page)) => {
                    found
                        .borrow_mut()
                        .extend(page.messages.iter().filter_map(|one| one.message.body()));
                    last = page.last.or(last);
                }
                Ok(None) => break,
                Err(_) => {
                    failures.set(failures.get() + 1);
                    reactor.sleep(Duration::from_secs(1)).await;
                }
            }
        }
        reactor.sleep(Duration::from_secs(2)).await;
    }
}

/// Ann writes to Bob, and both read their archives. Returns how often that has failed.
fn run(network: &Network, disturb: impl FnOnce(&Network)) -> usize {
    let hosts = ["server", "ann", "bob"].map(|name| network.host(name));
    hosts[0].boot(server);
    let failures = Rc::new(Cell::new(0));
    let found = ["ann", "bob"].map(|_| Rc::new(RefCell::new(Vec::new())));
    for (user, host, found) in [("ann", &hosts[1], &found[0]), ("bob", &hosts[2], &found[1])] {
        let (found, failures) = (Rc::clone(found), Rc::clone(&failures));
        host.boot(move |reactor| {
            let xmpp = client(reactor, user);
            let (found, failures) = (Rc::clone(&found), Rc::clone(&failures));
            let following = follow(reactor.clone(), xmpp.clone(), found, failures);
            reactor.spawn(following).detach();
            let sent = Cell::new(0);
            reactor.call_every(Duration::from_secs(1), move |_| {
                if user == "ann" && sent.get() < MESSAGES {
                    let message = Message::chat("bob@example.org".parse().unwrap());
                    xmpp.send_message(message.with_body(sent.get().to_string())).unwrap();
                    sent.set(sent.get() + 1);
                }
            });
        });
    }
    disturb(network);
    network.run_for(Duration::from_secs(300)).unwrap();
    let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for found in &found {
        assert_eq!(*found.borrow(), expected, "each message once, in order");
    }
    failures.get()
}

#[test]
fn archives_of_clients_that_are_cut_off() {
    watchdog::watch_this_test();
    let failures = Cell::new(0);
    simulate(0..5, |network| {
        let failed = run(network, |network| {
            network.run_for(Duration::from_secs(2)).unwrap();
            let faults = RandomFaults::every(Duration::from_secs(5));
            network.set_random_faults(Some(faults.lasting(Duration::from_secs(4)).cuts().resets()));
            network.run_for(Duration::from_secs(58)).unwrap();
            network.set_random_faults(None);
            network.heal();
        });
        failures.set(failures.get() + failed);
    });
    assert!(failures.get() > 0, "the faults have disturbed nobody");
}
