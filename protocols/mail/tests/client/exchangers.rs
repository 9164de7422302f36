//! Mail exchangers, in a simulated network with a name server.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use sinew_dns::{
    client::{DnsConfig, DnsResolver},
    codec::{RData, rdata::MX},
    testing::TestServer,
};
use sinew_mail::{
    queue::{
        Agents, MemoryFiles, Queue, QueueConfig, QueuedEnvelope, QueuedRecipient, Relay,
        SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Security, SmtpError, exchangers, send_to_domain},
        codec::{Recipient, Sender},
    },
};
use sinew_testkit::{sim::Network, testing::task_test_on};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::script::{config, envelope};
use crate::support::{self, Notes, Shared};

fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(preference, host.parse().unwrap()))
}

/// Runs `f` on a host whose resolver asks `names`; mail servers are on the hosts `a`, `b` and `refusing`.
fn world<T: 'static, F: Future<Output = T> + 'static>(
    notes: Notes,
    names: impl FnOnce(&Network, TestServer) -> TestServer,
    f: impl FnOnce(Reactor, DnsResolver) -> F + 'static,
) -> (T, Shared) {
    crate::watchdog::watch_this_test();
    let network = Network::new(0);
    let notes: Shared = Rc::new(RefCell::new(notes));
    for (name, domain) in [("a", "a.example"), ("b", "b.example")] {
        let notes = Rc::clone(&notes);
        let host = network.host(name);
        network.set_name(domain, [host.addr()]);
        host.boot(move |reactor| {
            let server = support::server(support::config(), &notes);
            assert!(reactor.listen_tcp("0.0.0.0:25", server).is_ok());
        });
    }
    network.set_name("down.example", [network.host("down").addr()]);
    network.host("down").boot(|_| {});
    let server = names(&network, TestServer::new().zone("example", 60));
    let name_server = network.host("names");
    let at = SocketAddr::new(name_server.addr(), 53);
    name_server.boot(move |reactor| assert!(server.listen(reactor, at).is_ok()));
    network.run_for(Duration::ZERO).unwrap();
    let client = network.host("client");
    let result = task_test_on(&network, &client, move |reactor| async move {
        let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([at]));
        f(reactor, resolver).await
    });
    (result, notes)
}

#[test]
fn by_preference_and_down_to_one_that_answers() {
    let names = |_: &Network, server: TestServer| {
        let server = server
            .data("example.org.", mx(20, "b.example."))
            .data("example.org.", mx(5, "down.example."));
        server.data("example.org.", mx(10, "a.example."))
    };
    let (order, notes) = world(Notes::default(), names, |reactor, resolver| async move {
        let found = exchangers(&reactor, &resolver, "example.org").await.unwrap();
        let order: Vec<_> = found.into_iter().map(|exchanger| exchanger.host).collect();
        let to = envelope(&["bob"]);
        let sent = send_to_domain(&reactor, &resolver, "example.org", config(), to, "x").await;
        assert!(sent.unwrap().is_complete());
        order
    });
    assert_eq!(order, ["down.example", "a.example", "b.example"]);
    assert_eq!(notes.borrow().mails.len(), 1);
}

#[test]
fn domains_without_exchangers() {
    let names = |network: &Network, server: TestServer| {
        server.addr("plain.example.", network.host("a").addr()).data("null.example.", mx(0, "."))
    };
    let (hosts, _) = world(Notes::default(), names, |reactor, resolver| async move {
        let mut hosts = Vec::new();
        for domain in ["plain.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
            let found = exchangers(&reactor, &resolver, domain).await.unwrap();
            hosts.extend(found.into_iter().map(|exchanger| exchanger.host));
        }
        let null = exchangers(&reactor, &resolver, "null.example").await.unwrap_err();
        assert!(matches!(&null, SmtpError::NullMx { .. }), "{null}");
        let none = exchangers(&reactor, &resolver, "none.example").await.unwrap_err();
        assert!(matches!(&none, SmtpError::Lookup { is_temporary: false, .. }), "{none}");
        hosts
    });
    assert_eq!(hosts, ["plain.example", "192.0.2.1", "2001:db8::1"]);
}

