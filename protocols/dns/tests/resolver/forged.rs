//! Responses that are not those to the question, and forgers off the path.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew_dns::{
    client::DnsConfig,
    codec::{Message, RData, Record, RecordType, cookie, encode, rdata},
    testing::{Asked, Reaction, TestServer},
};
use sinew_testkit::{
    sim::Link,
    testing::{for_seeds, seeds},
};

use crate::support::{World, asking};

fn bytes(message: &Message) -> Vec<u8> {
    encode(message, 65_535).unwrap()
}

fn server() -> TestServer {
    TestServer::new().addr("a.example", [192, 0, 2, 1]).zone("example", 60)
}

/// The response with the address of the forger.
fn forged(asked: &Asked) -> Message {
    let mut response = server().response(&asked.query);
    let name = asked.query.queries[0].name().clone();
    response.answers = vec![Record::from_rdata(
        name,
        86_400,
        RData::A(std::net::Ipv4Addr::new(203, 0, 113, 66).into()),
    )];
    response
}

fn address(world: &World, config: DnsConfig) -> String {
    let answer = world.get(world.resolver(config).lookup("a.example", RecordType::A)).unwrap();
    answer.records()[0].data.to_string()
}

#[test]
fn wrong_id() {
    let world = World::new(1);
    let host = world.server(
        "server",
        &server().react(|asked| {
            let wrong = (1..10).map(|by| {
                let mut response = forged(asked);
                response.metadata.id = response.metadata.id.wrapping_add(by);
                bytes(&response)
            });
            Reaction::All(vec![Reaction::Raw(wrong.collect()), Reaction::Usual])
        }),
    );
    assert_eq!(address(&world, asking(&[&host])), "192.0.2.1");
}

#[test]
fn wrong_source() {
    let world = World::new(20);
    let forger = TestServer::new();
    world.server("forger", &forger);
    let (client, of_server) = (world.client.addr(), forger.clone());
    let host = world.server(
        "server",
        &server().react(move |asked| {
            // All of it is right but the source.
            let port = asked.from.map_or(0, |from| from.port());
            of_server.send_to(&bytes(&forged(asked)), (client, port).into());
            Reaction::After(Duration::from_millis(200), Box::new(Reaction::Usual))
        }),
    );
    assert_eq!(address(&world, asking(&[&host])), "192.0.2.1");
}

#[test]
fn wrong_question() {
    let world = World::new(2);
    let host = world.server(
        "server",
        &server().react(|asked| {
            let mut response = forged(asked);
            response.queries[0].set_name("b.example.".parse().unwrap());
            let mut other_type = forged(asked);
            other_type.queries[0].set_query_type(RecordType::AAAA);
            let mut none = forged(asked);
            none.queries.clear();
            let raw = [&response, &other_type, &none].map(bytes).to_vec();
            Reaction::All(vec![
                Reaction::Raw(raw),
                Reaction::Raw(vec![vec![], vec![0; 11], vec![0xff; 600]]),
                Reaction::Usual,
            ])
        }),
    );
    assert_eq!(address(&world, asking(&[&host])), "192.0.2.1");
}

#[test]
fn wrong_case() {
    let world = World::new(3);
    let server = server().react(|asked| {
        let mut response = forged(asked);
        let lower = response.queries[0].name().to_lowercase();
        response.queries[0].set_name(lower);
        Reaction::All(vec![Reaction::Message(Box::new(response)), Reaction::Usual])
    });
    let host = world.server("server", &server);
    assert_eq!(address(&world, asking(&[&host]).random_case(true)), "192.0.2.1");
    assert_ne!(server.asked()[0].query.queries[0].name().to_ascii(), "a.example.");
}

#[test]
fn too_many_wrong_responses_lead_to_tcp() {
    let world = World::new(4);
    let server = server().react(|asked| {
        if asked.over_tcp {
            return Reaction::Usual;
        }
        let mut response = forged(asked);
        response.metadata.id ^= 1;
        Reaction::Raw(vec![bytes(&response); 17])
    });
    let host = world.server("server", &server);
    assert_eq!(address(&world, asking(&[&host])), "192.0.2.1");
    assert_eq!(server.asked().len(), 2);
}

/// The server has sent a cookie, so a datagram without one is not believed (RFC 7873, section 5.3), even if port and identifier are right.
#[test]
fn a_forger_that_leaves_the_cookie_out() {
    let world = World::new(7);
    let questions = Rc::<Cell<u32>>::default();
    let of_server = questions.clone();
    let server = server().react(move |asked| {
        of_server.set(of_server.get() + 1);
        let with_cookie = Reaction::Message(Box::new(with_cookie(asked)));
        if asked.over_tcp || of_server.get() == 1 {
            return with_cookie;
        }
        let mut forged = forged(asked);
        forged.edns = None;
        Reaction::All(vec![Reaction::Message(Box::new(forged)), with_cookie])
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).cookies(true));
    for question in 1..=3 {
        let answer = world.get(resolver.lookup("a.example", RecordType::A)).unwrap();
        assert_eq!(answer.records()[0].data.to_string(), "192.0.2.1", "question {question}");
        resolver.clear_cache();
    }
    assert_eq!((questions.get(), resolver.stats().wrong_responses), (5, 2));
}

