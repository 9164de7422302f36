//! From the root down: which server is asked what.

use std::{net::SocketAddr, time::Duration};

use sinew_dns::{
    codec::{Question, RData, Record, RecordType, ResponseCode, rdata},
    server::{DnsServer, Handled, Handler, Query, Response},
};

use crate::hierarchy::{Tree, a, is_below, name, ns, referral, zone, zones};

#[test]
fn from_the_root_down() {
    let tree = Tree::new(1);
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
    assert_eq!(tree.asked("root"), ["test. A"]);
    assert_eq!(tree.asked("tld"), ["example.test. A"]);
    assert_eq!(tree.asked("example"), ["www.example.test. A"]);
    // From the cache; and from the lowest zone that is known.
    assert_eq!(tree.data(&resolver, "WWW.example.test."), ["192.0.2.1"]);
    assert_eq!(tree.data(&resolver, "www.sub.example.test."), ["192.0.2.5"]);
    assert_eq!([tree.asked("root"), tree.asked("tld")].concat(), [""; 0]);
    assert_eq!(tree.asked("example"), ["sub.example.test. A"]);
    let stats = resolver.stats();
    assert_eq!((stats.lookups, stats.cache_hits, stats.udp_queries), (3, 1, 5));
    assert_eq!((stats.delegations, stats.cached, stats.failures), (3, 2, 0));
}

#[test]
fn minimisation_shows_the_root_no_full_name() {
    let tree = Tree::new(2);
    let resolver = tree.usual();
    let found = tree.ask(&resolver, "a.b.c.d.example.test.", RecordType::TXT).unwrap();
    assert_eq!(found.records().len(), 1);
    assert_eq!(tree.asked("root"), ["test. A"]);
    assert_eq!(tree.asked("tld"), ["example.test. A"]);
    let parts = [
        "d.example.test. A",
        "c.d.example.test. A",
        "b.c.d.example.test. A",
        "a.b.c.d.example.test. TXT",
    ];
    assert_eq!(tree.asked("example"), parts);
    // What is known of the parts is not asked again.
    tree.ask(&resolver, "other.b.c.d.example.test.", RecordType::TXT).unwrap();
    assert_eq!(tree.asked("example"), ["other.b.c.d.example.test. TXT"]);
    let open = tree.resolver(tree.config().minimise(false));
    tree.ask(&open, "a.b.c.d.example.test.", RecordType::TXT).unwrap();
    assert_eq!(tree.asked("root"), ["a.b.c.d.example.test. TXT"]);
}

#[test]
fn minimisation_gives_way_to_servers_that_get_it_wrong() {
    for code in
        [ResponseCode::NXDomain, ResponseCode::Refused, ResponseCode::FormErr, ResponseCode::NotImp]
    {
        let tree = Tree::new(3);
        let usual = zones([tree.example()]);
        tree.serve("example", move |query: &Query<'_>| {
            if !query.is(&name("c.d.example.test.")) {
                return usual.handle(query);
            }
            let soa = rdata::SOA::new(name("ns."), name("me."), 1, 1, 1, 1, 60);
            let soa = Record::from_rdata(name("example.test."), 60, RData::SOA(soa));
            Response::code(code).authority(soa).into()
        });
        let resolver = tree.usual();
        let found = tree.ask(&resolver, "a.b.c.d.example.test.", RecordType::TXT).unwrap();
        assert_eq!(found.records().len(), 1, "{code}");
        assert!(tree.asked("example").len() <= 5, "{code}");
        // That the part does not exist was not believed.
        let found = tree.ask(&resolver, "a.b.c.d.example.test.", RecordType::MX).unwrap();
        assert_eq!(found.code(), ResponseCode::NoError, "{code}");
    }
}

/// Some servers know nothing of names without records that have names below them.
#[test]
fn minimisation_gives_way_to_servers_that_do_not_answer_parts() {
    for is_silent in [true, false] {
        let tree = Tree::new(21);
        let usual = zones([tree.example()]);
        tree.serve("example", move |query: &Query<'_>| -> Handled {
            match query.is(&name("c.d.example.test.")) {
                true if is_silent => Handled::Drop,
                true => Response::new().authoritative(false).into(),
                false => usual.handle(query),
            }
        });
        let resolver = tree.usual();
        let found = tree.ask(&resolver, "a.b.c.d.example.test.", RecordType::TXT).unwrap();
        assert_eq!(found.records().len(), 1);
        assert_eq!(
            tree.asked("example"),
            ["d.example.test. A", "c.d.example.test. A", "a.b.c.d.example.test. TXT"]
        );
        // The servers are still known.
        tree.asked("tld");
        assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
        assert_eq!(tree.asked("tld"), [""; 0]);
    }
}

