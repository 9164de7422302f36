//! Several servers: their order, retries, errors, and what they do not understand.

use std::time::Duration;

use sinew_dns::{
    client::{LookupError, NameServer, ServerError},
    codec::{Question, RecordType, ResponseCode},
    testing::{Reaction, TestServer},
};

use crate::support::{World, asking, ip};

fn with_a() -> TestServer {
    TestServer::new().addr("a.example", [192, 0, 2, 1]).zone("example", 60)
}

#[test]
fn the_next_server_answers() {
    let world = World::new(1);
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let (first, second) = (world.server("first", &silent), world.server("second", &with_a()));
    let resolver = world.resolver(asking(&[&first, &second]));
    let (answer, took) = world.wait(resolver.lookup("a.example", RecordType::A));
    assert_eq!(answer.unwrap().records().len(), 1);
    assert!((1000..1200).contains(&took.as_millis()), "{took:?}");
    // The silent one rests: the other is asked first, which takes no wait.
    let (answer, took) = world.wait(resolver.lookup("a.example", RecordType::MX));
    assert!(answer.unwrap_err().is_negative() && took < Duration::from_millis(900), "{took:?}");
    assert_eq!(silent.asked().len(), 1);
}

#[test]
fn each_failure_is_told() {
    let world = World::new(2);
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let failing = TestServer::new().react(|_| Reaction::Code(ResponseCode::ServFail));
    let refusing = TestServer::new().react(|_| Reaction::Code(ResponseCode::Refused));
    let hosts = [
        world.server("silent", &silent),
        world.server("failing", &failing),
        world.server("refusing", &refusing),
        world.network.host("empty"),
    ];
    let resolver = world.resolver(asking(&hosts.each_ref()));
    let (answer, took) = world.wait(resolver.lookup("a.example", RecordType::A));
    let error = answer.unwrap_err();
    let text = error.to_string();
    let LookupError::Failed { servers, .. } = error else { panic!("{error}") };
    assert!(text.contains("no response within 1s") && text.contains("it responded"), "{text}");
    assert!(matches!(servers[0].cause, ServerError::TimedOut(_)));
    assert!(matches!(servers[1].cause, ServerError::Response(ResponseCode::ServFail)));
    assert!(matches!(servers[2].cause, ServerError::Response(ResponseCode::Refused)));
    // Those that refuse are not asked again; the silent one is, for twice the time.
    assert_eq!(silent.asked().len(), 2);
    assert_eq!((failing.asked().len(), refusing.asked().len()), (1, 1));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn all_of_it_takes_ten_seconds_at_most() {
    let world = World::new(3);
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let hosts: Vec<_> = (0..6).map(|at| world.server(&format!("s{at}"), &silent)).collect();
    let resolver = world.resolver(asking(&hosts.iter().collect::<Vec<_>>()));
    let (answer, took) = world.wait(resolver.lookup("a.example", RecordType::A));
    let LookupError::TimedOut { servers, after, .. } = answer.unwrap_err() else { panic!() };
    assert_eq!(after, Duration::from_secs(10));
    assert!(servers.len() >= 6 && (10_000..10_100).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn no_servers() {
    let world = World::new(4);
    let resolver = world.resolver(asking(&[]));
    let error = world.get(resolver.lookup("a.example", RecordType::A)).unwrap_err();
    assert!(matches!(error, LookupError::NoServers), "{error}");
}

#[test]
fn servers_that_do_not_know_edns() {
    let world = World::new(5);
    let old = with_a().react(|asked| match asked.query.edns {
        Some(_) => Reaction::Code(ResponseCode::FormErr),
        None => Reaction::Usual,
    });
    let host = world.server("old", &old);
    let resolver = world.resolver(asking(&[&host]));
    assert!(world.get(resolver.lookup("a.example", RecordType::A)).is_ok());
    assert_eq!(old.asked().len(), 2);
    // It is remembered.
    let _ = world.get(resolver.lookup("a.example", RecordType::MX));
    assert_eq!(old.asked().len(), 3);
}

#[test]
fn a_server_that_only_refers_to_others() {
    use sinew_dns::codec::{Message, OpCode, RData, Record, rdata::NS};

    let world = World::new(12);
    let refers = TestServer::new().react(|asked| {
        let mut response = Message::response(asked.query.metadata.id, OpCode::Query);
        response.add_queries(asked.query.queries.iter().cloned());
        let ns = RData::NS(NS("ns.example.".parse().unwrap()));
        response.add_authority(Record::from_rdata("example.".parse().unwrap(), 60, ns));
        Reaction::Message(Box::new(response))
    });
    let (first, second) = (world.server("first", &refers), world.server("second", &with_a()));
    let answer =
        world.get(world.resolver(asking(&[&first, &second])).lookup("a.example", RecordType::A));
    assert_eq!(answer.unwrap().records().len(), 1);
    let error = world
        .get(world.resolver(asking(&[&first])).lookup("a.example", RecordType::A))
        .unwrap_err();
    assert!(error.to_string().contains("refers to other servers"), "{error}");
    // Without recursion that is the answer.
    let question =
        Question::new("a.example.".parse().unwrap(), RecordType::A).recursion_desired(false);
    let response = world.get(world.resolver(asking(&[&first])).query(question)).unwrap();
    assert_eq!(response.authorities.len(), 1);
}

#[test]
fn servers_take_turns() {
    let world = World::new(6);
    let servers = [with_a(), with_a(), with_a()];
    let hosts = [0, 1, 2].map(|at| world.server(&format!("s{at}"), &servers[at]));
    let resolver = world.resolver(asking(&hosts.each_ref()).rotate(true));
    for at in 0..6 {
        let _ = world.get(resolver.lookup(&format!("n{at}.example"), RecordType::A));
    }
    assert_eq!(servers.map(|server| server.asked().len()), [2, 2, 2]);
}

#[test]
fn cookies_are_repeated() {
    use sinew_dns::codec::{cookie, rdata::opt::EdnsOption};

    let world = World::new(7);
    let server = with_a();
    let of_reaction = server.clone();
    let server = server.react(move |asked| {
        let Some(theirs) = cookie(&asked.query) else { return Reaction::Drop };
        let mut response = of_reaction.response(&asked.query);
        let edns = response.edns.as_mut().unwrap();
        let full = [&theirs[..8], &[7; 8]].concat();
        edns.options_mut().insert(EdnsOption::Unknown(10, full.clone()));
        if theirs != full {
            response.metadata.response_code = ResponseCode::BADCOOKIE;
            response.answers.clear();
        }
        Reaction::Message(Box::new(response))
    });
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).cookies(true));
    assert!(world.get(resolver.lookup("a.example", RecordType::A)).is_ok());
    assert_eq!(server.asked().len(), 2);
    let _ = world.get(resolver.lookup("a.example", RecordType::MX));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn whole_responses() {
    let world = World::new(8);
    let (first, second) = (with_a(), TestServer::new());
    let (host, other) = (world.server("first", &first), world.server("second", &second));
    let resolver = world.resolver(asking(&[&host]));
    let question = |name: &str| Question::new(name.parse().unwrap(), RecordType::A).dnssec_ok(true);
    let response = world.get(resolver.query(question("a.example."))).unwrap();
    assert_eq!(response.answers.len(), 1);
    assert!(first.asked()[0].query.edns.as_ref().unwrap().flags().dnssec_ok);
    let response = world.get(resolver.query(question("b.example."))).unwrap();
    assert_eq!(response.metadata.response_code, ResponseCode::NXDomain);
    // Not from the cache.
    let _ = world.get(resolver.query(question("b.example.")));
    assert_eq!(first.asked().len(), 3);
    let server = NameServer::new((other.addr(), 53));
    let response = world.get(resolver.query_server(&server, question("a.example."))).unwrap();
    assert_eq!(response.metadata.response_code, ResponseCode::NXDomain);
    let dead = NameServer::new((ip("10.99.99.99"), 53));
    assert!(world.get(resolver.query_server(&dead, question("a.example."))).is_err());
}

#[test]
fn identical_questions_are_merged() {
    let world = World::new(9);
    let server = with_a();
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]));
    let all: Vec<_> = (0..50).map(|_| resolver.lookup("A.example", RecordType::A)).collect();
    for answer in all {
        assert!(world.get(answer).is_ok());
    }
    assert_eq!((server.asked().len(), resolver.stats().merged), (1, 49));
}

