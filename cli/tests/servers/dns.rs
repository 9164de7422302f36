//! `sinew dns`: zones, lists, other servers, asked by `sinew dig` and, where they are installed, kdig and drill.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use super::{
    dig::dig,
    peers::{closed_port_at, has_program},
};
use crate::kit::{Scratch, Server, failure, send, sinew};

/// A zone with hosts enough for several messages over TCP.
pub(super) fn zone(serial: u32, hosts: usize) -> String {
    let mut text = format!(
        "$TTL 60\n@ SOA ns root {serial} 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.7\n\
         @ MX 10 mail\nmail AAAA 2001:db8::25\nversion TXT \"{serial}\"\nhostile TXT \"\\027[2J\" \"\\\"\"\n"
    );
    (0..hosts).for_each(|host| text += &format!("h{host} A 192.0.{}.{}\n", host / 256, host % 256));
    text
}

/// A server on a port of its own, with further arguments.
pub(super) fn serve(arguments: &[&str]) -> Server {
    Server::start(&[&["dns", "-l", "tcp:127.0.0.1:0"], arguments].concat())
}

#[test]
fn a_zone_over_udp_tcp_and_tls() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 1000)));
    let tls = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let server = serve(&["-l", &tls, "--zone", &zone, "--reactors", "2"]);
    let at = server.address();
    // Over both reactors.
    for _ in 0..8 {
        assert_eq!(dig(at, &["www.example.org", "+short"]), "192.0.2.7\n");
        assert_eq!(dig(at, &["www.example.org", "+short", "+tcp"]), "192.0.2.7\n");
    }
    let tls: SocketAddr = server.addresses[1].trim_start_matches("tls:").parse().unwrap();
    let over_tls = ["+tls", "--ca", &cert, "--server-name", "localhost", "www.example.org"];
    assert!(dig(tls, &over_tls).contains("(TLS)"));
    let port = tls.port().to_string();
    let (code, said) =
        failure(&["dig", "@127.0.0.1", "-p", &port, "+tls", "--ca", &cert, "+tries=1", "x"]);
    assert_eq!(code, 69, "the certificate is for another name: {said}");
    let (code, said) =
        failure(&["dig", "@127.0.0.1", "-p", &at.port().to_string(), "example.org", "AXFR"]);
    assert!(code == 76 && said.contains("the server responds REFUSED"), "{said}");
    server.stop();
}

#[test]
fn other_programs_get_the_same() {
    let scratch = Scratch::new();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 1000)));
    let server = serve(&["--zone", &zone, "--transfer", "127.0.0.0/8"]);
    let port = server.address().port().to_string();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for program in ["kdig", "dig"] {
        if has_program(program) {
            let ask = |arguments: &[&str]| {
                run(program, &[&["@127.0.0.1", "-p", &port], arguments].concat())
            };
            for tcp in ["+tcp", "+notcp"] {
                assert_eq!(ask(&["www.example.org", "+short", tcp]), "192.0.2.7\n");
            }
            assert!(ask(&["nobody.example.org"]).contains("NXDOMAIN"));
            let hosts = ask(&["example.org", "AXFR"]).matches("\tA\t192.0.").count();
            assert_eq!(hosts, 1001);
        }
    }
    if has_program("drill") {
        let said = run("drill", &["-p", &port, "@127.0.0.1", "mail.example.org", "AAAA"]);
        assert!(said.contains("2001:db8::25"), "{said}");
    }
    server.stop();
}

#[test]
fn files_are_read_again() {
    let scratch = Scratch::new();
    let zone_file = scratch.write("zone", &zone(7, 0));
    let list = scratch.write("list", "0.0.0.0 ads.example\n192.0.2.9 printer.example\n");
    let zone_of = format!("example.org={zone_file}");
    // By the signal.
    let mut server = serve(&["--zone", &zone_of, "--block", &list, "--watch", "1d"]);
    let at = server.address();
    assert_eq!(dig(at, &["printer.example", "+short"]), "192.0.2.9\n");
    assert!(dig(at, &["x.ads.example"]).contains("status: NXDOMAIN"));
    assert!(dig(at, &["other.example"]).contains("status: REFUSED"));
    scratch.write("list", "other.example # alone\n");
    scratch.write("zone", &zone(8, 0));
    server.signal(Signal::SIGHUP);
    server.all_lines(&["serial=8", "the lists are read again"]);
    assert_eq!(dig(at, &["version.example.org", "TXT", "+short"]), "\"8\"\n");
    assert!(dig(at, &["printer.example"]).contains("status: REFUSED"));
    assert!(dig(at, &["other.example"]).contains("status: NXDOMAIN"));
    // What is wrong changes nothing, and a serial number that went back is told.
    scratch.write("zone", "@ SOA\n");
    server.signal(Signal::SIGHUP);
    server.line("the zone stays as it was");
    assert_eq!(dig(at, &["version.example.org", "TXT", "+short"]), "\"8\"\n");
    scratch.write("zone", &zone(6, 0));
    server.signal(Signal::SIGHUP);
    server.line("the serial number went back");
    server.stop();
    // By themselves.
    let mut server = serve(&["--zone", &zone_of, "--block", &list, "--watch", "10ms"]);
    scratch.write("list", "a.example\nb.example\n");
    server.line("the lists are read again");
    scratch.write("zone", &zone(9, 3));
    server.line("serial=9");
    assert_eq!(dig(server.address(), &["version.example.org", "TXT", "+short"]), "\"9\"\n");
    server.stop();
}