#[test]
fn servers_without_glue_are_looked_up() {
    let tree = Tree::new(4);
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.glueless.test."), ["192.0.2.4"]);
    assert_eq!(tree.asked("tld"), ["glueless.test. A", "provider.net. A"]);
    assert_eq!(tree.asked("provider"), ["ns.provider.net. A", "www.glueless.test. A"]);
}

#[test]
fn aliases_in_and_out_of_the_zone() {
    let tree = Tree::new(5);
    let resolver = tree.usual();
    let found = tree.ask(&resolver, "alias.example.test.", RecordType::A).unwrap();
    assert_eq!(found.canonical_name(), &name("www.example.test."));
    assert_eq!((found.aliases().len(), found.records().len()), (1, 1));
    assert_eq!(tree.data(&resolver, "out.example.test."), ["192.0.2.3"]);
    // An alias is known for all types, and is an answer itself.
    tree.asked("example");
    let found = tree.ask(&resolver, "out.example.test.", RecordType::MX).unwrap();
    assert_eq!((found.aliases().len(), found.records().len()), (1, 0));
    let found = tree.ask(&resolver, "out.example.test.", RecordType::CNAME).unwrap();
    assert_eq!((found.aliases().len(), found.records().len()), (0, 1));
    assert_eq!(tree.asked("example"), [""; 0]);
    let found = tree.ask(&resolver, "gone.example.test.", RecordType::A).unwrap();
    assert_eq!(found.code(), ResponseCode::NXDomain);
    assert_eq!((found.answers().len(), found.authorities().len()), (1, 1));
}

#[test]
fn that_there_is_nothing_is_an_answer() {
    let tree = Tree::new(6);
    let resolver = tree.usual();
    let found = tree.ask(&resolver, "none.example.test.", RecordType::A).unwrap();
    assert_eq!(found.code(), ResponseCode::NXDomain);
    assert_eq!(found.authorities()[0].ttl, 60);
    let found = tree.ask(&resolver, "www.example.test.", RecordType::MX).unwrap();
    assert_eq!((found.code(), found.records().len()), (ResponseCode::NoError, 0));
    tree.asked("example");
    tree.world.pass(20);
    // Nothing is below a name that does not exist (RFC 8020).
    let found = tree.ask(&resolver, "below.none.example.test.", RecordType::TXT).unwrap();
    assert_eq!((found.code(), found.authorities()[0].ttl), (ResponseCode::NXDomain, 40));
    assert_eq!(tree.asked("example"), [""; 0]);
    tree.world.pass(41);
    tree.ask(&resolver, "none.example.test.", RecordType::A).unwrap();
    assert_eq!(tree.asked("example"), ["none.example.test. A"]);
}

#[test]
fn answers_and_delegations_live_as_long_as_their_ttl() {
    let tree = Tree::new(7);
    let resolver = tree.usual();
    tree.data(&resolver, "www.example.test.");
    tree.world.pass(200);
    let found = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap();
    assert_eq!(found.records()[0].ttl, 100);
    tree.world.pass(101);
    ["root", "tld", "example"].iter().for_each(|host| drop(tree.asked(host)));
    tree.data(&resolver, "www.example.test.");
    assert_eq!(tree.asked("root"), ["test. A"]);
    assert_eq!(tree.asked("example"), ["www.example.test. A"]);
}

#[test]
fn tc_then_tcp() {
    let tree = Tree::new(8);
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "many.example.test.").len(), 100);
    assert_eq!(tree.asked("example"), ["many.example.test. A", "many.example.test. A over TCP"]);
    assert_eq!(resolver.stats().tcp_queries, 1);
}

#[test]
fn the_root_is_asked_for_its_servers() {
    let tree = Tree::new(9);
    let resolver = tree.resolver(tree.config().priming(true));
    tree.data(&resolver, "www.example.test.");
    let mut asked = tree.asked("root");
    asked.sort();
    assert_eq!(asked, [". NS", "test. A"]);
    tree.data(&resolver, "www.provider.net.");
    assert_eq!(tree.asked("root"), ["net. A"]);
    assert_eq!(resolver.stats().delegations, 5, "the root is one of them");
    // Its time is over.
    tree.world.pass(301);
    tree.data(&resolver, "www.example.test.");
    assert_eq!(tree.asked("root").len(), 2);
}

