//! `sinew dig` against `sinew dns`, and against nsd where it is installed.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
};

use super::{
    dns::{serve, zone},
    peers::{Running, closed_port, free_port, has_program},
};
use crate::kit::{Scratch, Server, failure, output};

/// How often nsd is started, at most, until it has a port of its own.
const NSD_STARTS: usize = 20;

/// What it prints for these words, asked at this address.
pub(super) fn dig(at: SocketAddr, words: &[&str]) -> String {
    let (server, port) = (format!("@{}", at.ip()), at.port().to_string());
    let output = output(&[&["dig", &server, "-p", &port], words].concat());
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("ASCII")
}

#[test]
fn long_and_short_output() {
    let scratch = Scratch::new();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 0)));
    let server = serve(&["--zone", &zone]);
    let at = server.address();
    let said = dig(
        at,
        &["www.example.org", "+norecurse", "example.org", "MX", "nobody.example.org", "+cd"],
    );
    for line in [
        "; <<>> sinew 0.1.0 <<>> @127.0.0.1 www.example.org",
        ";; flags: qr aa cd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1",
        ";www.example.org.\t\tIN\tA",
        "www.example.org.\t60\tIN\tA\t192.0.2.7",
        "example.org.\t60\tIN\tMX\t10 mail.example.org.",
        "mail.example.org.\t60\tIN\tAAAA\t2001:db8::25",
        "status: NXDOMAIN",
        "example.org.\t60\tIN\tSOA\tns.example.org. root.example.org. 7 3600 600 86400 60",
        ";; SERVER: 127.0.0.1#",
        ";; MSG SIZE  rcvd: ",
    ] {
        assert!(said.lines().any(|it| it.contains(line)), "{line}\n{said}");
    }
    // What could change the terminal is escaped.
    assert_eq!(dig(at, &["hostile.example.org", "txt", "+short"]), "\"\\027[2J\" \"\\\"\"\n");
    assert!(dig(at, &["-x", "192.0.2.7"]).contains(";7.2.0.192.in-addr.arpa.\t\tIN\tPTR"));
    assert!(dig(at, &["m\u{fc}nchen.example.org"]).contains(";xn--mnchen-3ya.example.org."));
    server.stop();
}

#[test]
fn a_response_that_was_cut_is_asked_for_over_tcp() {
    let scratch = Scratch::new();
    let mut text = zone(7, 0);
    (0..100).for_each(|at| text += &format!("many A 192.0.2.{at}\n"));
    let zone = format!("example.org={}", scratch.write("zone", &text));
    let server = serve(&["--zone", &zone]);
    let said = dig(server.address(), &["many.example.org"]);
    assert!(said.contains("ANSWER: 100") && said.contains("(TCP)"), "{said}");
    server.stop();
}

#[test]
fn a_zone_is_transferred() {
    let scratch = Scratch::new();
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 3000)));
    let server = serve(&["--zone", &zone, "--transfer", "127.0.0.1"]);
    let said = dig(server.address(), &["example.org", "axfr"]);
    assert_eq!(said.matches("\tA\t192.0.").count(), 3001);
    assert_eq!(said.matches("\tSOA\t").count(), 2);
    assert!(said.contains(";; XFR size: 3009 records (messages "), "{}", &said[said.len() - 300..]);
    server.stop();
}

#[test]
fn the_way_from_the_root() {
    let scratch = Scratch::new();
    let root = "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS a.root.\na.root. A 127.0.0.1\n\
                example.org. NS ns.example.org.\nns.example.org. A 127.0.0.2\n\
                lame.example. NS ns.lame.example.\nns.lame.example. A 127.0.0.2\n";
    let root = format!(".={}", scratch.write("root", root));
    let root = serve(&["--zone", &root]);
    // The port is the same for all servers, as with dig.
    let listen = format!("tcp:127.0.0.2:{}", root.address().port());
    let zone = format!("example.org={}", scratch.write("zone", &zone(7, 0)));
    let child = Server::start(&["dns", "-l", &listen, "--zone", &zone]);
    let said = dig(root.address(), &["www.example.org", "+trace"]);
    let lines: Vec<_> =
        said.lines().filter(|line| line.contains("\tIN\t") || line.contains(" from ")).collect();
    let (one, two) = (
        root.address().to_string().replace(':', "#"),
        child.address().to_string().replace(':', "#"),
    );
    for (line, parts) in lines.iter().zip([
        [".\t60\tIN\tNS\ta.root.", ""],
        [";; Received ", &one],
        ["example.org.\t60\tIN\tNS\tns.example.org.", ""],
        [";; Received ", &one],
        ["www.example.org.\t60\tIN\tA\t192.0.2.7", ""],
        [";; Received ", &two],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}\n{said}");
    }
    assert_eq!(lines.len(), 6, "{said}");
    let said = dig(root.address(), &["nobody.example.org", "+trace"]);
    assert!(said.contains(";; status: NXDOMAIN"), "{said}");
    let port = root.address().port().to_string();
    let lame =
        output(&["dig", "@127.0.0.1", "-p", &port, "www.lame.example", "+trace", "+tries=1"]);
    let said = String::from_utf8(lame.stdout).unwrap();
    assert!(lame.status.code() == Some(69) && said.contains(" responds REFUSED"), "{said}");
    root.stop();
    child.stop();
}

