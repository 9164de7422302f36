//! dig reads our messages: answers of the test server, cut, over TCP, with a cookie.

use std::process::Command;

use sinew_dns::{
    codec::{RData, Record, RecordType, rdata},
    testing::TestServer,
};
use sinew_transports::reactor::Reactor;

use crate::{program::find, watchdog};

#[test]
fn dig_reads_our_messages() {
    watchdog::watch_this_test();
    let Some(dig) = find("dig") else { return };
    let unknown = RData::Unknown {
        code: RecordType::Unknown(65_280),
        rdata: rdata::NULL::with(vec![1, 2, 3]),
    };
    let mut server = TestServer::new()
        .addr("a.test", [192, 0, 2, 1])
        .alias("c.test", "a.test")
        .data("t.test", RData::TXT(rdata::TXT::new(vec!["hello".to_owned()])))
        .record(Record::from_rdata("odd.test.".parse().unwrap(), 60, unknown))
        .zone("test", 60);
    for last in 0..150 {
        server = server.addr("many.test", [192, 0, 2, last]);
    }
    let reactor = Reactor::new().unwrap();
    let addr = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap();
    let handle = reactor.clone();
    let ask = move |arguments: &'static [&'static str]| {
        let mut command = Command::new(&dig);
        command.arg(format!("@{}", addr.ip()));
        command.args(["-p", &addr.port().to_string()]).args(arguments);
        let output = handle.defer_to_thread(move || command.output());
        async move {
            let text = String::from_utf8(output.await.unwrap().unwrap().stdout).unwrap();
            assert!(!text.contains("WARNING") && !text.contains("FORMERR"), "{text}");
            text
        }
    };
    let addresses = |text: &str| text.lines().filter(|line| line.starts_with("192.")).count();
    // In one run, with whose end the server is closed.
    let asking = async move {
        assert_eq!(ask(&["+short", "a.test"]).await, "192.0.2.1\n");
        assert_eq!(ask(&["+short", "c.test"]).await, "a.test.\n192.0.2.1\n");
        assert_eq!(ask(&["+short", "t.test", "TXT"]).await, "\"hello\"\n");
        assert_eq!(ask(&["+short", "odd.test", "TYPE65280"]).await, "\\# 3 010203\n");
        assert!(ask(&["none.test"]).await.contains("NXDOMAIN"));
        // Cut over UDP, whole over TCP; with and without EDNS.
        assert_eq!(addresses(&ask(&["+short", "many.test"]).await), 150);
        assert!(ask(&["+ignore", "+noedns", "many.test"]).await.contains(" tc"));
        assert_eq!(addresses(&ask(&["+short", "+tcp", "+keepopen", "many.test"]).await), 150);
        assert!(ask(&["a.test"]).await.contains("udp: 1232"));
    };
    reactor.run_until(asking).unwrap();
}
