//! `dns_lookup`, against a server of the test; `dns_custom_server` and `dns_authority`, asked by the test.

use sinew::{
    dns::{
        client::{DnsConfig, DnsResolver, NameServer},
        codec::{Question, RData, RecordType, rdata::MX},
        testing::TestServer,
        zone::text_of,
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

/// Asks a server that an example runs: the answers as text.
fn ask(server: std::net::SocketAddr, name: &str, record_type: RecordType) -> Vec<String> {
    let reactor = Reactor::new().unwrap();
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([server]));
    let question = Question::new(name.parse().unwrap(), record_type);
    let message = resolver.query_server(&NameServer::new(server), question);
    let message = reactor.run_until(message).unwrap().unwrap();
    message.answers.iter().map(|record| text_of(record).unwrap()).collect()
}

#[test]
fn answers_from_code() {
    let example = Example::serve("dns_custom_server", "best", &[]);
    let cases = [
        ("workstation7.example.", RecordType::A, vec!["workstation7.example. 10 IN A 172.0.2.7"]),
        ("workstation7.example.", RecordType::MX, vec![]),
        ("workstation300.example.", RecordType::A, vec![]),
        ("myip.example.", RecordType::TXT, vec!["myip.example. 10 IN TXT \"127.0.0.1\""]),
        ("other.example.", RecordType::A, vec![]),
    ];
    for (name, record_type, answers) in cases {
        assert_eq!(ask(example.addr, name, record_type), answers, "{name}");
    }
    assert_eq!(ask(example.addr, "time.example.", RecordType::TXT).len(), 1);
    example.finish();
}

#[test]
fn zone_files_are_read_again() {
    let file = std::env::temp_dir().join(format!("sinew-example-{}.zone", std::process::id()));
    let write = |serial: u32| {
        let text =
            format!("$TTL 60\n@ SOA ns root {serial} 1 1 1 1\n@ NS ns\nns A 192.0.2.{serial}\n");
        std::fs::write(&file, text).unwrap();
    };
    write(7);
    let zone = format!("example.org={}", file.display());
    let all = ["--listen", "127.0.0.1:0", "--zone", &zone, "--reload", "10"];
    let example = Example::start("dns_authority", &all);
    assert_eq!(example.line(), "example.org.: serial 7, 3 records");
    let addr = super::process::listening(&example.line()).parse().unwrap();
    let address = |serial: u32| vec![format!("ns.example.org. 60 IN A 192.0.2.{serial}")];
    assert_eq!(ask(addr, "ns.example.org.", RecordType::A), address(7));
    // One of another length, since some systems tell the time of a change by the second.
    write(128);
    assert_eq!(example.line(), "example.org.: serial 128, 3 records");
    assert_eq!(ask(addr, "ns.example.org.", RecordType::A), address(128));
    example.finish();
    let _ = std::fs::remove_file(&file);
}
