//! What `sinew check`, the start of a server and a reload say of certificates that clients will refuse.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

use super::{
    password,
    warnings::{mail, users_file, warnings},
};
use crate::kit::{Scratch, Server, sinew};

const DAY: i64 = 86_400;

/// Writes a certificate for these names, which is valid for these days from now, and its key.
fn write(scratch: &Scratch, file: &str, names: &[&str], days: (i64, i64)) -> String {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            .expect("ASCII");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let at = |days: i64| {
        let seconds = i64::try_from(now.as_secs()).expect("a few of them") + days * DAY;
        date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).expect("after 1970"))
    };
    (params.not_before, params.not_after) = (at(days.0), at(days.1));
    write_params(scratch, file, &params)
}

fn write_params(scratch: &Scratch, file: &str, params: &CertificateParams) -> String {
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    scratch.write(&format!("{file}.key"), &key.serialize_pem());
    scratch.write(file, &pem)
}

/// Writes what servers need beside certificates.
fn prepare(scratch: &Scratch) {
    scratch.write("aliases", "");
    users_file(scratch, &password::line_of("ann"));
    std::fs::create_dir_all(scratch.path("public")).expect("a folder");
}

/// The service, with `<file>` for the files of the directory.
fn service(scratch: &Scratch, server: &str, options: &str) -> String {
    let common = match server {
        "mail" => {
            "mailboxes = '<boxes>'\nqueue = '<queue>'\nusers = '<users>'\npostmaster = 'ann'\n"
        }
        "xmpp" => "storage = '<storage>'\nusers = '<users>'\n",
        "news" => "spool = '<spool>'\n",
        "http" => "directory = '<public>'\n",
        _ => "",
    };
    let text = format!("[services.{server}]\n{common}{options}\n")
        .replace('<', &format!("{}/", scratch.text("")).replace("//", "/"));
    text.replace('>', "")
}

/// The parts of the warnings of a check, behind the place and the name of the service.
fn found(scratch: &Scratch, server: &str, options: &str) -> Vec<String> {
    let folder = scratch.text("");
    let of_service = format!("services.{server}: ");
    warnings(scratch, &service(scratch, server, options))
        .iter()
        .map(|line| line.split_once(&of_service).expect("the service").1.replace(&folder, ""))
        .collect()
}

