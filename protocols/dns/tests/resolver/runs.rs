//! A reactor that runs several times: the end of a run drops tasks, and a resolver goes on with the next.

use std::{net::SocketAddr, time::Duration};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::RecordType,
    testing::{Reaction, TestServer},
};
use sinew_transports::reactor::Reactor;

use crate::watchdog;

#[test]
fn questions_that_a_run_has_left_are_asked_again() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let server = TestServer::new().addr("a.example", [192, 0, 2, 1]);
    let silent = TestServer::new().react(|_| Reaction::Drop);
    let addr = silent.listen(&reactor, "127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    let over_udp = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let over_tcp = DnsResolver::new(&reactor, DnsConfig::default().server(NameServer::tcp(addr)));
    for _ in 0..2 {
        let left =
            [&over_udp, &over_tcp].map(|resolver| resolver.lookup("a.example", RecordType::A));
        reactor.run_until(reactor.sleep(Duration::from_millis(1))).unwrap();
        drop(left);
    }
    for resolver in [over_udp, over_tcp] {
        server.listen(&reactor, addr).unwrap();
        let answer = reactor.run_until(resolver.lookup("a.example", RecordType::A)).unwrap();
        assert_eq!(answer.unwrap().records().len(), 1);
    }
}
