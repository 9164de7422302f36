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

    fn run(&self, args: &str) -> String {
        let mut command = Command::new(&self.program);
        command.args([&format!("@{}", self.addr.ip()), "-p", &self.addr.port().to_string()]);
        command.args(args.split(' '));
        let output = self.reactor.defer_to_thread(move || command.output());
        let output = self.reactor.run_until(output).unwrap().unwrap().unwrap();
        String::from_utf8(output.stdout).unwrap()
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
    for (args, expected) in cases {
        assert_eq!(dig.run(args), expected, "{args}");
    }
    let text = dig.run("+qr +cookie nothing.example A");
    assert!(text.contains("status: NXDOMAIN") && text.contains("(good)"), "{text}");
    let text = dig.run("+edns=1 +noednsnegotiation h7.example A");
    assert!(text.contains("status: BADVERS"), "{text}");
    let text = dig.run(&format!("-y hmac-sha256:both.:{SECRET} h7.example A"));
    assert!(text.contains("status: NOERROR") && !text.contains("Couldn't verify"), "{text}");
    let text = dig.run("-y hmac-sha256:both.:d3Jvbmc= h7.example A");
    assert!(text.contains("status: NOTAUTH") && text.contains("BADSIG"), "{text}");
    assert!(dig.run("+notcp other A").contains("status: REFUSED"));
}

#[test]
fn whole_zone_to_dig() {
    watchdog::watch_this_test();
    let Some(dig) = Dig::new(config()) else { return };
    assert!(dig.run("example AXFR").contains("Transfer failed"), "without a key");
    let text = dig.run(&format!("-y hmac-sha256:both.:{SECRET} +nocomments +noall +answer +onesoa example AXFR"));
    assert!(!text.contains("Couldn't verify"), "{}", &text[..2000]);
    let text: String = text.lines().filter(|line| !line.starts_with(';') && !line.contains("TSIG")).fold(String::new(), |all, line| all + line + "\n");
    // What dig prints is the zone, byte for byte.
    assert_eq!(Zone::parse(&text, &origin()).unwrap().to_string(), zone().to_string());
}