#[test]
fn ds_records_are_asked_of_the_zone_above() {
    let tree = Tree::new(10);
    let resolver = tree.usual();
    tree.data(&resolver, "www.example.test.");
    tree.asked("tld");
    let found = tree.ask(&resolver, "example.test.", RecordType::DS).unwrap();
    assert_eq!((found.code(), found.records().len()), (ResponseCode::NoError, 0));
    assert_eq!(found.authorities()[0].name, name("test."));
    assert_eq!(tree.asked("tld"), ["example.test. DS"]);
}

#[test]
fn the_next_server_when_one_is_silent() {
    let tree = Tree::new(11);
    let second = tree.ip("second");
    let test = zone(
        "test.",
        &format!(
            "@ NS ns\nns A {}\nexample NS ns.example\nexample NS ns2.example\nns.example A {}\nns2.example A {second}\n",
            tree.ip("tld"),
            tree.ip("example")
        ),
    );
    tree.serve("tld", zones([test]));
    tree.serve("second", zones([tree.example()]));
    tree.host("example").power_off();
    let resolver = tree.usual();
    for at in 0..20 {
        let question = Question::new(name(&format!("n{at}.example.test.")), RecordType::A);
        let (found, took) = tree.world.wait(resolver.look_up(question));
        assert_eq!(found.unwrap().code(), ResponseCode::NXDomain);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    assert!(resolver.stats().unanswered <= 2, "{:?}", resolver.stats());
}

#[test]
fn lame_server_skipped() {
    let tree = Tree::new(12);
    let (example, second) = (tree.ip("example"), tree.ip("second"));
    let test = zone(
        "test.",
        &format!(
            "@ NS ns\nns A {example}\nexample NS ns.example\nexample NS ns2.example\nns.example A {example}\nns2.example A {second}\n"
        ),
    );
    tree.serve("tld", zones([test]));
    // It knows nothing of the zone, and says so in another way each time.
    let turn = std::cell::Cell::new(0);
    tree.serve("second", move |_: &Query<'_>| -> Handled {
        turn.set(turn.get() + 1);
        match turn.get() % 3 {
            0 => ResponseCode::Refused.into(),
            1 => ResponseCode::ServFail.into(),
            _ => Response::new().authoritative(false).into(),
        }
    });
    let resolver = tree.usual();
    for at in 0..30 {
        let found = tree.ask(&resolver, &format!("n{at}.example.test."), RecordType::A).unwrap();
        assert_eq!(found.code(), ResponseCode::NXDomain);
    }
    let first = tree.asked("second").len();
    assert!(first <= 1, "{first}");
    // In between it has another chance.
    tree.world.pass(31);
    for at in 30..60 {
        tree.ask(&resolver, &format!("n{at}.example.test."), RecordType::A).unwrap();
    }
    assert!(tree.asked("second").len() <= 1);
}

#[test]
fn names_that_are_not_asked_for() {
    let tree = Tree::new(13);
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "a.localhost."), ["127.0.0.1"]);
    for special in ["printer.local.", "a.invalid.", "a.onion.", "127.1."] {
        let found = tree.ask(&resolver, special, RecordType::A).unwrap();
        assert_eq!(found.code(), ResponseCode::NXDomain, "{special}");
    }
    assert_eq!(tree.asked("root"), [""; 0]);
}

#[test]
fn a_zone_on_the_server_of_its_parent() {
    let tree = Tree::new(14);
    tree.serve("tld", zones([tree.test(), tree.example()]));
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
    assert!(tree.asked("tld").iter().all(|asked| is_question_of(asked)));
}

fn is_question_of(asked: &str) -> bool {
    asked.ends_with(".test. A")
}

#[test]
fn questions_for_everything_below_a_silent_zone_fail() {
    let tree = Tree::new(15);
    let usual = zones([tree.test()]);
    tree.serve("tld", move |query: &Query<'_>| {
        if is_below(query, "example.test.") { Handled::Drop } else { usual.handle(query) }
    });
    let resolver = tree.usual();
    let error = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().contains("no server of the zone test."), "{error}");
    // It fails again without a query, for some seconds (RFC 9520).
    let asked = tree.asked("tld").len();
    assert_eq!(asked, 2);
    tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert_eq!(tree.asked("tld").len(), 0);
    tree.world.pass(6);
    tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert_eq!(tree.asked("tld").len(), 2);
}

#[test]
fn a_server_that_refers_to_the_zone_itself_for_its_ds_records() {
    let tree = Tree::new(16);
    let (usual, example) = (zones([tree.test()]), tree.ip("example"));
    tree.serve("tld", move |query: &Query<'_>| -> Handled {
        if query.record_type() == RecordType::DS {
            let glue = [a("ns.example.test.", example)];
            return referral(&[ns("example.test.", "ns.example.test.")], &glue).into();
        }
        usual.handle(query)
    });
    let error = tree.ask(&tree.usual(), "example.test.", RecordType::DS).unwrap_err();
    assert!(error.to_string().contains("refers to other servers"), "{error}");
    assert_eq!(tree.asked("example"), [""; 0]);
}

