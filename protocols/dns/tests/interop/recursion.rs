//! The recursive server, asked by dig, with other people's servers of the zones: NSD has the root and a top-level domain, unbound a zone
//! below it.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    process::Command,
};

use sinew_dns::{
    recursive::{RecursiveConfig, RecursiveResolver, RootHints},
    server::{DnsServer, Recursive},
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

const ROOT: &str = "$TTL 300
@ SOA a.root. root. 1 3600 600 86400 60
@ NS a.root.
a.root. A 127.0.0.1
test. NS ns.test.
ns.test. A 127.0.0.2
";

const TEST: &str = "$ORIGIN test.
$TTL 300
@ SOA ns root 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.2
a.b.c TXT \"below names without records\"
example NS ns.example
ns.example A 127.0.0.3
out CNAME www.example
glueless NS ns.example
old DNAME example
";

const EXAMPLE: &str = "$ORIGIN example.test.
$TTL 300
@ SOA ns root 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.3
www A 192.0.2.1
*.wild TXT \"anything\"
";

const GLUELESS: &str = "$ORIGIN glueless.test.
$TTL 300
@ SOA ns.example.test. root 1 3600 600 86400 60
@ NS ns.example.test.
www A 192.0.2.4
";

/// A port that is free at three addresses.
fn free_port() -> u16 {
    loop {
        let port = free_address().port();
        let is_free = |last: u8| {
            let addr = SocketAddr::from(([127, 0, 0, last], port));
            UdpSocket::bind(addr).is_ok() && TcpListener::bind(addr).is_ok()
        };
        if (1..=3).all(is_free) {
            return port;
        }
    }
}

fn nsd(folder: &Folder, addr: SocketAddr, origin: &str, zone: &str) -> Option<Running> {
    let program = find("nsd")?;
    let id = addr.ip();
    folder.write(&format!("{id}.zone"), zone);
    let path = folder.path().display();
    let config = format!(
        "server:\n ip-address: {id}@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n \
         pidfile: \"{path}/{id}.pid\"\n database: \"\"\n zonelistfile: \"{path}/{id}.list\"\n xfrdfile: \"{path}/{id}.xfrd\"\n \
         xfrdir: \"{path}\"\n verbosity: 2\n\
         remote-control:\n control-enable: no\n\
         zone:\n name: \"{origin}\"\n zonefile: \"{id}.zone\"\n",
        port = addr.port()
    );
    let config = folder.write(&format!("{id}.conf"), config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "nsd started"))
}

fn unbound(folder: &Folder, addr: SocketAddr, zones: &[(&str, &str)]) -> Option<Running> {
    let program = find("unbound")?;
    let path = folder.path().display();
    let zones: String = zones.iter().map(|(origin, text)| {
        folder.write(origin, text);
        format!("auth-zone:\n name: \"{origin}\"\n zonefile: \"{path}/{origin}\"\n for-downstream: yes\n for-upstream: no\n")
    }).collect();
    let config = format!(
        "server:\n interface: {}@{}\n chroot: \"\"\n username: \"\"\n directory: \"{path}\"\n pidfile: \"\"\n use-syslog: no\n \
         logfile: \"\"\n do-daemonize: no\n verbosity: 1\n local-zone: \"test.\" nodefault\n\
         remote-control:\n control-enable: no\n{zones}",
        addr.ip(),
        addr.port(),
    );
    let config = folder.write("unbound.conf", config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "start of service"))
}

/// What dig prints with `+short`, or the status.
const CASES: [(&str, &str, &str); 11] = [
    ("www.example.test", "A", "192.0.2.1\n"),
    ("WWW.Example.TEST", "A", "192.0.2.1\n"),
    ("out.test", "A", "www.example.test.\n192.0.2.1\n"),
    ("www.old.test", "A", "example.test.\nwww.example.test.\n192.0.2.1\n"),
    ("x.y.wild.example.test", "TXT", "\"anything\"\n"),
    ("a.b.c.test", "TXT", "\"below names without records\"\n"),
    ("www.glueless.test", "A", "192.0.2.4\n"),
    ("example.test", "NS", "ns.example.test.\n"),
    ("www.example.test", "MX", ""),
    ("none.example.test", "A", "NXDOMAIN"),
    ("none", "A", "NXDOMAIN"),
];

#[test]
fn zones_of_nsd_and_unbound() {
    watchdog::watch_this_test();
    let (folder, port) = (Folder::new(), free_port());
    let at = |last: u8| SocketAddr::from(([127, 0, 0, last], port));
    let Some(dig) = find("dig") else { return };
    let Some(_root) = nsd(&folder, at(1), ".", ROOT) else { return };
    let Some(_test) = nsd(&folder, at(2), "test.", TEST) else { return };
    let zones = [("example.test.", EXAMPLE), ("glueless.test.", GLUELESS)];
    let Some(_below) = unbound(&folder, at(3), &zones) else { return };
    let reactor = Reactor::new().unwrap();
    let config = RecursiveConfig::default()
        .hints(RootHints::at([at(1)]))
        .port(port)
        .allow_loopback(true)
        .random_case(true);
    let resolver = RecursiveResolver::new(&reactor, config);
    let server = DnsServer::new(Recursive::new(resolver.clone()));
    let ours = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap().local();
    let handle = reactor.clone();
    let asking = async move {
        let mut wrong = Vec::new();
        for over in ["+notcp", "+tcp"] {
            for (name, record_type, expected) in CASES {
                let mut command = Command::new(&dig);
                command.args(["@127.0.0.1", "-p", &ours.port().to_string(), over]);
                command.args((expected != "NXDOMAIN").then_some("+short"));
                command.args(["-q", name, "-t", record_type]);
                let output = handle.defer_to_thread(move || command.output()).await;
                let text = String::from_utf8(output.unwrap().unwrap().stdout).unwrap();
                let is_right = match expected {
                    "NXDOMAIN" => text.contains("status: NXDOMAIN") && text.contains(" ra"),
                    // The case is that of our queries (0x20).
                    expected => text.to_lowercase() == expected,
                };
                if !is_right {
                    wrong.push(format!("{name} {record_type}: {text}"));
                }
            }
        }
        wrong
    };
    assert_eq!(reactor.run_until(asking).unwrap(), Vec::<String>::new());
    assert_eq!(resolver.stats().failures, 0);
}
