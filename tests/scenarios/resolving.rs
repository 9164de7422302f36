//! A resolver and three name servers, on a network that loses, duplicates and reorders datagrams, with cuts, pauses, kills and resets. A
//! forger has a hand in each server: wrong responses precede the right one. No lookup is answered wrongly or twice, each ends in its time,
//! and nothing is left.

use std::{
    cell::{Cell, RefCell},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use sinew::{
    dns::{
        client::{DnsConfig, DnsResolver, LookupError},
        codec::{Message, RData, Record, RecordType, encode},
        testing::{Asked, Reaction, TestServer},
    },
    prelude::*,
    sim::{Host, Link, Network, RandomFaults},
    testing::simulate,
};

use crate::{millis, secs, seeds};

/// How long lookups are begun.
const ASKING: u64 = 12;

/// Names that are looked up.
const NAMES: u64 = 40;

/// The address of a name.
fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, number as u8)
}

fn with_address(asked: &Asked, ip: Ipv4Addr) -> Message {
    let mut response = TestServer::new().zone("test", 1).response(&asked.query);
    let name = asked.query.queries[0].name().clone();
    // It is asked for often, since it holds for a second.
    response.answers = vec![Record::from_rdata(name, 1, RData::A(ip.into()))];
    response.metadata.response_code = sinew::dns::codec::ResponseCode::NoError;
    response.authorities.clear();
    response
}

fn bytes(message: &Message) -> Vec<u8> {
    encode(message, 65_535).expect("it is short")
}

/// Answers after some time, behind wrong responses; at times cut, so that TCP follows.
fn server() -> TestServer {
    let counter = Cell::new(0_u64);
    TestServer::new().react(move |asked| {
        counter.set(counter.get() + 1);
        let count = counter.get();
        let number = asked.name()[1..].split('.').next().and_then(|number| number.parse().ok());
        let right = with_address(asked, address(number.expect("the names have numbers")));
        if asked.over_tcp {
            return Reaction::After(
                millis(count % 50),
                Box::new(Reaction::Message(Box::new(right))),
            );
        }
        let forged = with_address(asked, Ipv4Addr::new(203, 0, 113, 66));
        let mut wrong_id = forged.clone();
        wrong_id.metadata.id ^= 1 << (count % 16);
        let mut wrong_name = forged.clone();
        wrong_name.queries[0].set_name("n0.other.".parse().expect("a name"));
        let mut query = forged;
        query.metadata.message_type = sinew::dns::codec::MessageType::Query;
        let wrong = Reaction::Raw([&wrong_id, &wrong_name, &query].map(bytes).to_vec());
        let then = if count.is_multiple_of(7) {
            Reaction::Truncate
        } else {
            Reaction::Message(Box::new(right))
        };
        Reaction::All(vec![wrong, Reaction::After(millis(count % 30), Box::new(then))])
    })
}

/// What the client has seen.
#[derive(Default)]
struct Seen {
    begun: Cell<u64>,
    ended: Cell<u64>,
    answers: Cell<u64>,
    fault: RefCell<Option<String>>,
    resolver: RefCell<Option<DnsResolver>>,
}

fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Seen {
    fn look_up(self: &Rc<Self>, reactor: &Reactor, resolver: &DnsResolver) {
        let number = reactor.random() % NAMES;
        let (seen, began) = (self.clone(), reactor.now());
        count(&self.begun);
        resolver.lookup(&format!("n{number}.test"), RecordType::A).then(move |reactor, answer| {
            count(&seen.ended);
            let took = reactor.now() - began;
            let fault = match &answer {
                Ok(answer) => {
                    count(&seen.answers);
                    let found = answer.records()[0].data.to_string();
                    (found != address(number).to_string()).then(|| format!("n{number} has {found}"))
                }
                Err(LookupError::Failed { .. } | LookupError::TimedOut { .. }) => None,
                Err(error) => Some(format!("n{number}: {error}")),
            };
            // A process that was paused is late.
            let fault = fault.or_else(|| (took > secs(60)).then(|| format!("it took {took:?}")));
            if let Some(fault) = fault {
                seen.fault.borrow_mut().get_or_insert(fault);
            }
        });
    }
}

/// Hosts with servers, and a client that asks them.
fn hosts(network: &Network, seen: &Rc<Seen>) -> (Vec<Host>, Host) {
    let servers: Vec<_> = (0..3).map(|at| network.host(&format!("dns{at}"))).collect();
    for host in &servers {
        let addr = SocketAddr::new(host.addr(), 53);
        host.boot(move |reactor| {
            let _ = server().listen(reactor, addr);
        });
    }
    let client = network.host("client");
    let addrs: Vec<_> = servers.iter().map(|host| SocketAddr::new(host.addr(), 53)).collect();
    let seen = seen.clone();
    client.boot(move |reactor| {
        let config = DnsConfig::default().servers(addrs.clone()).rotate(true).timeout(millis(300));
        let resolver = DnsResolver::new(reactor, config);
        seen.resolver.replace(Some(resolver.clone()));
        let seen = seen.clone();
        let asking =
            reactor.call_every(millis(40), move |reactor| seen.look_up(reactor, &resolver));
        reactor.call_later(secs(ASKING), move |_| {
            let _ = asking.stop();
        });
    });
    (servers, client)
}

fn settle(network: &Network, servers: &[Host]) {
    network.set_random_faults(None);
    network.heal();
    network.run_for(secs(30)).unwrap();
    servers.iter().filter(|host| !host.is_up()).for_each(Host::restart);
    network.run_for(secs(60)).unwrap();
}

fn play(network: &Network, faults: Option<RandomFaults>) -> Rc<Seen> {
    network.set_link(Link::default().loss(0.05).duplicate(0.1).reorder(0.2));
    let seen = Rc::<Seen>::default();
    let (servers, client) = hosts(network, &seen);
    network.set_random_faults(faults);
    network.run_for(secs(ASKING + 1)).unwrap();
    settle(network, &servers);
    assert_eq!(seen.fault.take(), None);
    let stats = client.reactor().stats();
    assert_eq!((stats.tasks, client.descriptors()), (0, 0), "something is left");
    // All is well again.
    let resolver = seen.resolver.take().expect("the client has run");
    let answers = seen.answers.get();
    for _ in 0..5 {
        seen.look_up(&client.reactor(), &resolver);
    }
    network.run_for(secs(30)).unwrap();
    assert_eq!((seen.fault.take(), seen.answers.get()), (None, answers + 5));
    seen
}

#[test]
fn lookups_are_answered_truly() {
    simulate(seeds(), |network| {
        let seen = play(network, None);
        assert_eq!(seen.begun.get(), seen.ended.get());
        assert!(seen.answers.get() * 10 > seen.begun.get() * 9, "too few answers");
    });
}

#[test]
fn lookups_under_faults() {
    simulate(seeds(), |network| {
        let faults = RandomFaults::every(secs(1)).cuts().one_way_cuts().pauses().resets().kills();
        play(network, Some(faults));
    });
}