#[test]
fn a_certificate_is_for_the_name_by_which_clients_know_the_server() {
    const CERT: &str = "cert = '<c>'\nkey = '<c.key>'\n";
    let scratch = Scratch::new();
    prepare(&scratch);
    let tls = |key: &str| format!("{key} = ['tls:0:cert=<c>:key=<c.key>']\n");
    for (server, options, names, missing) in [
        (
            "mail",
            format!("hostname = 'mail.example.org'\ndomain = ['example.org']\n{CERT}"),
            &["mail.example.org"][..],
            &[][..],
        ),
        ("mail", format!("hostname = 'MAIL.example.org'\n{CERT}"), &["*.example.org"], &[]),
        (
            "mail",
            format!("hostname = 'mail.example.org'\n{CERT}"),
            &["example.org", "a.mail.example.org"],
            &["mail.example.org (hostname)"],
        ),
        (
            "mail",
            format!("hostname = 'a.mail.example.org'\n{CERT}"),
            &["*.example.org"],
            &["a.mail.example.org (hostname)"],
        ),
        (
            "mail",
            format!("hostname = 'mail.example.org'\n{CERT}"),
            &["ma*.example.org"],
            &["mail.example.org (hostname)"],
        ),
        (
            "mail",
            format!(
                "hostname = 'mail.example.org'\n{CERT}submissions = 'tcp:0'\nimaps = 'tcp:0'\n"
            )
            .replace("'tcp:0'", "['tcp:0']"),
            &["example.org"],
            &["mail.example.org (hostname)"],
        ),
        (
            "mail",
            format!("hostname = 'mail.example.org'\n{}", tls("imaps")),
            &["example.org"],
            &["mail.example.org (hostname)"],
        ),
        ("xmpp", format!("domain = 'example.org'\n{CERT}"), &["example.org"], &[]),
        (
            "xmpp",
            format!("domain = 'example.org'\n{CERT}"),
            &["xmpp.example.org"],
            &["example.org (domain)"],
        ),
        ("xmpp", format!("domain = 'bücher.example'\n{CERT}"), &["xn--bcher-kva.example"], &[]),
        (
            "xmpp",
            format!(
                "domain = 'example.org'\nupload_url = 'https://up.example.org/x'\nupload_https = ['tcp:0']\n{CERT}"
            ),
            &["example.org"],
            &["up.example.org (upload_url)"],
        ),
        (
            "xmpp",
            format!(
                "domain = 'example.org'\nupload_url = 'https://up.example.org/x'\nupload_http = ['tcp:0:interface=127.0.0.1']\n{CERT}"
            ),
            &["example.org"],
            &[],
        ),
        (
            "xmpp",
            format!(
                "domain = 'example.org'\nupload_url = 'https://192.0.2.7:5443/x'\nupload_https = ['tcp:0']\n{CERT}"
            ),
            &["192.0.2.7"],
            &["example.org (domain)"],
        ),
        (
            "xmpp",
            format!("domain = 'example.org'\nplaintext_logins = true\n{}", tls("direct_tls")),
            &["example.net"],
            &["example.org (domain)"],
        ),
        ("irc", format!("name = 'irc.example.org'\n{}", tls("listen")), &["irc.example.org"], &[]),
        (
            "irc",
            format!("name = 'irc.example.org'\n{}", tls("listen")),
            &["example.org"],
            &["irc.example.org (name)"],
        ),
        ("irc", tls("listen"), &["example.org"], &[]),
        ("news", format!("name = 'news.example.org'\n{CERT}"), &["news.example.org"], &[]),
        (
            "news",
            format!("name = 'news.example.org'\n{CERT}"),
            &["example.org"],
            &["news.example.org (name)"],
        ),
        (
            "news",
            format!("name = 'news.example.org'\n{}", tls("listen")),
            &["example.org"],
            &["news.example.org (name)"],
        ),
        ("http", tls("listen"), &["example.org"], &[]),
        ("http", "listen = ['tcp:0']\n".to_owned(), &["example.org"], &[]),
    ] {
        write(&scratch, "c", names, (-1, 90));
        let expected: Vec<_> = missing
            .iter()
            .map(|missing| {
                format!(
                    "c: the certificate is for {}, and not for {missing}: clients refuse it",
                    names.join(", ")
                )
            })
            .collect();
        assert_eq!(found(&scratch, server, &options), expected, "{server}: {options}");
    }
}

#[test]
fn a_certificate_is_valid_and_will_be_for_some_time() {
    const EXPIRED: &str = "c: the certificate has expired, at ";
    const LATER: &str = "c: the certificate is valid from ";
    const SOON: &str = "c: the certificate expires soon, at ";
    let scratch = Scratch::new();
    prepare(&scratch);
    for (days, expected) in [
        ((-1, 90), None),
        ((-76, 15), None),
        ((-78, 13), Some(SOON)),
        ((-90, -1), Some(EXPIRED)),
        ((1, 90), Some(LATER)),
        // One that is for six days only is good for the first four.
        ((-3, 3), None),
        ((-5, 1), Some(SOON)),
    ] {
        write(&scratch, "c", &["localhost"], days);
        for (server, options) in [
            ("mail", "hostname = 'localhost'\ncert = '<c>'\nkey = '<c.key>'\n"),
            ("http", "listen = ['tls:0:cert=<c>:key=<c.key>']\n"),
            ("http", "listen = ['proxy:tls:0:cert=<c>:key=<c.key>:trust=127.0.0.1']\n"),
            ("irc", "websocket = ['tls:0:cert=<c>:key=<c.key>']\n"),
            ("chat", "http = ['tls:0:cert=<c>:key=<c.key>']\n"),
            ("echo", "listen = ['tls:0:cert=<c>:key=<c.key>']\n"),
        ] {
            let found = found(&scratch, server, options);
            assert_eq!(
                found.len(),
                usize::from(expected.is_some()),
                "{server} {days:?}: {found:?}"
            );
            let Some((text, expected)) = found.first().zip(expected) else { continue };
            let time = text.strip_prefix(expected).and_then(|rest| rest.get(..20));
            let time = time.unwrap_or_else(|| panic!("{days:?}: {text}"));
            // As in RFC 3339.
            let form: String = time.replace(|byte: char| byte.is_ascii_digit(), "0");
            assert_eq!(form, "0000-00-00T00:00:00Z", "{text}");
        }
    }
}

