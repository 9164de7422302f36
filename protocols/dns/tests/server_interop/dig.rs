//! dig asks our server: over UDP and TCP, with cookies, with a signature, for a whole zone.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use sinew_dns::{
    codec::{
        Name,
        tsig::{TsigAlgorithm, TsigKey},
    },
    server::{Acl, DnsServer, ServerConfig, TransferAccess, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

use crate::{program::find, watchdog};

/// The base64 of "a secret of both ends".
const SECRET: &str = "YSBzZWNyZXQgb2YgYm90aCBlbmRz";

/// Hosts in the zone: a transfer of several messages.
const HOSTS: usize = 5000;

fn origin() -> Name {
    "example.".parse().unwrap()
}

fn zone() -> Zone {
    let mut text = String::from(
        "$TTL 300\n@ SOA ns root 7 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nMixed.Case TXT \"a b\" \"\\\"\\255\"\n\
         odd TYPE65280 \\# 4 01020304\nsvc HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1\n",
    );
    (0..HOSTS).for_each(|at| text += &format!("h{at} A 192.0.{}.{}\n", at / 256, at % 256));
    Zone::parse(text, &origin()).unwrap()
}

struct Dig {
    program: PathBuf,
    reactor: Reactor,
    addr: SocketAddr,
}

impl Dig {
    fn new(config: ServerConfig) -> Option<Self> {
        let program = find("dig")?;
        let zones = Zones::new();
        zones.insert(zone());
        zones.allow_transfers(TransferAccess::new(Acl::loopback()).key("both.".parse().unwrap()));
        let reactor = Reactor::new().unwrap();
        let server = DnsServer::with_config(zones, config);
        let addr = server.listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap().local();
        Some(Self { program, reactor, addr })
    }

    /// Runs dig with each of these arguments, all while the server runs once: its ports end with the run.
    fn run(&self, all: Vec<String>) -> Vec<String> {
        let (reactor, program, addr) = (self.reactor.clone(), self.program.clone(), self.addr);
        let outputs = async move {
            let mut outputs = Vec::new();
            for args in all {
                let mut command = Command::new(&program);
                command.args([&format!("@{}", addr.ip()), "-p", &addr.port().to_string()]);
                command.args(args.split(' '));
                let output = reactor.defer_to_thread(move || command.output()).await.unwrap();
                outputs.push(String::from_utf8(output.unwrap().stdout).unwrap());
            }
            outputs
        };
        self.reactor.run_until(outputs).unwrap()
    }
}

fn config() -> ServerConfig {
    let key = TsigKey::from_base64("both.", TsigAlgorithm::HmacSha256, SECRET).unwrap();
    ServerConfig::default().key(key)
}

#[test]
fn answers_to_dig() {
    watchdog::watch_this_test();
    let Some(dig) = Dig::new(config()) else { return };
    let cases = [
        ("+short h7.example A", "192.0.0.7\n"),
        ("+short +tcp h7.example A", "192.0.0.7\n"),
        ("+short +tcp +keepopen h7.example A h8.example A", "192.0.0.7\n192.0.0.8\n"),
        ("+short +noedns MIXED.case.example TXT", "\"a b\" \"\\\"\\255\"\n"),
        ("+short odd.example TYPE65280", "\\# 4 01020304\n"),
    ];
    let more = [
        "+qr +cookie nothing.example A".to_owned(),
        "+edns=1 +noednsnegotiation h7.example A".to_owned(),
        format!("-y hmac-sha256:both.:{SECRET} h7.example A"),
        "-y hmac-sha256:both.:d3Jvbmc= h7.example A".to_owned(),
        "+notcp other A".to_owned(),
    ];
    let all = cases.iter().map(|(args, _)| (*args).to_owned()).chain(more).collect();
    let outputs = dig.run(all);
    for ((args, expected), output) in cases.iter().zip(&outputs) {
        assert_eq!(output, expected, "{args}");
    }
    let [.., cookie, version, signed, wrong, other] = outputs.as_slice() else { panic!("too few") };
    assert!(cookie.contains("status: NXDOMAIN") && cookie.contains("(good)"), "{cookie}");
    assert!(version.contains("status: BADVERS"), "{version}");
    assert!(signed.contains("status: NOERROR"), "{signed}");
    assert!(!signed.contains("Couldn't verify"), "{signed}");
    assert!(wrong.contains("status: NOTAUTH") && wrong.contains("BADSIG"), "{wrong}");
    assert!(other.contains("status: REFUSED"), "{other}");
}

#[test]
fn whole_zone_to_dig() {
    watchdog::watch_this_test();
    let Some(dig) = Dig::new(config()) else { return };
    let outputs = dig.run(vec![
        "example AXFR".to_owned(),
        format!("-y hmac-sha256:both.:{SECRET} +noall +answer +onesoa example AXFR"),
    ]);
    assert!(outputs[0].contains("Transfer failed"), "without a key: {}", outputs[0]);
    let text = &outputs[1];
    assert!(!text.contains("Couldn't verify"), "{}", &text[..2000]);
    let lines = text.lines().filter(|line| !line.starts_with(';') && !line.contains("TSIG"));
    let text = lines.fold(String::new(), |all, line| all + line + "\n");
    // What dig prints is the zone, byte for byte.
    assert_eq!(Zone::parse(&text, &origin()).unwrap().to_string(), zone().to_string());
}
