//! Servers that say what they are not asked, or not responsible for.

use std::cell::Cell;

use sinew_dns::{
    codec::{RData, Record, RecordType, ResponseCode, rdata},
    recursive::RecursiveError,
    server::{Handled, Handler, Query, Response},
    testing::{Reaction, TestServer},
};

use crate::hierarchy::{Tree, a, is_below, name, ns, referral, zone, zones};

/// The address that an attacker wants to be believed.
const FORGED: &str = "203.0.113.66";

fn forged(owner: &str) -> Record {
    a(owner, FORGED.parse().unwrap())
}

/// That `www.provider.net` is still found where it is.
fn is_unharmed(tree: &Tree, resolver: &sinew_dns::recursive::RecursiveResolver) {
    assert_eq!(tree.data(resolver, "www.provider.net."), ["192.0.2.3"]);
    assert_eq!(tree.data(resolver, "ns.provider.net.")[0], tree.ip("provider").to_string());
}

#[test]
fn glue_out_of_bailiwick() {
    let tree = Tree::new(1);
    let (usual, evil) = (zones([tree.test()]), tree.ip("evil"));
    // The server of test tells an address in net, which is served by others.
    let net = zones([tree.net()]);
    tree.serve("tld", move |query: &Query<'_>| {
        if is_below(query, "glueless.test.") {
            let lie = a("ns.provider.net.", evil);
            return referral(&[ns("glueless.test.", "ns.provider.net.")], &[lie]).into();
        }
        let zones = if is_below(query, "net.") { &net } else { &usual };
        zones.handle(query)
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.glueless.test."), ["192.0.2.4"]);
    is_unharmed(&tree, &resolver);
    assert_eq!(tree.asked("evil"), [""; 0]);
}

#[test]
fn records_beside_the_question_are_ignored() {
    let tree = Tree::new(2);
    let evil = tree.ip("evil");
    // In every section of an answer that is right.
    tree.serve("example", move |_: &Query<'_>| {
        Response::from(vec![
            a("www.example.test.", [192, 0, 2, 1].into()),
            forged("www.provider.net."),
        ])
        .answer(ns("net.", "ns.evil.test."))
        .authority(ns("net.", "ns.evil.test."))
        .authority(ns(".", "ns.evil.test."))
        .authority(ns("provider.net.", "ns.evil.test."))
        .additional(a("ns.evil.test.", evil))
        .additional(a("ns.provider.net.", evil))
        .additional(forged("www.provider.net."))
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.usual();
    let found = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap();
    assert_eq!((found.answers().len(), found.authorities().len()), (1, 0));
    is_unharmed(&tree, &resolver);
    assert_eq!(tree.asked("evil"), [""; 0]);
}

/// RUSTSEC-2026-0106: a server names servers of a zone beside its own.
#[test]
fn sibling_records_are_not_cached() {
    let tree = Tree::new(3);
    let evil = tree.ip("evil");
    tree.serve("example", move |query: &Query<'_>| {
        let lies = [ns("glueless.test.", "ns.example.test."), ns("net.", "ns.example.test.")];
        let glue = [a("ns.example.test.", evil)];
        if query.is(&name("www.example.test.")) {
            let answer = a("www.example.test.", [192, 0, 2, 1].into());
            let with_lies = lies.iter().cloned().fold(Response::from(answer), Response::authority);
            return with_lies.additional(glue[0].clone());
        }
        referral(&lies, &glue)
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.1"]);
    let error = tree.ask(&resolver, "other.example.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().contains("refers to other servers"), "{error}");
    assert_eq!(tree.data(&resolver, "www.glueless.test."), ["192.0.2.4"]);
    is_unharmed(&tree, &resolver);
    assert_eq!(tree.asked("evil"), [""; 0]);
}

#[test]
fn upward_referral_is_ignored() {
    let tree = Tree::new(4);
    let (root, evil) = (tree.ip("root"), tree.ip("evil"));
    let turn = Cell::new(0);
    tree.serve("example", move |_: &Query<'_>| {
        turn.set(turn.get() + 1);
        match turn.get() % 3 {
            0 => referral(&[ns(".", "a.root.")], &[a("a.root.", root)]),
            1 => referral(&[ns("test.", "ns.example.test.")], &[a("ns.example.test.", evil)]),
            _ => {
                referral(&[ns("example.test.", "ns.example.test.")], &[a("ns.example.test.", evil)])
            }
        }
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.resolver(tree.config().minimise(false));
    for at in 0..6 {
        let error =
            tree.ask(&resolver, &format!("n{at}.example.test."), RecordType::A).unwrap_err();
        assert!(matches!(error, RecursiveError::Failed { .. }), "{error}");
        assert!(error.to_string().contains("refers to other servers"), "{error}");
    }
    // The root is asked once for each, since servers that are of no use are forgotten; never by the referral.
    assert!(tree.asked("example").len() <= 6);
    assert_eq!(tree.asked("evil"), [""; 0]);
}

#[test]
fn answers_without_authority_are_not_believed() {
    let tree = Tree::new(5);
    tree.serve("example", |query: &Query<'_>| {
        Response::from(forged(&query.name().to_ascii())).authoritative(false)
    });
    let error = tree.ask(&tree.usual(), "www.example.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().contains("not responsible"), "{error}");
}

#[test]
fn what_an_alias_leads_to_is_asked_for() {
    let tree = Tree::new(6);
    tree.serve("example", |query: &Query<'_>| {
        let target = rdata::CNAME(name("www.provider.net."));
        let alias = Record::from_rdata(query.name(), 300, RData::CNAME(target));
        Response::from(vec![alias, forged("www.provider.net.")])
    });
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), ["192.0.2.3"]);
    is_unharmed(&tree, &resolver);
}

#[test]
fn the_absence_of_names_of_others_is_not_believed() {
    let tree = Tree::new(7);
    // The SOA record of a zone above: what it says would hold for more than the server is responsible for.
    tree.serve("example", |_: &Query<'_>| {
        let soa = rdata::SOA::new(name("ns.test."), name("me.test."), 1, 1, 1, 1, 86_400);
        let soa = Record::from_rdata(name("test."), 86_400, RData::SOA(soa));
        Response::code(ResponseCode::NXDomain).authority(soa)
    });
    let resolver = tree.usual();
    let found = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap();
    assert_eq!((found.code(), found.authorities().len()), (ResponseCode::NXDomain, 0));
    tree.asked("example");
    tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap();
    assert!(!tree.asked("example").is_empty(), "it was not kept");
    assert_eq!(tree.data(&resolver, "www.glueless.test."), ["192.0.2.4"]);
}

#[test]
fn servers_at_this_machine_are_not_asked() {
    let tree = Tree::new(8);
    let test = zone(
        "test.",
        "@ NS ns\nns A 192.0.2.1\nexample NS ns.example\nns.example A 127.0.0.1\nns.example AAAA ::1\nns.example A 224.0.0.1\n",
    );
    tree.serve("tld", zones([test]));
    let resolver = tree.usual();
    let error = tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().ends_with("answered for A of www.example.test."), "{error}");
    assert_eq!(resolver.stats().unanswered, 0);
}