#[test]
fn a_server_that_sends_cookies_no_more_is_asked_over_tcp() {
    let world = World::new(8);
    let is_first = Cell::new(true);
    let server = server().react(move |asked| {
        if is_first.replace(false) {
            return Reaction::Message(Box::new(with_cookie(asked)));
        }
        Reaction::Usual
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).cookies(true));
    for _ in 0..2 {
        let answer = world.get(resolver.lookup("a.example", RecordType::A)).unwrap();
        assert_eq!(answer.records()[0].data.to_string(), "192.0.2.1");
        resolver.clear_cache();
    }
    let over_tcp: Vec<_> = server.asked().iter().map(|asked| asked.over_tcp).collect();
    assert_eq!(over_tcp, [false, false, true]);
}

/// The usual response, with the cookie of the query and eight bytes of the server.
fn with_cookie(asked: &Asked) -> Message {
    let mut response = server().response(&asked.query);
    let ours = cookie(&asked.query).unwrap_or_default();
    let whole = [&ours[..8], &[7; 8]].concat();
    let edns = response.edns.get_or_insert_default();
    edns.options_mut().insert(rdata::opt::EdnsOption::Unknown(10, whole));
    response
}

#[test]
fn late_second_answer() {
    let world = World::new(5);
    let host = world.server(
        "server",
        &server().react(|asked| {
            let late = Reaction::Message(Box::new(forged(asked)));
            Reaction::All(vec![
                Reaction::Usual,
                Reaction::After(Duration::from_millis(10), Box::new(late)),
            ])
        }),
    );
    let resolver = world.resolver(asking(&[&host]));
    for _ in 0..2 {
        let answer = world.get(resolver.lookup("a.example", RecordType::A)).unwrap();
        assert_eq!(answer.records()[0].data.to_string(), "192.0.2.1");
        world.pass(1);
    }
}

#[test]
fn malformed_responses_fail_that_server() {
    let world = World::new(6);
    let bad = server().react(|asked| {
        let mut response = bytes(&forged(asked));
        let len = response.len();
        response.truncate(len - 3);
        Reaction::Raw(vec![response])
    });
    let (first, second) = (world.server("first", &bad), world.server("second", &server()));
    assert_eq!(address(&world, asking(&[&first, &second])), "192.0.2.1");
    assert_eq!(bad.asked().len(), 1);
}

/// A forger on another host cannot see the questions. It knows when one is asked, and the name, and sends responses from the address of the
/// server, to random ports with random identifiers.
fn attacked(seed: u64) {
    let world = World::new(seed);
    let link = Link::default().loss(0.05).duplicate(0.1).reorder(0.1);
    world.network.set_link(link);
    let last = Rc::<RefCell<Option<(Asked, u32)>>>::default();
    let of_server = last.clone();
    let real = server().react(move |asked| {
        of_server.replace(Some((asked.clone(), 40)));
        Reaction::After(Duration::from_millis(30), Box::new(Reaction::Usual))
    });
    let host = world.server("server", &real);
    let resolver = world.resolver(asking(&[&host]));
    // Datagrams of the forger bear the server's address: they are sent by that host, from the same port, by another socket's hand.
    let reactor = host.reactor();
    let forging = reactor.call_every(Duration::from_millis(1), {
        let client = world.client.addr();
        let real = real.clone();
        move |reactor| {
            let mut last = last.borrow_mut();
            let Some((asked, tries)) = last.as_mut().filter(|(_, tries)| *tries > 0) else {
                return;
            };
            *tries -= 1;
            for guess in 0..4 {
                let mut response = forged(asked);
                let random = reactor.random();
                // Sometimes the port is right and the identifier is not, or the other way round; never both.
                let real_port = asked.from.map_or(0, |from| from.port());
                let port =
                    if guess % 2 == 0 { real_port } else { 32_768 + (random % 32_768) as u16 };
                if port == real_port || guess == 1 {
                    response.metadata.id = (random >> 16) as u16;
                    if response.metadata.id == asked.query.metadata.id {
                        continue;
                    }
                }
                real.send_to(&bytes(&response), (client, port).into());
            }
        }
    });
    for at in 0..10 {
        let answer = world.get(resolver.lookup("a.example", RecordType::A));
        if let Ok(answer) = answer {
            let data = answer.records()[0].data.to_string();
            assert_eq!(data, "192.0.2.1", "seed {seed}, question {at}");
        }
        resolver.clear_cache();
    }
    assert!(resolver.stats().wrong_responses > 0, "seed {seed}: the forger hit no port");
    forging.stop();
}

/// `SINEW_SEEDS=1000` for many.
#[test]
fn a_forger_that_guesses_wrong_never_wins() {
    for_seeds(seeds(0..20), attacked);
}
