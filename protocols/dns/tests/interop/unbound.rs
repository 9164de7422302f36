//! unbound as the server of the resolver, over UDP and TCP; and over TLS with the feature.

use std::{net::SocketAddr, process::Command};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::RecordType,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

/// Starts it with options of its section `server`.
fn start(addr: SocketAddr, folder: &Folder, more: &str) -> Option<Running> {
    let program = find("unbound")?;
    let config = format!(
        "server:\n interface: {}@{}\n chroot: \"\"\n username: \"\"\n directory: \"{}\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n \
         do-daemonize: no\n verbosity: 1\n local-zone: \"test.\" static\n local-data: \"a.test. 60 A 192.0.2.1\"\n \
         local-data: \"a.test. 60 AAAA 2001:db8::1\"\n local-data: \"test. 60 MX 10 a.test.\"\n{more}\nremote-control:\n control-enable: no\n",
        addr.ip(),
        addr.port(),
        folder.path().display(),
    );
    let config = folder.write("unbound.conf", config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "start of service"))
}

#[test]
fn over_udp_and_tcp() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = start(addr, &folder, "") else { return };
    let reactor = Reactor::new().unwrap();
    for config in [
        DnsConfig::default().servers([addr]).random_case(true).cookies(true),
        DnsConfig::default().server(NameServer::tcp(addr)),
    ] {
        let resolver = DnsResolver::new(&reactor, config);
        let addrs = reactor.run_until(resolver.addresses("a.test")).unwrap().unwrap();
        assert_eq!(addrs.len(), 2);
        let error = reactor.run_until(resolver.lookup("a.test", RecordType::MX)).unwrap();
        assert!(error.unwrap_err().is_negative());
        assert_eq!(reactor.run_until(resolver.mx("test")).unwrap().unwrap().len(), 1);
    }
}

#[cfg(feature = "tls")]
#[test]
fn over_tls() {
    use sinew_transports::tls::{TlsClientConfig, TrustedRoots};

    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let made = rcgen::generate_simple_self_signed(vec!["dns.test".to_owned()]).unwrap();
    let cert = folder.write("cert.pem", made.cert.pem());
    let key = folder.write("key.pem", made.signing_key.serialize_pem());
    let more = format!(
        " tls-port: {}\n tls-service-pem: \"{}\"\n tls-service-key: \"{}\"",
        addr.port(),
        cert.display(),
        key.display()
    );
    let Some(_running) = start(addr, &folder, &more) else { return };
    let reactor = Reactor::new().unwrap();
    let tls = TlsClientConfig::new(TrustedRoots::from_pem(made.cert.pem()).unwrap());
    let ask = |name: &str| {
        let config = DnsConfig::default().server(NameServer::tls(addr, name)).tls(tls.clone());
        let resolver = DnsResolver::new(&reactor, config);
        reactor.run_until(resolver.addresses("a.test")).unwrap()
    };
    assert_eq!(ask("dns.test").unwrap().len(), 2);
    assert!(ask("other.test").is_err());
}
