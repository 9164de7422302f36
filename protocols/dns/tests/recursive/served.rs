//! The resolver as a name server.

use std::net::SocketAddr;

use sinew_dns::{
    client::{DnsConfig, NameServer},
    codec::{Message, Question, RData, Record, RecordType, ResponseCode, rdata},
    recursive::{RecursiveConfig, RecursiveResolver, RootHints},
    server::{Acl, DnsServer, Query, Recursive, Response},
};

use crate::hierarchy::{Tree, a, name};

/// A server at `spare` with these clients.
fn serve(tree: &Tree, acl: Acl) -> NameServer {
    let at = SocketAddr::new(tree.ip("spare"), 53);
    let root = SocketAddr::new(tree.ip("root"), 53);
    tree.host("spare").boot(move |reactor| {
        let config = RecursiveConfig::default().hints(RootHints::at([root]));
        let resolver = RecursiveResolver::new(reactor, config);
        let server = DnsServer::new(Recursive::new(resolver).acl(acl.clone()));
        drop(server.listen(reactor, at).unwrap());
    });
    tree.world.network.run_for(std::time::Duration::ZERO).unwrap();
    NameServer::new(at)
}

fn ask(tree: &Tree, at: &NameServer, question: Question) -> Message {
    let config = DnsConfig::default()
        .timeout(std::time::Duration::from_secs(20))
        .total(std::time::Duration::from_secs(60));
    tree.world.get(tree.world.resolver(config).query_server(at, question)).unwrap()
}

fn question(asked: &str, record_type: RecordType) -> Question {
    Question::new(name(asked), record_type)
}

#[test]
fn a_recursive_server() {
    let tree = Tree::new(1);
    let at = serve(&tree, Acl::everybody());
    for _ in 0..3 {
        let answer = ask(&tree, &at, question("out.example.test.", RecordType::A));
        assert_eq!(answer.answers.len(), 2);
        assert_eq!(answer.answers[1].data.to_string(), "192.0.2.3");
        let flags = &answer.metadata;
        assert!(flags.recursion_available && !flags.authoritative && !flags.authentic_data);
    }
    assert_eq!(tree.asked("provider").len(), 1, "the rest is from the cache");
    let none = ask(&tree, &at, question("none.example.test.", RecordType::A));
    assert_eq!(none.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(none.authorities[0].name, name("example.test."));
    let none = ask(&tree, &at, question("www.example.test.", RecordType::MX));
    assert_eq!((none.metadata.response_code, none.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(none.authorities.len(), 1);
    tree.host("example").power_off();
    let failed = ask(&tree, &at, question("other.example.test.", RecordType::A));
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
}

#[test]
fn only_with_rd_and_for_those_who_may() {
    let tree = Tree::new(2);
    let at = serve(&tree, Acl::everybody());
    let refused = |question| ask(&tree, &at, question).metadata.response_code;
    let without_rd = question("www.example.test.", RecordType::A).recursion_desired(false);
    assert_eq!(refused(without_rd), ResponseCode::Refused);
    assert_eq!(refused(question("www.example.test.", RecordType::ANY)), ResponseCode::Refused);
    let tree = Tree::new(3);
    let at = serve(&tree, Acl::loopback());
    let answer = ask(&tree, &at, question("www.example.test.", RecordType::A));
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
    assert_eq!(tree.asked("root"), [""; 0]);
}

/// A signature of this type of record, in its form on the wire.
fn signature(owner: &str, covered: RecordType) -> Record {
    let data = [&u16::from(covered).to_be_bytes()[..], &[13, 2, 0, 0, 1, 44], &[0; 30]].concat();
    let data = RData::Unknown { code: RecordType::RRSIG, rdata: rdata::NULL::with(data) };
    Record::from_rdata(name(owner), 300, data)
}

#[test]
fn signatures_are_passed_on_to_those_who_want_them() {
    let tree = Tree::new(4);
    // It sends signatures whether they are wanted or not, and says that it has validated.
    tree.serve("example", |query: &Query<'_>| {
        let owner = query.name().to_ascii();
        Response::from(vec![
            a(&owner, [192, 0, 2, 1].into()),
            signature(&owner, RecordType::A),
            signature(&owner, RecordType::MX),
            signature("other.example.test.", RecordType::A),
        ])
        .authentic(true)
    });
    let at = serve(&tree, Acl::everybody());
    let with = ask(&tree, &at, question("www.example.test.", RecordType::A).dnssec_ok(true));
    let types: Vec<_> = with.answers.iter().map(Record::record_type).collect();
    assert_eq!(types, [RecordType::A, RecordType::RRSIG]);
    assert!(!with.metadata.authentic_data);
    let without = ask(&tree, &at, question("www.example.test.", RecordType::A));
    assert_eq!(without.answers.len(), 1);
}
