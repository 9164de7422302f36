//! `dns_lookup`, against a server of the test.

use sinew::{
    dns::{
        codec::{RData, rdata::MX},
        testing::TestServer,
    },
    prelude::*,
};

use super::process::{Ended, Example};

/// Runs the example with a server beside it.
fn lookup(args: &[&str]) -> Ended {
    let reactor = Reactor::new().unwrap();
    let server = TestServer::new()
        .addr("a.test", [192, 0, 2, 7])
        .data("test", RData::MX(MX::new(10, "a.test.".parse().unwrap())))
        .data(
            "7.2.0.192.in-addr.arpa",
            RData::PTR(sinew::dns::codec::rdata::PTR("a.test.".parse().unwrap())),
        )
        .zone("test", 60);
    let addr = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap().to_string();
    let all = [&["--server", &addr], args].concat();
    let example = Example::start("dns_lookup", &all);
    reactor.run_until(reactor.defer_to_thread(move || example.wait())).unwrap().unwrap()
}

#[test]
fn addresses_records_and_names() {
    let ended = lookup(&["a.test", "192.0.2.7"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["a.test has address 192.0.2.7", "192.0.2.7 is called a.test"]);
    let ended = lookup(&["--type", "mx", "--tcp", "test"]);
    assert_eq!(ended.stdout, ["test. 300 IN MX 10 a.test."], "{ended:?}");
}

#[test]
fn what_is_not_there() {
    let ended = lookup(&["a.test", "none.test"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, ["a.test has address 192.0.2.7"]);
    assert_eq!(ended.stderr, ["none.test. does not exist", "error: 1 of 2 were not found"]);
    let ended = lookup(&["--type", "nonsense", "a.test"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