#[test]
fn one_of_several_certificates_is_enough() {
    let scratch = Scratch::new();
    prepare(&scratch);
    write(&scratch, "c", &["example.net"], (-1, 90));
    write(&scratch, "d", &["irc.example.org"], (-20, 2));
    let listen = "listen = ['tls:0:cert=<c>,<d>:key=<c.key>,<d.key>']\n";
    let of_irc = |name| found(&scratch, "irc", &format!("name = '{name}'\n{listen}"));
    let expires = |text: &str| text.starts_with("d: the certificate expires soon, at ");
    assert!(matches!(&of_irc("irc.example.org")[..], [one] if expires(one)));
    let other = of_irc("irc.example.com");
    assert_eq!(
        other[0],
        "c, d: the certificate is for example.net, irc.example.org, and not for irc.example.com (name): clients refuse it"
    );
    assert!(expires(&other[1]) && other.len() == 2, "{other:?}");
}

#[test]
fn names_of_certificates_are_bounded_and_escaped() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let options = "hostname = 'mail.example.org'\ncert = '<c>'\nkey = '<c.key>'\n";
    let name = |text: &str| SanType::DnsName(text.try_into().expect("ASCII"));
    let long = "x".repeat(30_000);
    for (names, expected) in [
        (vec![], "c: the certificate has no name (subjectAltName), and so is not for mail.example.org (hostname): clients refuse it".to_owned()),
        (vec![name("a\nwarning: b\u{1b}[2J")], r"c: the certificate is for a\nwarning: b\x1b[2J, and not for mail.example.org (hostname): clients refuse it".to_owned()),
        (vec![name(&long)], format!("c: the certificate is for {}… (30000 bytes), and not for mail.example.org (hostname): clients refuse it", &long[..256])),
        (
            (0..2_000).map(|number| name(&format!("{number}.example.org"))).collect(),
            "c: the certificate is for 0.example.org, 1.example.org, 2.example.org, 3.example.org, 4.example.org and 1995 more, and not for mail.example.org (hostname): clients refuse it".to_owned(),
        ),
    ] {
        let mut params = CertificateParams::default();
        // Clients do not look at it.
        params.distinguished_name.push(DnType::CommonName, "mail.example.org");
        params.subject_alt_names = names;
        write_params(&scratch, "c", &params);
        assert_eq!(found(&scratch, "mail", options), [expected]);
    }
}