#[test]
fn questions_are_forwarded_for_those_who_may() {
    let scratch = Scratch::new();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 0)));
    let list = scratch.write("list", "h1.example.org\n");
    let inner = serve(&["--zone", &zone]);
    let to = inner.address().to_string();
    let outer = serve(&["--forward", &to, "--block", &list]);
    let at = outer.address();
    let said = dig(at, &["www.example.org"]);
    assert!(said.contains("flags: qr rd ra;") && said.contains("192.0.2.7"), "{said}");
    assert!(dig(at, &["www.example.org", "+norecurse"]).contains("status: REFUSED"));
    assert!(dig(at, &["x.h1.example.org"]).contains("status: NXDOMAIN"));
    let over_tcp = serve(&["--forward", &format!("tcp:{to}")]);
    assert_eq!(dig(over_tcp.address(), &["www.example.org", "+short"]), "192.0.2.7\n");
    for server in [inner, outer, over_tcp] {
        server.stop();
    }
}

#[test]
fn questions_are_resolved_from_the_root_on() {
    let scratch = Scratch::new();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 0)));
    let root = serve(&["--zone", &zone]);
    let at = root.address().to_string();
    let server = serve(&["--recursive", "--root", &at, "--reactors", "2"]);
    let said = dig(server.address(), &["www.example.org"]);
    assert!(said.contains("flags: qr rd ra;") && said.contains("192.0.2.7"), "{said}");
    assert!(dig(server.address(), &["nobody.example.org"]).contains("status: NXDOMAIN"));
    assert!(dig(server.address(), &["x.example.org", "+norec"]).contains("status: REFUSED"));
    root.stop();
    server.stop();
}

#[test]
fn a_secondary_zone_with_keys_follows_and_is_stored() {
    let scratch = Scratch::new();
    let keys = scratch.write("keys", "# one\nhmac-sha256:both.:c2VjcmV0\n");
    let (code, said) = failure(&["dns", "--keys", &keys, "--zone", "a=b"]);
    assert!(code != 0 && said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::create_dir(scratch.path("store")).unwrap();
    let (store, file) = (scratch.text("store"), scratch.write("zone", &zone(7, 100)));
    let zone_of = format!("example.org={file}");
    let primary =
        ["--zone", &zone_of, "--keys", &keys, "--transfer-key", "both", "--watch", "10ms"];
    let first = serve(&primary);
    let of_first = format!("example.org={}", first.address());
    let mut second = serve(&[
        "--secondary",
        &of_first,
        "--store",
        &store,
        "--keys",
        &keys,
        "--secondary-key",
        "both",
    ]);
    second.line("a secondary zone is received");
    let at = second.address();
    assert_eq!(dig(at, &["version.example.org", "TXT", "+short"]), "\"7\"\n");
    // Without the key there is no transfer.
    let port = first.address().port().to_string();
    assert_eq!(failure(&["dig", "@127.0.0.1", "-p", &port, "example.org", "AXFR"]).0, 76);
    first.stop();
    second.stop();
    // The stored zone is served although the server is gone.
    let second = serve(&["--secondary", &of_first, "--store", &store]);
    while !dig(second.address(), &["version.example.org", "TXT", "+short"]).contains("\"7\"") {}
    second.stop();
}

#[test]
fn a_primary_tells_of_new_versions() {
    let scratch = Scratch::new();
    let keys = scratch.write("keys", "hmac-sha512:both:c2VjcmV0\n");
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let zone_of = format!("example.org={}", scratch.write("zone", &zone(7, 10)));
    let signed = ["--keys", &keys, "--zone", &zone_of, "--transfer-key", "both"];
    let primary = serve(&signed);
    let at = primary.address().to_string();
    let from = format!("example.org={at}");
    let mut secondary = serve(&["--keys", &keys, "--secondary", &from, "--secondary-key", "both"]);
    secondary.line("serial=7");
    // It is told where the secondary is only now: each chooses its port by itself.
    primary.stop();
    let (listen, notify) = (format!("tcp:{at}"), secondary.address().to_string());
    let more = ["--reactors", "2", "--notify", &notify, "--watch", "10ms"];
    let primary = Server::start(&[&["dns", "-l", &listen][..], &signed, &more].concat());
    scratch.write("zone", &zone(8, 10));
    secondary.line("serial=8");
    assert_eq!(dig(secondary.address(), &["version.example.org", "TXT", "+short"]), "\"8\"\n");
    primary.stop();
    secondary.stop();
}

#[test]
fn the_next_version_receives_on_the_same_sockets() {
    let scratch = Scratch::new();
    let pidfile = scratch.text("pid");
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 0)));
    let mut server = serve(&["--zone", &zone, "--pidfile", &pidfile]);
    let at = server.address();
    server.signal(Signal::SIGUSR2);
    server.all_lines(&["upgraded: that process serves", " stopped", " ready"]);
    for transport in ["+tcp", "+notcp"] {
        assert_eq!(dig(at, &["www.example.org", "+short", "+tries=1", transport]), "192.0.2.7\n");
    }
    send(scratch.read("pid").trim().parse().unwrap(), Signal::SIGTERM);
    assert!(server.end().0.success());
}

