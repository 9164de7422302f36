//! What a question may cost, however its zones are made.

use std::{cell::Cell, collections::BTreeSet, time::Duration};

use sinew_dns::{
    codec::{Question, RData, Record, RecordType, rdata},
    recursive::RecursiveError,
    server::{Handled, Query, Response},
};
use sinew_transports::reactor::Reactor;

use crate::hierarchy::{Tree, a, name, ns, referral, zone, zones};

#[test]
fn nxns_attack_is_bounded() {
    let tree = Tree::new(1);
    let victim = tree.ip("victim");
    // The zone of the attacker names servers in the zone of the victim that do not exist.
    tree.serve("example", |query: &Query<'_>| {
        let zone = query.name().to_ascii();
        let prefix = zone.replace("example.test.", "");
        let servers: Vec<_> =
            (0..200).map(|at| ns(&zone, &format!("n{at}.{prefix}victim.net."))).collect();
        referral(&servers, &[])
    });
    let net = format!("@ NS ns.test.\nvictim NS ns.victim\nns.victim A {victim}\n");
    tree.serve("tld", zones([tree.test(), zone("net.", &net)]));
    tree.serve("victim", zones([zone("victim.net.", &format!("@ NS ns\nns A {victim}\n"))]));
    let resolver = tree.usual();
    for question in 0..3 {
        let asked = format!("q{question}.example.test.");
        let error = tree.ask(&resolver, &asked, RecordType::A).unwrap_err();
        assert!(matches!(error, RecursiveError::Failed { .. }), "{error}");
        let names: BTreeSet<_> = tree
            .asked("victim")
            .iter()
            .map(|asked| asked.split(' ').next().unwrap().to_owned())
            .collect();
        // Five servers, one label above them.
        assert!(names.len() <= 6, "{names:?}");
        assert!(names.len() > 1, "{names:?}");
    }
    assert!(resolver.stats().udp_queries < 60, "{:?}", resolver.stats());
}

#[test]
fn servers_that_are_known_aliases_are_looked_up_as_seldom() {
    let tree = Tree::new(2);
    let victim = tree.ip("victim");
    let net = format!("@ NS ns.test.\nvictim NS ns.victim\nns.victim A {victim}\n");
    tree.serve("tld", zones([tree.test(), zone("net.", &net)]));
    tree.serve("victim", zones([zone("victim.net.", &format!("@ NS ns\nns A {victim}\n"))]));
    tree.serve("example", |query: &Query<'_>| -> Handled {
        if query.is_at_or_below(&name("sub.example.test.")) {
            let server = |at| ns("sub.example.test.", &format!("n{at}.example.test."));
            return referral(&(0..16).map(server).collect::<Vec<_>>(), &[]).into();
        }
        let target = query.name().to_ascii().replace("example.test.", "victim.net.");
        let alias = RData::CNAME(rdata::CNAME(name(&target)));
        Response::from(Record::from_rdata(query.name(), 300, alias)).into()
    });
    let resolver = tree.usual();
    for at in 0..16 {
        tree.ask(&resolver, &format!("n{at}.example.test."), RecordType::CNAME).unwrap();
    }
    let error = tree.ask(&resolver, "www.sub.example.test.", RecordType::A).unwrap_err();
    assert!(matches!(error, RecursiveError::Failed { .. }), "{error}");
    assert_eq!(tree.asked("victim").len(), 5);
}

#[test]
fn queries_of_a_question_are_bounded() {
    let tree = Tree::new(3);
    let evil = tree.ip("evil");
    let asked = "a.".repeat(120) + "test.";
    let whole = name(&asked);
    // Each zone is delegated one label further down.
    let depth = Cell::new(1);
    tree.serve("tld", move |_: &Query<'_>| {
        depth.set(depth.get() + 1);
        let cut = whole.trim_to(depth.get());
        let server = format!("ns.{cut}");
        referral(&[ns(&cut.to_ascii(), &server)], &[a(&server, evil)])
    });
    let handler = tree.handler("tld");
    tree.serve("evil", handler);
    let resolver = tree.resolver(tree.config().minimise(false));
    let error = tree.ask(&resolver, &asked, RecordType::A).unwrap_err();
    assert!(matches!(error, RecursiveError::TooManyQueries { max: 100, .. }), "{error}");
    assert_eq!(resolver.stats().udp_queries, 100);
    assert!(resolver.stats().delegations <= 100);
}