#[test]
fn servers_that_have_changed_are_asked_for_again() {
    let tree = Tree::new(17);
    let resolver = tree.usual();
    tree.data(&resolver, "www.example.test.");
    // The zone has moved to another server.
    let moved = format!(
        "@ NS ns\nns A {}\nexample NS ns.example\nns.example A {}\n",
        tree.ip("tld"),
        tree.ip("spare")
    );
    tree.serve("tld", zones([zone("test.", &moved)]));
    tree.serve("spare", zones([tree.example()]));
    tree.serve("example", |_: &Query<'_>| Handled::from(ResponseCode::Refused));
    tree.asked("tld");
    let found = tree.ask(&resolver, "alias.example.test.", RecordType::CNAME).unwrap();
    assert_eq!(found.records().len(), 1);
    assert_eq!(tree.asked("tld"), ["example.test. A"]);
    // If they have not changed, they are not asked again.
    tree.serve("spare", |_: &Query<'_>| Handled::from(ResponseCode::Refused));
    tree.asked("spare");
    tree.ask(&resolver, "other.example.test.", RecordType::A).unwrap_err();
    assert_eq!(tree.asked("tld"), ["example.test. A"]);
    assert_eq!(tree.asked("spare").len(), 1);
}

#[test]
fn servers_in_another_order_have_not_changed() {
    let tree = Tree::new(20);
    let (example, second) = (tree.ip("example"), tree.ip("second"));
    let (usual, turn) = (zones([tree.test()]), std::cell::Cell::new(0));
    tree.serve("tld", move |query: &Query<'_>| -> Handled {
        if !is_below(query, "example.test.") {
            return usual.handle(query);
        }
        turn.set(turn.get() + 1);
        let mut servers =
            [ns("example.test.", "ns1.example.test."), ns("example.test.", "ns2.example.test.")];
        let mut glue = [
            a("ns1.example.test.", example),
            a("ns2.example.test.", second),
            a("ns2.example.test.", example),
        ];
        if turn.get() % 2 == 0 {
            servers.reverse();
            glue.reverse();
        }
        referral(&servers, &glue).into()
    });
    tree.serve("second", zones([tree.example()]));
    let resolver = tree.usual();
    tree.data(&resolver, "www.example.test.");
    for host in ["example", "second"] {
        tree.serve(host, |_: &Query<'_>| Handled::from(ResponseCode::Refused));
        tree.asked(host);
    }
    tree.ask(&resolver, "other.example.test.", RecordType::A).unwrap_err();
    assert_eq!([tree.asked("example").len(), tree.asked("second").len()], [1, 1]);
}

#[test]
fn stale_answers_only_if_allowed() {
    let tree = Tree::new(18);
    let strict = tree.usual();
    let resolver = tree.resolver(tree.config().stale_max(Duration::from_secs(3600)));
    for resolver in [&strict, &resolver] {
        tree.data(resolver, "alias.example.test.");
    }
    tree.world.pass(301);
    ["root", "tld", "example"].iter().for_each(|host| tree.host(host).power_off());
    tree.ask(&strict, "alias.example.test.", RecordType::A).unwrap_err();
    let found = tree.ask(&resolver, "alias.example.test.", RecordType::A).unwrap();
    let ttls: Vec<_> = found.answers().iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [30, 30]);
    // For half a minute the servers are not asked again.
    let question = Question::new(name("alias.example.test."), RecordType::A);
    let (found, took) = tree.world.wait(resolver.look_up(question));
    assert_eq!((found.unwrap().answers().len(), took), (2, Duration::ZERO));
    tree.world.pass(3600);
    tree.ask(&resolver, "alias.example.test.", RecordType::A).unwrap_err();
}

#[test]
fn servers_over_ipv6() {
    let tree = Tree::new(19);
    let (spare, zones_of_spare) = (tree.host("spare"), zones([tree.example()]));
    let v6 = spare.addr_v6();
    spare.boot(move |reactor| {
        let server = DnsServer::new(zones_of_spare.clone());
        drop(server.listen(reactor, SocketAddr::new(v6, 53)).unwrap());
    });
    let test =
        format!("@ NS ns\nns A {}\nexample NS ns.example\nns.example AAAA {v6}\n", tree.ip("tld"));
    tree.serve("tld", zones([zone("test.", &test)]));
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
    let resolver = tree.resolver(tree.config().ipv4_only(true));
    let error = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().ends_with("answered for A of www.example.test."), "{error}");
}
