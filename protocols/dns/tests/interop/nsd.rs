//! NSD as an authoritative server: transfers, plain and signed, and answers that are compared with those of dig.

use std::{collections::BTreeSet, net::SocketAddr, process::Command};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer, TransferConfig, TransferError, TransferEvent},
    codec::{
        Question, RecordType, ResponseCode,
        tsig::{TsigAlgorithm, TsigKey},
    },
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

/// The base64 of "a secret of both ends".
const SECRET: &str = "YSBzZWNyZXQgb2YgYm90aCBlbmRz";

/// Hosts in the zone: a transfer of several messages.
const HOSTS: usize = 3000;

fn zone() -> String {
    let mut zone = "\
$ORIGIN test.
$TTL 300
@ SOA ns admin 7 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ MX 10 mail
mail AAAA 2001:db8::25
alias CNAME ns
*.wild TXT \"anything\"
odd TYPE65280 \\# 4 01020304
svc HTTPS 1 . alpn=h2
_x._tcp SRV 0 0 80 ns
"
    .to_owned();
    (0..HOSTS).for_each(|at| zone += &format!("h{at} A 192.0.{}.{}\n", at / 256, at % 256));
    zone
}

fn start(addr: SocketAddr, folder: &Folder) -> Option<Running> {
    let program = find("nsd")?;
    folder.write("test.zone", zone());
    let path = folder.path().display();
    let config = format!(
        "server:\n ip-address: 127.0.0.9@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n \
         pidfile: \"{path}/pid\"\n database: \"\"\n zonelistfile: \"{path}/list\"\n xfrdfile: \"{path}/xfrd\"\n xfrdir: \"{path}\"\n \
         verbosity: 2\n\
         remote-control:\n control-enable: no\n\
         key:\n name: \"both.\"\n algorithm: hmac-sha256\n secret: \"{SECRET}\"\n\
         zone:\n name: \"test\"\n zonefile: \"test.zone\"\n provide-xfr: 127.0.0.0/8 NOKEY\n provide-xfr: 127.0.0.0/8 both.\n",
        port = addr.port()
    );
    let config = folder.write("nsd.conf", config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "nsd started"))
}

fn transfer(
    resolver: &DnsResolver,
    reactor: &Reactor,
    server: &NameServer,
    config: TransferConfig,
) -> Result<Vec<String>, TransferError> {
    let (resolver, server) = (resolver.clone(), server.clone());
    reactor
        .run_until(async move {
            let mut transfer = resolver.transfer(&server, "test", config).await?;
            let mut records = Vec::new();
            while let Some(event) = transfer.next().await? {
                match event {
                    TransferEvent::Whole { soa } => assert_eq!(soa.serial, 7),
                    TransferEvent::Added(record) => records.push(record.to_string()),
                    TransferEvent::End { serial } => assert_eq!(serial, 7),
                    event => panic!("{event:?}"),
                }
            }
            Ok(records)
        })
        .unwrap()
}

#[test]
fn transfers() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = start(addr, &folder) else { return };
    let reactor = Reactor::new().unwrap();
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let server = NameServer::new(addr);
    let plain = transfer(&resolver, &reactor, &server, TransferConfig::default()).unwrap();
    // All of the zone but its SOA record.
    assert_eq!(plain.len(), 9 + HOSTS);
    let key = |secret| TsigKey::from_base64("both.", TsigAlgorithm::HmacSha256, secret).unwrap();
    let signed =
        transfer(&resolver, &reactor, &server, TransferConfig::default().key(key(SECRET))).unwrap();
    assert_eq!(BTreeSet::from_iter(plain), BTreeSet::from_iter(signed));
    let wrong = TransferConfig::default().key(key("d3Jvbmc="));
    let error = transfer(&resolver, &reactor, &server, wrong).unwrap_err();
    assert!(matches!(error, TransferError::Signature(_) | TransferError::Refused(_)), "{error}");
    // A zone that is not there.
    let other = resolver.clone();
    let refused = reactor.run_until(async move {
        other.transfer(&server, "other", TransferConfig::default()).await?.next().await
    });
    let error = refused.unwrap().unwrap_err();
    assert!(matches!(error, TransferError::Refused(_)), "{error}");
}

/// Our answers are those that dig prints.
#[test]
fn the_same_answers_as_dig() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(dig) = find("dig") else { return };
    let Some(_running) = start(addr, &folder) else { return };
    let reactor = Reactor::new().unwrap();
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));
    let cases = [
        ("test", RecordType::SOA),
        ("test", RecordType::NS),
        ("test", RecordType::MX),
        ("mail.test", RecordType::AAAA),
        ("alias.test", RecordType::A),
        ("any.wild.test", RecordType::TXT),
        ("odd.test", RecordType::Unknown(65_280)),
        ("_x._tcp.test", RecordType::SRV),
        ("h7.test", RecordType::A),
        ("h7.test", RecordType::TXT),
        ("none.test", RecordType::A),
        ("other", RecordType::A),
    ];
    for (name, record_type) in cases {
        let question = Question::new(name.parse().unwrap(), record_type);
        let response = reactor
            .run_until(resolver.query_server(&NameServer::new(addr), question))
            .unwrap()
            .unwrap();
        let number = u16::from(record_type);
        let output = Command::new(&dig)
            .args([
                &*format!("@{}", addr.ip()),
                "-p",
                &addr.port().to_string(),
                "+noall",
                "+answer",
                "+comments",
                "-q",
                name,
            ])
            .args(["-t", &format!("TYPE{number}")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let status = format!("status: {}", code(response.metadata.response_code));
        assert!(text.contains(&status), "{name} {record_type}: {status}: {text}");
        let answers = text.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
        assert_eq!(response.answers.len(), answers.clone().count(), "{name} {record_type}: {text}");
        for (ours, theirs) in response.answers.iter().zip(answers) {
            let owner = theirs.split_whitespace().next().unwrap();
            assert_eq!(ours.name.to_ascii(), owner, "{name} {record_type}");
            if matches!(record_type, RecordType::A | RecordType::AAAA) {
                let data = theirs.split_whitespace().last().unwrap();
                assert_eq!(ours.data.to_string(), data, "{name} {record_type}");
            }
        }
    }
}

fn code(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::Refused => "REFUSED",
        _ => "another",
    }
}
