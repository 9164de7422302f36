//! A component and its server in a simulated network whose links fail: the component connects again, its place is free for it, and what
//! it is asked is answered.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::Users;
use sinew_chat::xmpp::{
    codec::{Element, Iq, ns},
    component::{ComponentConfig, ComponentHandler, XmppComponent},
    server::{
        ServerConfig, XmppServer,
        components::{ComponentPort, ComponentsConfig},
    },
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ReactorTcp, RetryConfig, reactor::Reactor};

/// Counts how often it was online.
struct Counting(Rc<RefCell<u32>>);

impl ComponentHandler for Counting {
    fn online(&mut self, _: &XmppComponent) {
        *self.0.borrow_mut() += 1;
    }
}

fn serve(reactor: &Reactor) {
    let components = ComponentsConfig::default().component("echo.example.org", "secret").unwrap();
    let components = ComponentPort::new(components);
    let config = ServerConfig::new("example.org", Users::new()).unwrap();
    let server = XmppServer::new(reactor, components.register(config).unwrap());
    components.attach(&server);
    drop(reactor.listen_tcp("0.0.0.0:5347", components).unwrap());
    // The server has nothing to do but this: it lives as long as its reactor.
    reactor.call_every(Duration::from_secs(3_600), move |_| drop(server.router()));
}

/// Returns how often the component was online, and the answers to the questions of the last minutes.
fn run(network: &Network, disturb: impl FnOnce(&Network)) -> (u32, u32) {
    let (server, client) = (network.host("server"), network.host("client"));
    server.boot(serve);
    let (online, answers) = (Rc::new(RefCell::new(0)), Rc::new(RefCell::new(0)));
    let (of_online, of_answers) = (Rc::clone(&online), Rc::clone(&answers));
    client.boot(move |reactor| {
        let config = ComponentConfig::new("echo.example.org".parse().unwrap(), "secret");
        let xmpp = XmppComponent::new(reactor, config, Counting(Rc::clone(&of_online)));
        xmpp.keep_connected(reactor, ("server", 5347), RetryConfig::default());
        let of_answers = Rc::clone(&of_answers);
        reactor.call_every(Duration::from_secs(10), move |_| {
            let ping = Iq::get(Element::new("ping", ns::PING));
            let answers = Rc::clone(&of_answers);
            let asked = xmpp.request(ping.with_to("example.org".parse().unwrap()));
            asked.then(move |_, answer| *answers.borrow_mut() += u32::from(answer.is_ok()));
        });
    });
    disturb(network);
    // Longer than both ends bear silence, and than the longest wait for another attempt.
    network.run_for(Duration::from_secs(900)).unwrap();
    *answers.borrow_mut() = 0;
    network.run_for(Duration::from_secs(300)).unwrap();
    let result = (*online.borrow(), *answers.borrow());
    result
}

#[test]
fn a_cut_link() {
    watchdog::watch_this_test();
    simulate(0..5, |network| {
        let (online, answers) = run(network, |network| {
            let (server, client) = (network.host("server"), network.host("client"));
            network.run_for(Duration::from_secs(20)).unwrap();
            network.cut(&server, &client);
            network.run_for(Duration::from_secs(300)).unwrap();
            network.join(&server, &client);
        });
        assert_eq!(online, 2);
        assert!(answers >= 29, "{answers} of 30 questions are answered");
    });
}

#[test]
fn resets_and_cuts_at_any_time() {
    watchdog::watch_this_test();
    let most = std::cell::Cell::new(0);
    simulate(0..15, |network| {
        let (online, answers) = run(network, |network| {
            let faults = RandomFaults::every(Duration::from_secs(20));
            let faults = faults.lasting(Duration::from_secs(10)).cuts().resets();
            network.set_random_faults(Some(faults));
            network.run_for(Duration::from_secs(300)).unwrap();
            network.set_random_faults(None);
            network.heal();
        });
        assert!(answers >= 29, "{answers} of 30 questions are answered");
        most.set(most.get().max(online));
    });
    assert!(most.get() > 2, "the faults cut no connection");
}