/// A file that is no certificate is a mistake, as it was before, and no warning.
#[test]
fn files_that_are_no_certificates() {
    let scratch = Scratch::new();
    prepare(&scratch);
    write(&scratch, "c", &["localhost"], (-1, 90));
    let good = scratch.read("c");
    for (contents, why) in [
        (String::new(), "no certificate in "),
        (good[..good.len() / 2].to_owned(), "is not PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
            "cannot be used",
        ),
    ] {
        scratch.write("c", &contents);
        let options = "hostname = 'localhost'\ncert = '<c>'\nkey = '<c.key>'\n";
        let file = scratch.write("file.toml", &service(&scratch, "mail", options));
        let output = crate::kit::output(&["check", &file]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
}

#[test]
fn the_log_says_what_is_new_at_each_reload() {
    const NAME: &str = "the certificate is for example.org, and not for localhost (hostname)";
    const OTHER: &str = "the certificate is for example.net, and not for localhost (hostname)";
    const EXPIRED: &str = "w: the certificate has expired, at ";
    let scratch = Scratch::new();
    prepare(&scratch);
    let write_one = |names: &[&str]| drop(write(&scratch, "c", names, (-1, 90)));
    write_one(&["example.org"]);
    write(&scratch, "w", &["localhost"], (-1, 90));
    let (cert, key) = (scratch.text("c"), scratch.text("c.key"));
    let more = format!(
        "users = '{}'\npostmaster = 'ann'\ncert = '{cert}'\nkey = '{key}'\nwatch = '1h'\n[services.irc]\nlisten = 'tcp:0:interface=127.0.0.1'\nwebsocket = ['tls:0:interface=127.0.0.1:cert={w}:key={w}.key']\n",
        scratch.text("users"),
        w = scratch.text("w"),
    );
    let path = scratch.write("file.toml", &mail(&scratch, &more));
    let mut server = Server::begin(&mut sinew(&["run", &path]));
    server.line(NAME);
    server.line("ready");
    // What was said is not said again.
    reload(&mut server, &[]);
    write_one(&["example.net"]);
    reload(&mut server, &[OTHER]);
    write_one(&["localhost"]);
    write(&scratch, "w", &["localhost"], (-90, -1));
    reload(&mut server, &[EXPIRED]);
    write_one(&["example.org"]);
    // The services read their certificates again though the file is wrong.
    scratch.write("file.toml", "");
    server.signal(Signal::SIGHUP);
    server.all_lines(&["nothing was reloaded", NAME]);
    let log = server.stop();
    for (text, times) in [(NAME, 2), (OTHER, 1), (EXPIRED, 1)] {
        assert_eq!(log.matches(text).count(), times, "{text}: {log}");
    }
}

fn reload(server: &mut Server, texts: &[&str]) {
    server.signal(Signal::SIGHUP);
    server.all_lines(&[texts, &[": reloaded: "]].concat());
}

/// Endpoints beside `listen` read their certificates again, too.
#[test]
fn a_reload_reads_the_certificates_of_all_endpoints() {
    let scratch = Scratch::new();
    prepare(&scratch);
    let endpoint = "['tls:0:interface=127.0.0.1:cert=<c>:key=<c.key>']";
    for (server, options, count) in [
        ("irc", format!("listen = {endpoint}\nwebsocket = {endpoint}\n"), 2),
        ("chat", format!("listen = {endpoint}\nirc = {endpoint}\nhttp = {endpoint}\n"), 3),
        (
            "xmpp",
            format!(
                "domain = 'localhost'\nlisten = ['tcp:0:interface=127.0.0.1']\nplaintext_logins = true\ndirect_tls = {endpoint}\n"
            ),
            1,
        ),
        (
            "mail",
            format!(
                "hostname = 'localhost'\nlisten = ['tcp:0:interface=127.0.0.1']\nimaps = {endpoint}\nsubmissions = {endpoint}\npop3s = {endpoint}\n"
            ),
            3,
        ),
    ] {
        write(&scratch, "c", &["localhost"], (-1, 90));
        let path = scratch.write("file.toml", &service(&scratch, server, &options));
        let mut running = Server::start(&["run", &path]);
        running.signal(Signal::SIGHUP);
        let line = running.line(": reloaded: ");
        assert!(line.contains(&format!("certificates of {count} endpoints read")), "{line}");
        write(&scratch, "c", &["localhost"], (-90, -1));
        // It is of what the endpoints have now.
        reload(&mut running, &["c: the certificate has expired, at "]);
        running.stop();
    }
}
