//! Mail exchangers, in a simulated network with a name server.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_dns::{
    client::{DnsConfig, DnsResolver},
    codec::{
        RData,
        rdata::{CNAME, MX},
    },
    testing::TestServer,
};
use sinew_mail::{
    queue::{
        Agents, Attempt, AttemptResult, DeliveryAgent, Fate, MemoryFiles, Queue, QueueConfig,
        QueuedEnvelope, QueuedRecipient, Relay, SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Security, SmtpError, exchangers, send_to_domain},
        codec::{Recipient, Sender},
    },
};
use sinew_testkit::{sim::Network, testing::task_test_on};
use sinew_transports::{
    ReactorTcp,
    reactor::{Deferred, Reactor},
};

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

/// Aliases that lead in a circle are no answer that another question would change, unlike a name server that fails.
#[test]
fn mx_cname_loop() {
    let alias = |name: &str| RData::CNAME(CNAME(name.parse().unwrap()));
    let names = move |_: &Network, server: TestServer| {
        server
            .data("one.example.", alias("two.example."))
            .data("two.example.", alias("one.example."))
            .data("self.example.", alias("self.example."))
            .data("alias.example.", alias("mail.example."))
            .data("mail.example.", mx(5, "a.example."))
    };
    let (errors, _) = world(Notes::default(), names, |reactor, resolver| async move {
        let found = exchangers(&reactor, &resolver, "alias.example").await.unwrap();
        assert_eq!(found[0].host, "a.example");
        let mut errors = Vec::new();
        for domain in ["one.example", "self.example"] {
            errors.push(exchangers(&reactor, &resolver, domain).await.unwrap_err());
        }
        errors
    });
    for error in errors {
        assert!(matches!(&error, SmtpError::Lookup { is_temporary: false, .. }), "{error:?}");
    }
    let domains = &["one.example", "alias.example"];
    let (fates, _) = fates(domains, names, |relay, _| relay.allow(["10.0.0.0/8".parse().unwrap()]));
    assert_eq!((&*fates["one.example"], &*fates["alias.example"]), ("5.1.2", "sent"));
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
        let relay = Relay::new(config)
            .resolver(resolver)
            .idle_max(0)
            .allow(["10.0.0.0/8".parse().unwrap()]);
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
    // This host is the second for it, and the first cannot be reached.
    assert_eq!(left, ["bob@backup.example"]);
    let notes = notes.borrow();
    let mut routes: Vec<_> = notes.mails.iter().map(|mail| mail.to[0].as_str()).collect();
    routes.sort_unstable();
    let ann = "ann@plain.example";
    assert_eq!(routes, [ann, ann, ann, ann, "bob@example.org", "bob@plain.example"]);
    for status in
        ["Status: 5.4.4\r\n", "Status: 5.4.6\r\n", "Status: 5.1.10\r\n", "Status: 5.1.2\r\n"]
    {
        let is_there = notes.mails.iter().filter(|mail| mail.text.contains(status)).count();
        assert_eq!(is_there, 1, "{status}");
    }
    assert_eq!((stats.failed, stats.reports), (4, 4));
}

type Fates = Rc<RefCell<BTreeMap<String, String>>>;

/// A relay, and what its first attempt for each domain has come to.
struct Noting(Relay, Fates);

impl DeliveryAgent for Noting {
    fn destination(&self, to: &QueuedRecipient) -> String {
        self.0.destination(to)
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let domain = attempt.recipients()[0].address().domain().to_owned();
        let fates = Rc::clone(&self.1);
        self.0.deliver(reactor, attempt).map(move |result| {
            if let Ok(result) = &result {
                let fate = match &result.fates()[0] {
                    Fate::Relayed { .. } => "sent".to_owned(),
                    Fate::Failed(status) | Fate::Delayed(status) => status.code().to_string(),
                    fate => panic!("{fate:?}"),
                };
                fates.borrow_mut().entry(domain).or_insert(fate);
            }
            result
        })
    }
}

