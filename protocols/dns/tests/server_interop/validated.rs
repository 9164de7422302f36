//! unbound resolves our signed zones, and validates what we answer: every proof that something does not exist is checked by another
//! program. Once from the server of the zone, once from our recursive server.

use std::{net::SocketAddr, process::Command};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::{Name, Question, RecordType, ResponseCode},
    recursive::{RecursiveConfig, RecursiveResolver, RootHints},
    server::{DnsServer, Recursive, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

const TEXT: &str = "$ORIGIN example.
$TTL 300
@ SOA ns root 7 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www CNAME mail
mail A 192.0.2.2
*.wild TXT \"wild\"
*.wc CNAME mail
a.b.c A 192.0.2.3
sub NS ns.sub
ns.sub A 127.0.0.2
";

/// Names and types, and what is expected.
const CASES: [(&str, RecordType, ResponseCode, usize); 11] = [
    ("example.", RecordType::SOA, ResponseCode::NoError, 1),
    ("mail.example.", RecordType::A, ResponseCode::NoError, 1),
    ("www.example.", RecordType::A, ResponseCode::NoError, 2),
    ("mail.example.", RecordType::MX, ResponseCode::NoError, 0),
    ("nothing.example.", RecordType::A, ResponseCode::NXDomain, 0),
    ("x.nothing.example.", RecordType::A, ResponseCode::NXDomain, 0),
    ("b.c.example.", RecordType::A, ResponseCode::NoError, 0),
    ("any.wild.example.", RecordType::TXT, ResponseCode::NoError, 1),
    ("any.wild.example.", RecordType::A, ResponseCode::NoError, 0),
    ("x.y.wc.example.", RecordType::A, ResponseCode::NoError, 2),
    ("sub.example.", RecordType::DS, ResponseCode::NoError, 0),
];

/// Whom unbound asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Authority,
    Recursive,
}

/// A server that answers from the root on, with `authority` as the server of the zone.
fn recursive(reactor: &Reactor, authority: SocketAddr) -> SocketAddr {
    let any = "127.0.0.1:0".parse().unwrap();
    let text = "@ 60 SOA ns. root. 1 1 1 1 1\n@ 60 NS ns.\nns. 60 A 127.0.0.1\n\
                example. 60 NS ns.example.\nns.example. 60 A 127.0.0.1\n";
    let zones = Zones::new();
    zones.insert(Zone::parse(text, &Name::root()).unwrap());
    let root = DnsServer::new(zones).listen(reactor, any).unwrap().local();
    let config = RecursiveConfig::default()
        .hints(RootHints::at([root]))
        .port(authority.port())
        .allow_loopback(true)
        .priming(false);
    let resolver = RecursiveResolver::new(reactor, config);
    DnsServer::new(Recursive::new(resolver)).listen(reactor, any).unwrap().local()
}

fn validated(options: &[&str], is_opt_out: bool, asked: Asked) {
    let (Some(keygen), Some(signzone), Some(unbound)) =
        (find("ldns-keygen"), find("ldns-signzone"), find("unbound"))
    else {
        return;
    };
    let folder = Folder::new();
    let zone = folder.write("plain.zone", TEXT);
    let key = Command::new(keygen)
        .args(["-a", "ECDSAP256SHA256", "-r", "/dev/urandom", "-k", "example"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
    let output = Command::new(signzone)
        .args(options)
        .args(["-f", "signed.zone"])
        .arg(&zone)
        .arg(&key)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let signed = std::fs::read(folder.path().join("signed.zone")).unwrap();

    let zones = Zones::new();
    zones.insert(Zone::parse(signed, &"example.".parse().unwrap()).unwrap());
    let reactor = Reactor::new().unwrap();
    let server = DnsServer::new(zones);
    let ours = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap().local();
    let (ours, kind) = match asked {
        Asked::Authority => (ours, "stub"),
        Asked::Recursive => (recursive(&reactor, ours), "forward"),
    };
    let addr = free_address();
    let path = folder.path().display();
    let config = format!(
        "server:\n interface: 127.0.0.9@{port}\n username: \"\"\n chroot: \"\"\n directory: \"{path}\"\n pidfile: \"{path}/pid\"\n \
         use-syslog: no\n verbosity: 1\n do-not-query-localhost: no\n do-ip6: no\n num-threads: 1\n \
         module-config: \"validator iterator\"\n trust-anchor-file: \"{path}/{key}.ds\"\n local-zone: \"example.\" nodefault\n \
         aggressive-nsec: no\n qname-minimisation: no\n\
         remote-control:\n control-enable: no\n\
         {kind}-zone:\n name: \"example\"\n {kind}-addr: 127.0.0.1@{ours}\n",
        port = addr.port(),
        ours = ours.port(),
    );
    let config = folder.write("unbound.conf", config);
    let mut command = Command::new(unbound);
    let _running =
        Running::start(command.arg("-d").arg("-p").arg("-c").arg(config), "start of service");

    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let checking = async move {
        let mut wrong = Vec::new();
        for (asked, record_type, code, answers) in CASES {
            let name = Name::from_ascii(asked).unwrap();
            let question = Question::new(name, record_type).authentic_data(true);
            let response = resolver.query_server(&NameServer::new(addr), question).await.unwrap();
            let found = (response.metadata.response_code, response.answers.len());
            // A span that opts out proves nothing about names that do not exist, so neither that a wildcard applies.
            let is_wild = asked.contains(".wild.") || asked.contains(".wc.");
            let may_be_insecure = is_opt_out && (answers == 0 || is_wild);
            let is_secure = response.metadata.authentic_data || may_be_insecure;
            if found != (code, answers) || !is_secure {
                wrong.push(format!("{asked} {record_type}: {found:?}, AD {is_secure}"));
            }
        }
        wrong
    };
    assert_eq!(reactor.run_until(checking).unwrap(), Vec::<String>::new());
}

#[test]
fn nsec() {
    watchdog::watch_this_test();
    validated(&[], false, Asked::Authority);
}

#[test]
fn nsec3() {
    watchdog::watch_this_test();
    validated(&["-n", "-t", "2", "-s", "aabb"], false, Asked::Authority);
}

#[test]
fn nsec3_with_opt_out() {
    watchdog::watch_this_test();
    validated(&["-n", "-p"], true, Asked::Authority);
}

#[test]
fn through_the_recursive_server() {
    watchdog::watch_this_test();
    validated(&[], false, Asked::Recursive);
    validated(&["-n", "-t", "2", "-s", "aabb"], false, Asked::Recursive);
}