#[test]
fn a_service_of_a_file() {
    let scratch = Scratch::new();
    let file = scratch.write("zone", &zone(7, 0));
    let services = |names: &str| {
        format!(
            "[services.dns]\nlisten = \"tcp:127.0.0.1:0\"\nzone = [{names}]\nresponses_per_second = 0\n"
        )
    };
    let config = scratch.write("sinew.toml", &services(&format!("\"example.org={file}\"")));
    let mut server = Server::start(&["run", &config]);
    let at = server.address();
    assert!(dig(at, &["www.example.com"]).contains("status: REFUSED"));
    // Another zone is another service on the same sockets.
    let both = format!("\"example.org={file}\", \"example.com={file}\"");
    scratch.write("sinew.toml", &services(&both));
    server.signal(Signal::SIGHUP);
    server.line("1 changed");
    for transport in ["+tcp", "+notcp"] {
        assert_eq!(dig(at, &["www.example.com", "+short", transport]), "192.0.2.7\n");
    }
    server.stop();
}

/// An endpoint for a server of this test, while its port of TCP is held by a socket of the test. Nobody holds the one of UDP, but no other test uses
/// this address of this machine, where it is there.
fn endpoint(at: SocketAddr) -> String {
    format!("tcp:{}:interface={}:reuseport=yes", at.port(), at.ip())
}

#[test]
fn endpoints_in_another_order() {
    let scratch = Scratch::new();
    let [(first, _first_held), (second, _second_held)] =
        [(); 2].map(|()| closed_port_at(Ipv4Addr::new(127, 0, 0, 3)));
    let file = scratch.write("zone", &zone(7, 0));
    for reactors in [1, 2] {
        let program = |addresses: &[SocketAddr]| {
            let listen: Vec<_> = addresses.iter().map(|at| endpoint(*at)).collect();
            format!(
                "[reactor]\nreactors = {reactors}\n[services.dns]\nlisten = {listen:?}\n\
                 zone = [\"example.org={file}\"]\nresponses_per_second = 0\n"
            )
        };
        let config = scratch.write("sinew.toml", &program(&[first, second]));
        let mut server = Server::start(&["run", &config]);
        for addresses in [&[second, first][..], &[second], &[first, second]] {
            scratch.write("sinew.toml", &program(addresses));
            server.signal(Signal::SIGHUP);
            let line = server.line("reloaded");
            assert!(line.contains("1 changed"), "{line}");
            for at in addresses {
                for transport in ["+tcp", "+notcp"] {
                    let answer = dig(*at, &["www.example.org", "+short", transport]);
                    assert_eq!(answer, "192.0.2.7\n", "{at} {transport}");
                }
            }
        }
        server.stop();
    }
}

#[test]
fn mistakes_of_the_options() {
    let scratch = Scratch::new();
    let bad = scratch.write("bad.zone", "@ 60 SOA ns root 1 1 1 1 1\nwww 60 A 1.2.3\n");
    let bad_zone = format!("example.org={bad}");
    for (arguments, text) in [
        (&["dns"][..], "nothing to answer"),
        (&["dns", "--zone", "example.org"], "write the zone, = and its file"),
        (&["dns", "--zone", &bad_zone], "bad.zone:2:10"),
        (&["dns", "--secondary", "a=192.0.2.1", "--zone", "A=b"], "a. is given twice"),
        (&["dns", "--forward", "system", "--forward", "192.0.2.1"], "or to those that you name"),
        (&["dns", "--forward", "dns.example"], "is no server"),
        (&["dns", "--forward", "192.0.2.1", "--recursive"], "not both"),
        (&["dns", "--forward", "192.0.2.1", "--root", "192.0.2.1"], "that is recursive"),
        (&["dns", "--block", "/no/such/file"], "/no/such/file"),
        (&["dns", "--forward", "192.0.2.1", "--transfer-key", "x"], "there is no key"),
        (&["dns", "--forward", "192.0.2.1", "--allow", "10.0.0.0/33"], "is not a subnet"),
    ] {
        let output = sinew(&[arguments, &["-l", "tcp:127.0.0.1:0"]].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success() && said.contains(text), "{arguments:?}: {said}");
    }
}
