//! A forger off the path, against the servers of every zone on the way.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_dns::{
    codec::{Message, RecordType, ResponseCode, encode},
    testing::{Asked, Reaction, TestServer},
};
use sinew_testkit::{
    sim::Link,
    testing::{for_seeds, seeds},
};

use crate::hierarchy::{Tree, a, ns};

/// What a server of the usual zones responds, after a while.
fn real(tree: &Tree, host: &'static str) -> impl Fn(&Asked) -> Reaction + use<> {
    let (tld, example) = (tree.ip("tld"), tree.ip("example"));
    move |asked| {
        let mut response = TestServer::new().response(&asked.query);
        response.metadata.response_code = ResponseCode::NoError;
        match host {
            "root" => {
                response.add_authority(ns("test.", "ns.test."));
                response.add_additional(a("ns.test.", tld));
            }
            "tld" => {
                response.add_authority(ns("example.test.", "ns.example.test."));
                response.add_additional(a("ns.example.test.", example));
            }
            _ => {
                response.metadata.authoritative = true;
                response.add_answer(a(&asked.name(), [192, 0, 2, 1].into()));
            }
        }
        Reaction::After(Duration::from_millis(30), Box::new(Reaction::Message(Box::new(response))))
    }
}

/// The response of the forger: that the name is elsewhere, and the servers of all zones as well.
fn forged(asked: &Asked, evil: std::net::IpAddr) -> Message {
    let mut response = TestServer::new().response(&asked.query);
    response.metadata.authoritative = true;
    response.metadata.response_code = ResponseCode::NoError;
    response.answers = vec![a(&asked.name(), [203, 0, 113, 66].into())];
    for zone in ["test.", "example.test."] {
        response.add_authority(ns(zone, "ns.evil.test."));
    }
    response.add_additional(a("ns.evil.test.", evil));
    response
}

/// It knows each question and when it is asked, and sends responses from the address of the server, but cannot see port and identifier both.
fn attacked(seed: u64) {
    let tree = Tree::bare(seed);
    tree.world.network.set_link(Link::default().loss(0.02).duplicate(0.1).reorder(0.1));
    let (client, evil) = (tree.world.client.addr(), tree.ip("evil"));
    let mut forgers = Vec::new();
    for host in ["root", "tld", "example"] {
        let last = Rc::<RefCell<Option<(Asked, u32)>>>::default();
        let (of_server, real) = (last.clone(), real(&tree, host));
        let noted = TestServer::new().react(move |asked| {
            of_server.replace(Some((asked.clone(), 40)));
            real(asked)
        });
        tree.serve_test(host, &noted);
        let forging =
            tree.host(host).reactor().call_every(Duration::from_millis(1), move |reactor| {
                let mut last = last.borrow_mut();
                let Some((asked, tries)) = last.as_mut().filter(|(_, tries)| *tries > 0) else {
                    return;
                };
                *tries -= 1;
                for guess in 0..4 {
                    let mut response = forged(asked, evil);
                    let random = reactor.random();
                    let real_port = asked.from.map_or(0, |from| from.port());
                    let port =
                        if guess % 2 == 0 { real_port } else { 32_768 + (random % 32_768) as u16 };
                    if port == real_port {
                        response.metadata.id = (random >> 16) as u16;
                        if response.metadata.id == asked.query.metadata.id {
                            continue;
                        }
                    }
                    noted.send_to(&encode(&response, 65_535).unwrap(), (client, port).into());
                }
            });
        forgers.push(forging);
    }
    let resolver = tree.usual();
    for at in 0..5 {
        if let Ok(found) = tree.ask(&resolver, "www.example.test.", RecordType::A) {
            let data = found.records()[0].data.to_string();
            assert_eq!(data, "192.0.2.1", "seed {seed}, question {at}");
        }
        resolver.clear_cache();
    }
    let stats = resolver.stats();
    assert!(stats.wrong_responses > 0, "seed {seed}: the forger hit no port: {stats:?}");
    for forging in forgers {
        forging.stop();
    }
}

/// `SINEW_SEEDS=1000` for many.
#[test]
fn a_forger_that_guesses_wrong_never_wins() {
    for_seeds(seeds(0..20), attacked);
}