#[test]
fn malformed_responses_fail_that_server() {
    let tree = Tree::new(9);
    tree.host("example").power_off();
    let server = TestServer::new().react(|asked| {
        // An answer, of which nothing follows.
        let mut bytes = asked.bytes.clone();
        bytes[2] |= 0x84;
        bytes[7] = 1;
        Reaction::Raw(vec![bytes])
    });
    tree.serve_test("spare", &server);
    let test = format!(
        "@ NS ns\nns A 192.0.2.1\nexample NS ns.example\nns.example A {}\nns.example A {}\n",
        tree.ip("second"),
        tree.ip("spare")
    );
    tree.serve("tld", zones([zone("test.", &test)]));
    tree.serve("second", zones([tree.example()]));
    let resolver = tree.usual();
    for at in 0..10 {
        tree.ask(&resolver, &format!("n{at}.example.test."), RecordType::A).unwrap();
    }
    assert_eq!(server.asked().len(), 1);
}

/// All that a lying server may do is to say wrong things about its own zone.
#[test]
fn a_lying_parent_is_believed_about_its_children_only() {
    let tree = Tree::new(10);
    let evil = tree.ip("evil");
    tree.serve("tld", move |query: &Query<'_>| -> Handled {
        if is_below(query, "test.") {
            return referral(
                &[ns("example.test.", "ns.example.test.")],
                &[a("ns.example.test.", evil)],
            )
            .into();
        }
        Handled::Drop
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.usual();
    assert_eq!(tree.data(&resolver, "www.example.test."), [FORGED]);
    // The question is not at or below the zone that is named.
    let error = tree.ask(&resolver, "www.glueless.test.", RecordType::A).unwrap_err();
    assert!(error.to_string().contains("refers to other servers"), "{error}");
}

/// Ghost domains through subdomains (CVE-2022-30698, CVE-2022-30699): the delegation of a child does not outlive that of its parent.
#[test]
fn children_of_a_zone_that_was_ended_end_with_it() {
    let tree = Tree::new(12);
    let usual = zones([tree.example()]);
    let (example, evil) = (tree.ip("example"), tree.ip("evil"));
    tree.serve("example", move |query: &Query<'_>| -> Handled {
        if !is_below(query, "ghost.example.test.") {
            return usual.handle(query);
        }
        let mut server = ns("ghost.example.test.", "ns.ghost.example.test.");
        server.ttl = 86_400;
        referral(&[server], &[a("ns.ghost.example.test.", evil)]).into()
    });
    tree.serve("evil", |query: &Query<'_>| Response::from(forged(&query.name().to_ascii())));
    let resolver = tree.usual();
    tree.data(&resolver, "www.example.test.");
    tree.world.pass(299);
    assert_eq!(tree.data(&resolver, "a.ghost.example.test."), [FORGED]);
    // The zone is taken away.
    let test =
        format!("@ NS ns\nns A {}\nother NS ns.other\nns.other A {example}\n", tree.ip("tld"));
    tree.serve("tld", zones([zone("test.", &test)]));
    tree.world.pass(2);
    let found = tree.ask(&resolver, "b.ghost.example.test.", RecordType::A).unwrap();
    assert_eq!(found.code(), ResponseCode::NXDomain);
}

#[test]
fn a_response_that_was_cut_is_never_cached() {
    let tree = Tree::new(11);
    let server = TestServer::new().react(|asked| {
        if asked.over_tcp {
            return Reaction::Close;
        }
        let mut response = TestServer::new().response(&asked.query);
        response.metadata.authoritative = true;
        response.metadata.truncation = true;
        response.metadata.response_code = ResponseCode::NoError;
        response.add_answer(forged(&asked.name()));
        Reaction::Message(Box::new(response))
    });
    tree.serve_test("spare", &server);
    let test = format!(
        "@ NS ns\nns A 192.0.2.1\nexample NS ns.example\nns.example A {}\n",
        tree.ip("spare")
    );
    tree.serve("tld", zones([zone("test.", &test)]));
    let resolver = tree.usual();
    tree.ask(&resolver, "www.example.test.", RecordType::A).unwrap_err();
    assert_eq!(resolver.stats().cached, 0);
    assert!(server.asked().iter().any(|asked| asked.over_tcp));
}