#[test]
fn the_order_of_equals_is_random() {
    let names = |_: &Network, server: TestServer| {
        let server = server.data("example.org.", mx(10, "a.example."));
        server.data("example.org.", mx(10, "b.example."))
    };
    let (firsts, _) = world(Notes::default(), names, |reactor, resolver| async move {
        let mut firsts = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let found = exchangers(&reactor, &resolver, "example.org").await.unwrap();
            firsts.insert(found[0].host.clone());
        }
        firsts
    });
    assert_eq!(firsts.len(), 2);
}

#[test]
fn a_message_that_may_have_arrived_is_not_sent_twice() {
    let names = |_: &Network, server: TestServer| {
        let server = server.data("example.org.", mx(10, "a.example."));
        server.data("example.org.", mx(20, "b.example."))
    };
    // The first server takes the message, and says nothing about it for too long.
    let notes = Notes { later: vec!["finish"], ..Notes::default() };
    let (result, notes) = world(notes, names, |reactor, resolver| async move {
        let config = config().end_timeout(Duration::from_secs(1));
        send_to_domain(&reactor, &resolver, "example.org", config, envelope(&["bob"]), "x").await
    });
    let error = result.unwrap_err();
    assert!(error.may_be_delivered() && error.is_temporary(), "{error}");
    assert_eq!(notes.borrow().mails.len(), 1);
}

/// A queue sends to the first exchanger that answers, remembers which did not, and never sends to itself.
#[test]
fn a_queue_sends_to_exchangers() {
    let names = |network: &Network, server: TestServer| {
        network.set_name("plain.example", [network.host("b").addr()]);
        let server = server
            .data("example.org.", mx(5, "down.example."))
            .data("example.org.", mx(10, "a.example."))
            .data("backup.example.", mx(5, "down.example."))
            .data("backup.example.", mx(10, "Relay.example."))
            .data("backup.example.", mx(20, "b.example."))
            .data("loop.example.", mx(10, "relay.example."))
            .data("loop.example.", mx(20, "b.example."));
        server.addr("plain.example.", network.host("b").addr()).data("null.example.", mx(0, "."))
    };
    let ((left, stats), notes) = world(Notes::default(), names, |reactor, resolver| async move {
        let config = ClientConfig::new("relay.example").unwrap().security(Security::None);
        let relay = Relay::new(config).resolver(resolver).idle_max(0);
        let agents = Agents::default().with(SMTP_AGENT, relay);
        let config = QueueConfig::new("relay.example").unwrap();
        let spool = Spool::on(MemoryFiles::default());
        let queue = Queue::open(&reactor, spool, config, agents).await.unwrap();
        for domain in [
            "example.org",
            "backup.example",
            "loop.example",
            "plain.example",
            "null.example",
            "none.example",
            "[IPv6:2001:db8::1]",
        ] {
            let to = Recipient::new(format!("bob@{domain}").parse().unwrap());
            let envelope =
                QueuedEnvelope::new(Sender::new(Some("ann@plain.example".parse().unwrap())));
            queue.submit(envelope.with(QueuedRecipient::remote(to)), "x").await.unwrap();
        }
        reactor.sleep(Duration::from_secs(120)).await;
        let left: Vec<_> = queue
            .list(None, 9)
            .into_iter()
            .map(|message| message.recipients[0].0.address().to_string())
            .collect();
        (left, queue.stats())
    });
    // This host is the second for the one; the other cannot be reached.
    assert_eq!(left, ["bob@backup.example", "bob@[IPv6:2001:db8::1]"]);
    let notes = notes.borrow();
    let mut routes: Vec<_> = notes.mails.iter().map(|mail| mail.to[0].as_str()).collect();
    routes.sort_unstable();
    let ann = "ann@plain.example";
    assert_eq!(routes, [ann, ann, ann, "bob@example.org", "bob@plain.example"]);
    for status in ["Status: 5.4.6\r\n", "Status: 5.1.10\r\n", "Status: 5.1.2\r\n"] {
        let is_there = notes.mails.iter().filter(|mail| mail.text.contains(status)).count();
        assert_eq!(is_there, 1, "{status}");
    }
    assert_eq!((stats.failed, stats.reports), (3, 3));
}
