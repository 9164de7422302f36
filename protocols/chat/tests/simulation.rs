//! Clients and a server of ours in a simulated network with faults (cuts, resets, pauses): clients come back, and are in their channels
//! again; what they say arrives in order and once; and the server forgets nobody and remembers nobody too many.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use sinew_chat::irc::{
    client::{IrcClient, IrcConfig, IrcHandler, Said},
    server::{IrcServer, ServerConfig},
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ReactorTcp, RetryConfig, endpoint::ClientEndpoint};

const CLIENTS: usize = 4;
const SENDING: Duration = Duration::from_secs(120);
/// Longer than the server needs to see that a client is silent.
const ENDING: Duration = Duration::from_secs(400);

/// The numbers that each client has heard of each other one, in order.
type Heard = Rc<RefCell<BTreeMap<(usize, String), Vec<u32>>>>;

struct Listener {
    me: usize,
    heard: Heard,
}

impl IrcHandler for Listener {
    fn privmsg(&mut self, _: &IrcClient, said: &Said<'_>) {
        // `client number`, for nicks change when they are taken.
        let text = said.text.to_string();
        let Some((who, number)) = text.split_once(' ') else { return };
        let Ok(number) = number.parse() else { return };
        self.heard.borrow_mut().entry((self.me, who.to_owned())).or_default().push(number);
    }
}

/// Returns how many messages were heard.
fn run(network: &Network, faults: Option<RandomFaults>) -> usize {
    let heard = Heard::default();
    let server = network.host("server");
    let servers: Rc<RefCell<Option<IrcServer>>> = Rc::default();
    let place = Rc::clone(&servers);
    server.boot(move |reactor| {
        let server = IrcServer::new(
            reactor,
            ServerConfig::new("irc.test").unwrap().connects(10_000, Duration::from_secs(1)),
        );
        place.replace(Some(server.clone()));
        drop(reactor.listen_tcp("0.0.0.0:6667", server).unwrap());
    });
    let clients: Rc<RefCell<Vec<IrcClient>>> = Rc::default();
    for me in 0..CLIENTS {
        let (heard, clients) = (Rc::clone(&heard), Rc::clone(&clients));
        network.host(&format!("client{me}")).boot(move |reactor| {
            let config = IrcConfig::new(&format!("client{me}")).unwrap().join("#a").unwrap();
            let irc = IrcClient::new(reactor, config, Listener { me, heard: Rc::clone(&heard) });
            let endpoint: ClientEndpoint = "tcp:server:6667".parse().unwrap();
            let retry =
                RetryConfig::default().delay(Duration::from_secs(1), Duration::from_secs(5));
            irc.keep_connected(reactor, endpoint, retry);
            clients.borrow_mut().push(irc.clone());
            let (end, mut number) = (reactor.now() + SENDING, 0_u32);
            reactor.call_every(Duration::from_secs(3), move |reactor| {
                // Only what can be sent at once: it is not known of the rest whether it was.
                if reactor.now() < end
                    && irc.is_online()
                    && irc.message("#a", format!("{me} {number}")).is_ok()
                {
                    number += 1;
                }
            });
        });
    }
    network.set_random_faults(faults);
    network.run_for(SENDING).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(ENDING).unwrap();
    for ((me, who), numbers) in heard.borrow().iter() {
        assert!(
            numbers.is_sorted_by(|left, right| left < right),
            "{me} heard of {who}: {numbers:?}"
        );
    }
    for irc in clients.borrow().iter() {
        assert!(irc.is_online(), "{irc:?}");
        assert_eq!(irc.channels(), [b"#a".to_vec()]);
        assert_eq!(irc.members("#a").map(|members| members.len()), Some(CLIENTS));
    }
    let report = servers.borrow().as_ref().map(IrcServer::report).unwrap();
    assert_eq!((report.connections, report.clients, report.channels), (CLIENTS, CLIENTS, 1));
    heard.borrow().values().map(Vec::len).sum()
}

#[test]
fn without_faults_everything_is_heard() {
    watchdog::watch_this_test();
    simulate(0..3, |network| {
        let heard = run(network, None);
        assert!(heard >= CLIENTS * (CLIENTS - 1) * 37, "{heard} messages");
    });
}

#[test]
fn clients_come_back_under_faults() {
    watchdog::watch_this_test();
    simulate(0..20, |network| {
        let faults = RandomFaults::every(Duration::from_secs(4))
            .lasting(Duration::from_secs(8))
            .cuts()
            .pauses()
            .resets();
        run(network, Some(faults));
    });
}