/// What the first attempt for each domain comes to, and how many connections the two servers have had.
fn fates(
    domains: &'static [&'static str],
    names: impl FnOnce(&Network, TestServer) -> TestServer,
    relay: impl FnOnce(Relay, IpAddr) -> Relay + 'static,
) -> (BTreeMap<String, String>, usize) {
    let own = Rc::new(RefCell::new(None));
    let place = Rc::clone(&own);
    let names = move |network: &Network, server| {
        *place.borrow_mut() = Some(network.host("client").addr());
        network.set_name("me.example", [network.host("client").addr()]);
        names(network, server)
    };
    let (fates, notes) = world(Notes::default(), names, move |reactor, resolver| async move {
        let config = ClientConfig::new("relay.example").unwrap().security(Security::None);
        let made = Relay::new(config).resolver(resolver).idle_max(0);
        let made = relay(made, own.borrow().unwrap());
        let fates = Fates::default();
        let agents = Agents::default().with(SMTP_AGENT, Noting(made, Rc::clone(&fates)));
        let config = QueueConfig::new("relay.example").unwrap();
        let queue = Queue::open(&reactor, Spool::on(MemoryFiles::default()), config, agents);
        let queue = queue.await.unwrap();
        for domain in domains {
            let to = Recipient::new(format!("bob@{domain}").parse().unwrap());
            let envelope = QueuedEnvelope::new(Sender::new(None));
            queue.submit(envelope.with(QueuedRecipient::remote(to)), "x").await.unwrap();
        }
        reactor.sleep(Duration::from_secs(60)).await;
        fates.take()
    });
    let connections = notes.borrow().connections;
    (fates, connections)
}

/// A host is this one by its address, whatever its name is: RFC 5321 5.1 counts for it, and no mail comes back.
#[test]
fn mail_does_not_loop_back_by_an_address() {
    let domains = &[
        "best.example",
        "equal.example",
        "second.example",
        "down-first.example",
        "me.example",
        "[127.0.0.1]",
        "[127.9.9.9]",
        "[0.0.0.0]",
        "[IPv6:::1]",
        "[IPv6:::ffff:127.0.0.1]",
        "localhost.example",
    ];
    let names = |network: &Network, server: TestServer| {
        network.set_name("localhost.example", [IpAddr::from([127, 0, 0, 1])]);
        server
            .data("best.example.", mx(5, "me.example."))
            .data("best.example.", mx(20, "a.example."))
            .data("equal.example.", mx(10, "a.example."))
            .data("equal.example.", mx(10, "me.example."))
            .data("second.example.", mx(5, "a.example."))
            .data("second.example.", mx(10, "me.example."))
            .data("down-first.example.", mx(5, "down.example."))
            .data("down-first.example.", mx(10, "me.example."))
            .data("down-first.example.", mx(20, "a.example."))
            .addr("me.example.", network.host("client").addr())
            .addr("localhost.example.", IpAddr::from([127, 0, 0, 1]))
    };
    // What is allowed does not matter to this host's own addresses.
    let relay = |relay: Relay, own: IpAddr| {
        let allowed = ["10.0.0.0/8", "127.0.0.0/8", "::/0"].map(|subnet| subnet.parse().unwrap());
        relay.own_addresses(move || vec![own]).allow(allowed)
    };
    let (fates, connections) = fates(domains, names, relay);
    for domain in domains {
        let expected = match *domain {
            "second.example" => "sent",
            "down-first.example" => "4.4.1",
            _ => "5.4.6",
        };
        assert_eq!(fates.get(*domain).map(String::as_str), Some(expected), "{domain}");
    }
    assert_eq!(connections, 1);
}

/// A stranger's domain leads nowhere in a private network, unless that is allowed, or a route names the host.
#[test]
fn addresses_that_are_not_public_are_not_connected_to() {
    let domains =
        &["plain.example", "mx.example", "both.example", "[10.0.0.1]", "[169.254.169.254]"];
    let names = |network: &Network, server: TestServer| {
        let a = network.host("a").addr();
        network.set_name("plain.example", [a]);
        server
            .addr("plain.example.", a)
            .data("mx.example.", mx(5, "a.example."))
            .data("both.example.", mx(5, "a.example."))
            .data("both.example.", mx(5, "b.example."))
    };
    let (refused, connections) = fates(domains, names, |relay, _| relay);
    let expected = domains.iter().map(|domain| ((*domain).to_owned(), "5.4.4".to_owned()));
    assert_eq!((refused, connections), (expected.collect(), 0));

    let (allowed, connections) = fates(&["mx.example", "both.example"], names, |relay, _| {
        relay.allow(["10.0.0.0/8".parse().unwrap()])
    });
    assert!(allowed.values().all(|fate| fate == "sent") && connections == 2, "{allowed:?}");

    let route = |relay: Relay, _| relay.route("[10.0.0.1]", "a.example:25", None);
    let (routed, connections) = fates(&["[10.0.0.1]", "mx.example"], names, route);
    assert_eq!((&*routed["[10.0.0.1]"], &*routed["mx.example"], connections), ("sent", "5.4.4", 1));
}
