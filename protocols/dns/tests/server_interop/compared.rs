//! The same zones on NSD and on our server, and the same queries to both: the answers must have the same code, flags and records. Queries
//! are random: names in the zone and beside it, all types, DO on and off. `SINEW_DNS_QUERIES` sets how many; the default is 10,000 for the
//! plain zone, and 1,000 for each that is signed.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    process::Command,
};

use sinew_dns::{
    client::{DnsConfig, DnsResolver, NameServer},
    codec::{Message, Name, Question, Record, RecordType},
    server::{DnsServer, ServerConfig, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

use crate::{
    program::{Folder, Running, find, free_address},
    watchdog,
};

/// Names with everything that RFC 1034, 4592 and 6672 distinguish.
const PLAIN: &str = r#"$TTL 3600
@ SOA ns root 7 86400 7200 2419200 300
@ NS ns
@ NS ns.elsewhere.
@ MX 10 mail
@ TXT "the apex" "in two parts"
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail A 192.0.2.2
mail AAAA 2001:db8::2
www CNAME mail
chain CNAME www
out CNAME www.elsewhere.
gone CNAME nothing
a.b.c TXT "deep"
*.wild TXT "wild"
*.wild MX 5 mail
host.wild A 192.0.2.4
under.ent.wild A 192.0.2.5
*.wc CNAME mail
sub NS ns.sub
sub NS ns
ns.sub A 192.0.2.3
ns.sub AAAA 2001:db8::3
secure NS ns
secure DS 60485 8 2 2BB183AF5F22588179A53B0A98631FAD1A292118AABBCCDDEEFF00112233AABB
into CNAME host.sub
dn DNAME target
x.target A 192.0.2.9
srv._tcp SRV 1 2 80 mail
odd TYPE65280 \# 3 0a0b0c
caa CAA 0 issue "ca.example.net"
svc HTTPS 1 . alpn=h2,h3 port=8443
nap NAPTR 100 50 "s" "http" "" _http._tcp.example.
"#;

fn names(is_signed: bool) -> Vec<&'static str> {
    let mut names = vec![
        "",
        "ns",
        "mail",
        "www",
        "chain",
        "out",
        "gone",
        "a.b.c",
        "b.c",
        "c",
        "z.b.c",
        "z",
        "x.wild",
        "wild",
        "host.wild",
        "x.host.wild",
        "ent.wild",
        "x.ent.wild",
        "under.ent.wild",
        "a.b.wild",
        "x.wc",
        "a.x.wc",
        "wc",
        "sub",
        "ns.sub",
        "x.sub",
        "a.b.sub",
        "secure",
        "x.secure",
        "into",
        "srv._tcp",
        "_tcp",
        "odd",
        "caa",
        "svc",
        "nap",
        "nap.nap",
        "*.wild",
        "*",
        "MAIL",
        "ZZZ",
    ];
    if !is_signed {
        names.extend(["dn", "x.dn", "y.dn", "target", "x.target"]);
    }
    names
}

const TYPES: [u16; 20] =
    [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 43, 46, 47, 48, 50, 65, 257, 65_280, 99];

const RRSIG: u16 = 46;
const NSEC3: u16 = 50;

/// Runs NSD with a zone.
fn nsd(folder: &Folder, addr: SocketAddr, text: &str) -> Option<Running> {
    let program = find("nsd")?;
    folder.write("example.zone", text);
    let path = folder.path().display();
    let config = format!(
        "server:\n ip-address: 127.0.0.9@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n \
         pidfile: \"{path}/pid\"\n database: \"\"\n zonelistfile: \"{path}/list\"\n xfrdfile: \"{path}/xfrd\"\n xfrdir: \"{path}\"\n \
         verbosity: 2\n minimal-responses: yes\n rrl-ratelimit: 0\n\
         remote-control:\n control-enable: no\n\
         zone:\n name: \"example\"\n zonefile: \"example.zone\"\n",
        port = addr.port()
    );
    let config = folder.write("nsd.conf", config);
    Some(Running::start(Command::new(program).arg("-d").arg("-c").arg(config), "nsd started"))
}

/// Numbers that look random, from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, max: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % max
    }

    /// A question, and how it is shown.
    fn question(&mut self, names: &[&str]) -> Option<(String, Question)> {
        let name = names[self.below(names.len())];
        let name = match self.below(8) {
            0 => format!("q{}.{name}", self.below(50)),
            1 => format!("a.*.{name}"),
            _ => name.to_owned(),
        };
        let name = format!("{name}.example.").replace("..", ".");
        let name = name.trim_start_matches('.');
        let record_type = TYPES[self.below(TYPES.len())];
        let is_dnssec = self.below(2) == 0;
        // Signatures alone are answered with one set here, and with all by NSD, which does not follow an alias for NSEC3.
        if matches!(record_type, RRSIG | NSEC3) {
            return None;
        }
        let question = Question::new(Name::from_ascii(name).unwrap(), record_type.into())
            .dnssec_ok(is_dnssec)
            .recursion_desired(false);
        Some((format!("{name} {} DO {is_dnssec}", RecordType::from(record_type)), question))
    }
}

/// What is compared of a response.
#[derive(PartialEq, Eq, Debug)]
struct Compared {
    code: String,
    is_authoritative: bool,
    answers: BTreeSet<String>,
    authorities: BTreeSet<String>,
    additionals: BTreeSet<String>,
}

fn compared(message: &Message) -> Compared {
    // Data as bytes: some types have no text in the codec.
    let line = |record: &Record| {
        let data = sinew_dns::zone::text_of(record).unwrap_or_default();
        data.to_ascii_lowercase()
    };
    let lines = |records: &[Record]| records.iter().map(line).collect();
    Compared {
        code: message.metadata.response_code.to_string(),
        is_authoritative: message.metadata.authoritative,
        answers: lines(&message.answers),
        authorities: lines(&message.authorities),
        additionals: lines(&message.additionals),
    }
}