#[test]
fn a_loop_of_delegations_ends() {
    let tree = Tree::new(4);
    let test = "@ NS ns\nns A 192.0.2.1\na NS ns.b\na NS ns2.b\nb NS ns.c\nc NS ns.a\nself NS ns.self.test.\n";
    tree.serve("tld", zones([zone("test.", test)]));
    let resolver = tree.resolver(tree.config().depth_max(1000));
    for asked in ["www.a.test.", "ns.a.test.", "www.self.test."] {
        let question = Question::new(name(asked), RecordType::A);
        let (found, took) = tree.world.wait(resolver.look_up(question));
        let error = found.unwrap_err();
        assert!(matches!(error, RecursiveError::Failed { .. }), "{error}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    assert!(resolver.stats().udp_queries < 30, "{:?}", resolver.stats());
}

#[test]
fn a_loop_with_a_way_out_is_no_failure() {
    let tree = Tree::new(5);
    let provider = tree.ip("provider");
    // The servers of a are in b, and those of b in a or at the provider.
    let test =
        format!("@ NS ns\nns A {}\na NS ns.b\nb NS ns.a\nb NS ns.provider.net.\n", tree.ip("tld"));
    tree.serve("tld", zones([zone("test.", &test), tree.net()]));
    tree.serve(
        "provider",
        zones([
            zone("provider.net.", &format!("@ NS ns\nns A {provider}\n")),
            zone("b.test.", &format!("@ NS ns\nns A {provider}\n")),
            zone("a.test.", "@ NS ns.b.test.\nwww A 192.0.2.7\n"),
        ]),
    );
    for _ in 0..10 {
        assert_eq!(tree.data(&tree.usual(), "www.a.test."), ["192.0.2.7"]);
    }
}

#[test]
fn servers_behind_servers_are_bounded() {
    let tree = Tree::new(6);
    let provider = tree.ip("provider");
    // Each zone is served from the next one; only the last has an address.
    let chain: String = (0..20).map(|at| format!("z{at} NS ns.z{}\n", at + 1)).collect();
    let test =
        format!("@ NS ns\nns A {}\n{chain}z20 NS ns.z20\nns.z20 A {provider}\n", tree.ip("tld"));
    tree.serve("tld", zones([zone("test.", &test)]));
    tree.serve(
        "provider",
        zones((0..=20).map(|at| {
            zone(&format!("z{at}.test."), &format!("@ NS ns\nns A {provider}\nwww A 192.0.2.8\n"))
        })),
    );
    let resolver = tree.usual();
    let error = tree.ask(&resolver, "www.z0.test.", RecordType::A).unwrap_err();
    assert!(matches!(error, RecursiveError::Failed { .. }), "{error}");
    assert!(resolver.stats().udp_queries <= 20, "{:?}", resolver.stats());
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.z12.test."), ["192.0.2.8"]);
}

#[test]
fn cname_loop() {
    let tree = Tree::new(7);
    let long: String = (0..12).map(|at| format!("n{at} CNAME n{}\n", at + 1)).collect();
    let example = format!(
        "@ NS ns\nns A {}\na CNAME b\nb CNAME c\nc CNAME a\nself CNAME self\n{long}n12 A 192.0.2.1\n",
        tree.ip("example")
    );
    tree.serve("example", zones([zone("example.test.", &example)]));
    let resolver = tree.usual();
    for asked in ["a.example.test.", "self.example.test."] {
        let error = tree.ask(&resolver, asked, RecordType::A).unwrap_err();
        assert!(matches!(error, RecursiveError::ChainLoop { .. }), "{error}");
        // Once more, from the cache.
        tree.world.pass(10);
        let error = tree.ask(&resolver, asked, RecordType::A).unwrap_err();
        assert!(matches!(error, RecursiveError::ChainLoop { .. }), "{error}");
    }
    let error = tree.ask(&resolver, "n0.example.test.", RecordType::A).unwrap_err();
    assert!(matches!(error, RecursiveError::ChainTooLong { max: 8, .. }), "{error}");
    assert_eq!(tree.data(&resolver, "n4.example.test."), ["192.0.2.1"]);
}

#[test]
fn aliases_over_zones_that_never_end() {
    let tree = Tree::new(8);
    tree.serve("example", |query: &Query<'_>| {
        let target = rdata::CNAME(name("x.").append_domain(&query.name()).unwrap());
        Response::from(Record::from_rdata(query.name(), 300, RData::CNAME(target)))
    });
    let error = tree.ask(&tree.usual(), "www.example.test.", RecordType::A).unwrap_err();
    assert!(matches!(error, RecursiveError::ChainTooLong { .. }), "{error}");
}

#[test]
fn total_time_is_bounded() {
    let tree = Tree::new(9);
    // Twelve servers that are silent, and one that is slow.
    let servers: String = (1..=12)
        .map(|at| format!("example NS ns{at}.example\nns{at}.example A 192.0.2.{at}\n"))
        .collect();
    tree.serve(
        "tld",
        zones([zone("test.", &format!("@ NS ns\nns A {}\n{servers}", tree.ip("tld")))]),
    );
    let resolver = tree.usual();
    let question = Question::new(name("www.example.test."), RecordType::A);
    let (found, took) = tree.world.wait(resolver.look_up(question));
    let error = found.unwrap_err();
    assert!(matches!(error, RecursiveError::TimedOut { .. }), "{error}");
    assert_eq!(took.as_secs(), 10);
    assert_eq!(resolver.stats().unanswered, 9, "{error}");
}

#[test]
fn questions_at_once_are_bounded() {
    let tree = Tree::new(10);
    let resolver = tree.resolver(tree.config().questions_max(3));
    let ask = |at: u32| {
        let question = Question::new(name(&format!("n{at}.example.test.")), RecordType::A);
        resolver.look_up(question)
    };
    let mut waiting: Vec<_> = (0..3).map(ask).collect();
    let error = tree.world.get(ask(3)).unwrap_err();
    assert!(matches!(error, RecursiveError::TooMany { max: 3 }), "{error}");
    assert_eq!(resolver.stats().refused, 1);
    // The same question is none more, and one that is given up makes room.
    waiting.push(ask(2));
    drop(waiting.remove(0));
    tree.world.network.run_for(Duration::ZERO).unwrap();
    tree.world.get(ask(4)).unwrap();
    waiting.into_iter().for_each(|found| drop(tree.world.get(found).unwrap()));
    tree.world.get(ask(3)).unwrap();
}

#[test]
fn queries_to_a_server_at_once_are_bounded() {
    let tree = Tree::new(11);
    tree.serve("example", |_: &Query<'_>| Handled::Drop);
    let resolver = tree.resolver(tree.config().in_flight_max(2));
    let ask = |at: u32| {
        let question = Question::new(name(&format!("n{at}.example.test.")), RecordType::A);
        resolver.look_up(question)
    };
    tree.world.get(resolver.look_up(Question::new(name("test."), RecordType::NS))).unwrap();
    let mut waiting: Vec<_> = (0..3).map(ask).collect();
    let error = tree.world.get(waiting.remove(2)).unwrap_err();
    assert!(error.to_string().contains("2 queries wait for it already"), "{error}");
    drop(waiting);
    tree.world.network.run_for(Duration::ZERO).unwrap();
    // The zone above need not say again who serves the zone.
    tree.serve("example", zones([tree.example()]));
    tree.asked("tld");
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
    assert_eq!(tree.asked("tld"), [""; 0]);
}

#[test]
fn those_who_ask_the_same_share_a_question() {
    let tree = Tree::new(12);
    let resolver = tree.usual();
    let ask = |asked: &str| resolver.look_up(Question::new(name(asked), RecordType::A));
    let same: Vec<_> = (0..10).map(|_| ask("www.example.test.")).collect();
    let others: Vec<_> = (0..10).map(|at| ask(&format!("n{at}.example.test."))).collect();
    for found in same {
        assert_eq!(tree.world.get(found).unwrap().records().len(), 1);
    }
    others.into_iter().for_each(|found| drop(tree.world.get(found).unwrap()));
    assert_eq!(resolver.stats().merged, 9);
    // Different questions share the queries to the servers above.
    assert_eq!([tree.asked("root"), tree.asked("tld")].concat(), ["test. A", "example.test. A"]);
    assert_eq!(tree.asked("example").len(), 11);
}

#[test]
fn a_question_that_is_given_up_asks_nobody_more() {
    let tree = Tree::new(13);
    tree.serve("tld", |_: &Query<'_>| Handled::Drop);
    let resolver = tree.usual();
    let found = resolver.look_up(Question::new(name("www.example.test."), RecordType::A));
    tree.world.network.run_for(Duration::from_millis(500)).unwrap();
    assert_eq!(tree.asked("tld").len(), 1);
    drop(found);
    tree.world.pass(20);
    assert_eq!(tree.asked("tld"), [""; 0]);
    tree.serve("tld", zones([tree.test()]));
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
}

#[test]
fn a_resolver_outlives_its_reactor() {
    let reactor = Reactor::simulated(1);
    let config = sinew_dns::recursive::RecursiveConfig::default();
    let resolver = sinew_dns::recursive::RecursiveResolver::new(&reactor, config);
    drop(reactor);
    drop(resolver.look_up(Question::new(name("test."), RecordType::A)));
    assert_eq!(resolver.stats().lookups, 1);
}