#[test]
fn failures_have_exit_codes() {
    let (at, _held) = closed_port();
    let port = at.port().to_string();
    let (code, said) = failure(&["dig", "@127.0.0.1", "-p", &port, "example.org", "+tries=1"]);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("no server has answered the question for example.org."), "{said}");
    let (code, said) = failure(&["dig", "@127.0.0.1", "-p", &port, "example.org", "AXFR"]);
    assert_eq!(code, 69, "{said}");
    for (words, text) in [(["+bogus"], "unknown flag +bogus"), (["a..b"], "is not a name")] {
        let (code, said) = failure(&["dig", "@127.0.0.1", words[0]]);
        assert!(code == 64 && said.contains(text), "{said}");
    }
}

/// nsd in the foreground, and its address.
fn start_nsd(scratch: &Scratch) -> (Running, SocketAddr) {
    scratch.write("test.zone", &zone(7, 3000));
    let mut said = String::new();
    for _ in 0..NSD_STARTS {
        let at = free_port();
        match try_nsd(scratch, at) {
            Ok(nsd) => return (nsd, at),
            Err(text) => said = text,
        }
    }
    panic!("nsd does not start: {said}");
}

/// What nsd has said, if it ends: the port may be another program's by now.
fn try_nsd(scratch: &Scratch, at: SocketAddr) -> Result<Running, String> {
    let path = scratch.text("");
    let config = format!(
        "server:\n ip-address: 127.0.0.1@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n \
         pidfile: \"{path}/pid\"\n database: \"\"\n zonelistfile: \"{path}/list\"\n xfrdfile: \"{path}/xfrd\"\n xfrdir: \"{path}\"\n\
         remote-control:\n control-enable: no\n\
         zone:\n name: \"example.org\"\n zonefile: \"test.zone\"\n provide-xfr: 127.0.0.1 NOKEY\n",
        port = at.port()
    );
    let config = scratch.write("nsd.conf", &config);
    let mut command = Command::new("nsd");
    command.args(["-d", "-V", "2", "-c", &config]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("nsd can be started");
    let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
    let nsd = Running(child);
    let mut said = String::new();
    while !said.contains("nsd started") {
        if log.read_line(&mut said).expect("a log") == 0 {
            return Err(said);
        }
    }
    // It goes on to write.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Ok(nsd)
}

#[test]
fn another_server_is_asked() {
    if !has_program("nsd") {
        return;
    }
    let scratch = Scratch::new();
    let (_nsd, at) = start_nsd(&scratch);
    assert_eq!(
        dig(at, &["www.example.org", "+short", "mail.example.org", "aaaa"]),
        "192.0.2.7\n2001:db8::25\n"
    );
    let said = dig(at, &["nobody.example.org", "+dnssec"]);
    assert!(said.contains("status: NXDOMAIN") && said.contains("flags: do;"), "{said}");
    assert!(dig(at, &["version.bind", "CH", "TXT"]).contains("\tCH\tTXT\t\"NSD"));
    assert_eq!(dig(at, &["example.org", "AXFR"]).matches("\tA\t192.0.").count(), 3001);
    // A secondary zone of it.
    let mut second =
        serve(&["--secondary", &format!("example.org={at}"), "--transfer", "127.0.0.1"]);
    second.line("a secondary zone is received");
    assert_eq!(
        dig(second.address(), &["example.org", "AXFR"]).matches("\tA\t192.0.").count(),
        3001
    );
    second.stop();
}
