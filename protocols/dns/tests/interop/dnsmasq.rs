//! dnsmasq as the server of the resolver.

use std::net::SocketAddr;

use sinew_dns::{
    client::{DnsConfig, DnsResolver, LookupError},
    codec::RecordType,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, dnsmasq, free_address},
    watchdog,
};

fn start(addr: SocketAddr, folder: &Folder) -> Option<Running> {
    let mut command = dnsmasq(folder, addr)?;
    command.arg("--local=/test/");
    command.args([
        "--host-record=a.test,192.0.2.1,2001:db8::1",
        "--host-record=four.test,192.0.2.4",
        "--cname=c.test,a.test",
    ]);
    command.args([
        "--mx-host=test,b.test,20",
        "--mx-host=test,a.test,10",
        "--txt-record=t.test,hello,there",
    ]);
    command.args([
        "--srv-host=_x._tcp.test,a.test,81,1",
        "--srv-host=_x._tcp.test,a.test,82,2",
        "--caa-record=test,0,issue,ca.test",
    ]);
    for at in 0..100 {
        command.arg(format!("--txt-record=long.test,number {at:080}"));
    }
    Some(Running::start(&mut command, "started"))
}

#[test]
fn lookups() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = start(addr, &folder) else { return };
    let reactor = Reactor::new().unwrap();
    let resolver = DnsResolver::new(
        &reactor,
        DnsConfig::default().servers([addr]).search(["test".parse().unwrap()]),
    );
    let addresses = |host: &str| {
        let found = reactor.run_until(resolver.addresses(host)).unwrap();
        found.map(|addrs| {
            let mut addrs: Vec<_> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
            addrs.sort();
            addrs
        })
    };
    for host in ["a.test", "c.test", "A.TEST.", "a", "c"] {
        assert_eq!(addresses(host).unwrap(), ["192.0.2.1", "2001:db8::1"], "{host}");
    }
    assert_eq!(addresses("four.test").unwrap(), ["192.0.2.4"]);
    assert!(matches!(addresses("none.test"), Err(LookupError::NoSuchName { .. })));
    let mx = reactor.run_until(resolver.mx("test")).unwrap().unwrap();
    assert_eq!(
        mx.iter().map(|mx| mx.exchange.to_ascii()).collect::<Vec<_>>(),
        ["a.test.", "b.test."]
    );
    let srv = reactor.run_until(resolver.srv("_x._tcp.test")).unwrap().unwrap();
    assert_eq!(srv.iter().map(|srv| srv.port).collect::<Vec<_>>(), [81, 82]);
    assert_eq!(reactor.run_until(resolver.txt("t.test")).unwrap().unwrap(), [b"hellothere"]);
    let caa = reactor.run_until(resolver.caa("test")).unwrap().unwrap();
    assert_eq!(caa[0].value, b"ca.test");
    let names = reactor.run_until(resolver.ptr([192, 0, 2, 1].into())).unwrap().unwrap();
    assert_eq!(names[0].to_ascii(), "a.test.");
    // Too long for a datagram.
    let long = reactor.run_until(resolver.lookup("long.test", RecordType::TXT)).unwrap().unwrap();
    assert_eq!(long.records().len(), 100);
    assert!(resolver.stats().tcp_queries >= 1);
}