#[test]
fn a_question_that_nobody_waits_for_stops() {
    let world = World::new(10);
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let host = world.server("server", &silent);
    let resolver = world.resolver(asking(&[&host]));
    let two = [0, 1].map(|_| resolver.lookup("a.example", RecordType::A));
    let [first, second] = two;
    world.network.run_for(Duration::from_millis(100)).unwrap();
    drop(first);
    world.network.run_for(Duration::from_millis(100)).unwrap();
    assert_eq!(world.reactor().stats().tasks, 1);
    drop(second);
    world.network.run_for(Duration::from_millis(100)).unwrap();
    assert_eq!(world.reactor().stats().tasks, 0);
    assert_eq!(world.client.descriptors(), 0);
    world.pass(20);
    assert_eq!(silent.asked().len(), 1);
}

#[test]
fn questions_and_sockets_are_bounded() {
    let world = World::new(11);
    let server =
        with_a().react(|_| Reaction::After(Duration::from_millis(300), Box::new(Reaction::Usual)));
    let host = world.server("server", &server);
    let resolver = world.resolver(asking(&[&host]).sockets_max(3).questions_max(5));
    let all: Vec<_> =
        (0..6).map(|at| resolver.lookup(&format!("n{at}.example"), RecordType::A)).collect();
    world.network.run_for(Duration::from_millis(50)).unwrap();
    assert_eq!(world.client.descriptors(), 3);
    let results: Vec<_> = all.into_iter().map(|lookup| world.get(lookup).unwrap_err()).collect();
    assert!(results[..5].iter().all(LookupError::is_negative));
    assert!(matches!(results[5], LookupError::TooMany { max: 5 }), "{}", results[5]);
}