/// To a question for the records of a wildcard itself, NSD adds a proof with NSEC3 that RFC 5155, section 7.2.3, does not ask for.
fn is_same(asked: &str, ours: &Compared, theirs: &Compared) -> bool {
    let adds_a_proof = asked.starts_with("*.") && theirs.authorities.is_superset(&ours.authorities);
    let is_same_else = (&ours.code, ours.is_authoritative, &ours.answers)
        == (&theirs.code, theirs.is_authoritative, &theirs.answers);
    // NSD is told to leave out what can be asked for: all but the addresses that a delegation needs.
    let is_referral = ours.answers.is_empty() && !ours.is_authoritative;
    let is_same_beside = if is_referral {
        ours.additionals == theirs.additionals
    } else {
        ours.additionals.is_superset(&theirs.additionals)
    };
    let is_same_above = is_same_else && ours.authorities == theirs.authorities;
    (is_same_above || adds_a_proof && is_same_else) && is_same_beside
}

fn compare(text: &str, is_signed: bool, seed: u64) {
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = nsd(&folder, addr, text) else { return };
    let zones = Zones::new();
    let origin: Name = "example.".parse().unwrap();
    zones.insert(Zone::parse(text, &origin).unwrap());
    let reactor = Reactor::new().unwrap();
    let config = ServerConfig::default().responses_per_second(None);
    let server = DnsServer::with_config(zones, config);
    let ours = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap();
    let (theirs, ours) = (NameServer::tcp(addr), NameServer::tcp(ours.local()));
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([addr]));

    let queries = std::env::var("SINEW_DNS_QUERIES");
    let default = if is_signed { 1_000 } else { 10_000 };
    let queries = queries.ok().and_then(|it| it.parse().ok()).unwrap_or(default);
    let names = names(is_signed);
    // One run: the ports of a server end with it.
    let comparing = async move {
        let (mut random, mut differences) = (Random(seed), Vec::new());
        for _ in 0..queries {
            let Some((asked, question)) = random.question(&names) else { continue };
            let ask = async |server: &NameServer| match resolver
                .query_server(server, question.clone())
                .await
            {
                Ok(message) => compared(&message),
                Err(error) => panic!("{server} {asked}: {error}"),
            };
            let (ours, theirs) = (ask(&ours).await, ask(&theirs).await);
            if !is_same(&asked, &ours, &theirs) {
                differences.push(format!("{asked}\n ours {ours:#?}\n theirs {theirs:#?}"));
            }
        }
        differences
    };
    let differences: Vec<String> = reactor.run_until(comparing).unwrap();
    assert!(
        differences.is_empty(),
        "{} of {queries} answers differ:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n")
    );
}

#[test]
fn the_same_answers_as_nsd() {
    watchdog::watch_this_test();
    compare(PLAIN, false, 1);
}

/// Signs the zone by `ldns-signzone`, which comes with ldnsutils, and compares.
fn compare_signed(seed: u64, options: &[&str]) {
    let (Some(keygen), Some(signzone)) = (find("ldns-keygen"), find("ldns-signzone")) else {
        return;
    };
    let folder = Folder::new();
    let lines = PLAIN.lines().filter(|line| !line.contains("DNAME") && !line.contains("x.target"));
    let text = lines.fold(String::from("$ORIGIN example.\n"), |text, line| text + line + "\n");
    let zone = folder.write("plain.zone", text);
    let key = Command::new(keygen)
        .args(["-a", "ECDSAP256SHA256", "-r", "/dev/urandom", "example"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let key = String::from_utf8(key.stdout).unwrap();
    let output = Command::new(&signzone)
        .args(options)
        .args(["-f", "signed.zone"])
        .arg(&zone)
        .arg(key.trim())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let signed = std::fs::read_to_string(folder.path().join("signed.zone")).unwrap();
    compare(&signed, true, seed);
}

#[test]
fn the_same_answers_as_nsd_with_nsec() {
    watchdog::watch_this_test();
    compare_signed(2, &[]);
}

#[test]
fn the_same_answers_as_nsd_with_nsec3() {
    watchdog::watch_this_test();
    compare_signed(3, &["-n", "-t", "3", "-s", "aabb"]);
}

#[test]
fn the_same_answers_as_nsd_with_opt_out() {
    watchdog::watch_this_test();
    compare_signed(4, &["-n", "-p"]);
}

/// Both answer over UDP as well: the same small answer, byte for byte but for the identifier.
#[test]
fn the_same_bytes_as_nsd_over_udp() {
    watchdog::watch_this_test();
    let (folder, addr) = (Folder::new(), free_address());
    let Some(_running) = nsd(&folder, addr, PLAIN) else { return };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(addr).unwrap();
    let query = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x04mail\x07example\0\0\x01\0\x01";
    socket.send(query).unwrap();
    let mut theirs = [0; 512];
    let len = socket.recv(&mut theirs).unwrap();

    let zones = Zones::new();
    zones.insert(Zone::parse(PLAIN, &"example.".parse().unwrap()).unwrap());
    let reactor = Reactor::new().unwrap();
    let ports = DnsServer::new(zones).listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(ports.local()).unwrap();
    let answer = reactor.defer_to_thread(move || {
        socket.send(query).unwrap();
        let mut ours = [0; 512];
        let len = socket.recv(&mut ours).unwrap();
        ours[..len].to_vec()
    });
    let ours = reactor.run_until(answer).unwrap().unwrap();
    assert_eq!(ours, theirs[..len]);
}
