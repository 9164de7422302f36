//! Other clients with our server.

use std::process::{Command, Output};

use sinew_mail::pop3::server::ServerConfig;
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::folder::Folder;
use crate::{
    pop3_support::{Shared, config, ids, mail, server},
    program,
};

const TWO: &[&str] = &[
    "From: a@example.org\r\nTo: ann@example.org\r\nSubject: a\r\n\r\none\r\n",
    "From: b@example.org\r\nTo: ann@example.org\r\nSubject: b\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n",
];

/// Runs a client with a server of this mail.
fn run(config: ServerConfig, mail: &Shared, client: impl FnOnce(u16) -> Command) -> Output {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", server(config, mail)).unwrap();
    let client = client(port.local().port());
    let output = reactor.defer_to_thread(move || program::run(client, ""));
    reactor.run_until(output).unwrap().unwrap()
}

/// What it has printed, if it was successful.
fn printed(output: &Output) -> String {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

#[cfg(feature = "tls")]
fn tls() -> sinew_transports::tls::TlsServerConfig {
    use sinew_transports::tls::{Identity, TlsServerConfig};

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    TlsServerConfig::new(identity.unwrap())
}

const POPLIB: &str = r#"
import poplib, ssl, sys
pop = poplib.POP3("127.0.0.1", int(sys.argv[1]))
assert pop.getwelcome().startswith(b"+OK mail.example POP3"), pop.getwelcome()
mode = sys.argv[2]
capabilities = pop.capa()
assert "UIDL" in capabilities and "TOP" in capabilities, capabilities
if mode == "stls":
    assert "STLS" in capabilities, capabilities
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    pop.stls(context=context)
    assert "STLS" not in pop.capa()
if mode == "apop":
    pop.apop("ann", "secret")
else:
    try:
        pop.user("ann")
        pop.pass_("wrong")
        assert False
    except poplib.error_proto as error:
        assert "[AUTH]" in str(error), error
    pop.user("ann")
    pop.pass_("secret")
count, size = pop.stat()
assert count == 2, count
response, sizes, _ = pop.list()
assert sum(int(line.split()[1]) for line in sizes) == size, sizes
assert pop.list(1).startswith(b"+OK 1 "), pop.list(1)
assert pop.uidl()[1] == [b"1 id1", b"2 id2"], pop.uidl()
assert pop.uidl(2) == b"+OK 2 id2", pop.uidl(2)
text = pop.retr(2)[1]
assert text[-5:] == [b"", b".dot", b"..", b".", b"end"], text
assert pop.top(2, 1)[1][-2:] == [b"", b".dot"], pop.top(2, 1)
pop.noop()
try:
    pop.retr(9)
    assert False
except poplib.error_proto:
    pass
pop.dele(1)
pop.rset()
pop.dele(2)
print(pop.quit().decode())
"#;

#[test]
fn poplib() {
    let modes: &[&str] =
        if cfg!(feature = "tls") { &["plain", "apop", "stls"] } else { &["plain", "apop"] };
    for mode in modes {
        let Some(mut python) = program::python("poplib") else { return };
        let shared = mail(TWO);
        let config = config().apop(*mode == "apop");
        #[cfg(feature = "tls")]
        let config = if *mode == "stls" { config.stls(tls()).tls_required(true) } else { config };
        let output = run(config, &shared, |port| {
            python.args(["-c", POPLIB, &port.to_string(), mode]);
            python
        });
        assert_eq!(printed(&output), "+OK Bye\n", "{mode}");
        assert_eq!(ids(&shared), ["id1"], "{mode}");
    }
}

/// Runs curl with these arguments for this path.
fn curl(config: ServerConfig, mail: &Shared, path: &str, options: &[&str]) -> Option<Output> {
    let mut curl = program::find("curl")?;
    Some(run(config, mail, |port| {
        curl.args(["--silent", "--show-error", "--max-time", "20", "--user", "ann:secret"]);
        curl.args(options).arg(format!("pop3://127.0.0.1:{port}/{path}"));
        curl
    }))
}

#[test]
fn curl_reads_lists_and_deletes() {
    let shared = mail(TWO);
    for (path, options, expected) in [
        ("", &[][..], "1 61\r\n2 74\r\n"),
        ("2", &[], TWO[1]),
        ("", &["--request", "UIDL"], "1 id1\r\n2 id2\r\n"),
        (
            "",
            &["--request", "TOP 2 0"],
            "From: b@example.org\r\nTo: ann@example.org\r\nSubject: b\r\n\r\n",
        ),
        ("1", &["--login-options", "AUTH=PLAIN"], TWO[0]),
        ("1", &["--login-options", "AUTH=LOGIN"], TWO[0]),
        ("1", &["--sasl-ir", "--login-options", "AUTH=PLAIN"], TWO[0]),
        ("", &["--request", "STAT", "--head"], ""),
    ] {
        let Some(output) = curl(config(), &shared, path, options) else { return };
        assert_eq!(printed(&output), expected, "{path} {options:?}");
    }
    let Some(output) = curl(config().apop(true), &shared, "1", &["--login-options", "AUTH=+APOP"])
    else {
        return;
    };
    assert_eq!(printed(&output), TWO[0]);
    let Some(output) = curl(config(), &shared, "1", &["--request", "DELE", "--head"]) else {
        return;
    };
    printed(&output);
    assert_eq!(ids(&shared), ["id2"]);
    // Its manual: 67 if the login is refused, 78 or 56 for a message that is not there.
    let Some(output) = curl(config(), &shared, "1", &["--user", "ann:wrong"]) else { return };
    assert_eq!(output.status.code(), Some(67));
    let Some(output) = curl(config(), &shared, "7", &[]) else { return };
    assert!(!output.status.success());
}

#[cfg(feature = "tls")]
#[test]
fn curl_over_tls() {
    let secure = || config().stls(tls()).tls_required(true);
    let shared = mail(TWO);
    let Some(output) = curl(secure(), &shared, "2", &["--ssl-reqd", "--insecure"]) else { return };
    assert_eq!(printed(&output), TWO[1]);
    let Some(output) = curl(secure(), &shared, "2", &[]) else { return };
    assert!(!output.status.success(), "there is no login without TLS");
    // Behind a certificate that it does not know.
    let Some(output) = curl(secure(), &shared, "2", &["--ssl-reqd"]) else { return };
    assert!(!output.status.success());
}

/// On port 995 there is no STLS: the port is one of TLS.
#[cfg(feature = "tls")]
#[test]
fn curl_with_tls_from_the_start() {
    use sinew_transports::tls::ReactorTls;

    crate::watchdog::watch_this_test();
    let Some(mut curl) = program::find("curl") else { return };
    let shared = mail(TWO);
    let reactor = Reactor::new().unwrap();
    let server = server(config().tls_required(true), &shared);
    let port = reactor.listen_tls("127.0.0.1:0", &tls(), server).unwrap();
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--insecure",
        "--user",
        "ann:secret",
    ]);
    curl.arg(format!("pop3s://127.0.0.1:{}/2", port.local().port()));
    let output = reactor.defer_to_thread(move || program::run(curl, ""));
    assert_eq!(printed(&reactor.run_until(output).unwrap().unwrap()), TWO[1]);
}

/// Keeps mail and remembers what it has, then deletes.
#[test]
fn fetchmail() {
    let folder = Folder::new("fetchmail");
    let shared = mail(TWO);
    let fetch = |options: &[&str]| {
        let mut fetchmail = program::find("fetchmail")?;
        Some(run(config(), &shared, |port| {
            let to = folder.file("mbox");
            let text = format!(
                "poll 127.0.0.1 port {port} protocol pop3 timeout 20 uidl\n user ann password secret sslproto \"\" mda \"cat >> {to}\"\n"
            );
            let rc = folder.write("fetchmailrc", &text);
            fetchmail.env("FETCHMAILHOME", folder.path()).env("HOME", folder.path());
            fetchmail.args(["--fetchmailrc", &rc, "--nosyslog", "--idfile", &folder.file("ids")]);
            fetchmail.args(["--pidfile", &folder.file("pid")]).args(options);
            fetchmail
        }))
    };
    let Some(output) = fetch(&["--keep"]) else { return };
    printed(&output);
    let text = folder.read("mbox");
    assert!(text.contains("Subject: a") && text.contains("\n.dot\n..\n.\nend\n"), "{text}");
    assert_eq!(ids(&shared), ["id1", "id2"]);
    // Its manual: 1 if there is no new mail.
    assert_eq!(fetch(&["--keep"]).unwrap().status.code(), Some(1));
    assert_eq!(folder.read("mbox"), text);
    shared.borrow_mut().boxes.get_mut("ann").unwrap().push(("id3".to_owned(), TWO[0].into()));
    printed(&fetch(&["--nokeep", "--all"]).unwrap());
    assert!(ids(&shared).is_empty());
}

#[test]
fn mpop() {
    for auth in ["user", "plain", "scram-sha-256", "apop"] {
        let folder = Folder::new(&format!("mpop-{auth}"));
        let shared = mail(TWO);
        let fetch = |options: &[&str]| {
            let mut mpop = program::find("mpop")?;
            Some(run(config().apop(auth == "apop"), &shared, |port| {
                mpop.env("HOME", folder.path());
                mpop.args([
                    "--host=127.0.0.1",
                    "--user=ann",
                    "--passwordeval=echo secret",
                    "--tls=off",
                ]);
                mpop.args([format!("--port={port}"), format!("--auth={auth}")]);
                mpop.arg(format!("--delivery=mbox,{}", folder.file("mbox")));
                mpop.arg(format!("--uidls-file={}", folder.file("uidls")));
                mpop.args(["--received-header=off"]).args(options);
                mpop
            }))
        };
        let Some(output) = fetch(&["--keep=on"]) else { return };
        printed(&output);
        let text = folder.read("mbox");
        assert!(text.contains("Subject: a") && text.contains("\n.dot\n..\n.\nend\n"), "{text}");
        assert_eq!(ids(&shared), ["id1", "id2"]);
        printed(&fetch(&["--keep=on"]).unwrap());
        assert_eq!(folder.read("mbox"), text, "nothing was new");
        printed(&fetch(&["--keep=off"]).unwrap());
        assert!(ids(&shared).is_empty(), "{auth}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn mpop_over_tls() {
    let folder = Folder::new("mpop-tls");
    let shared = mail(TWO);
    let Some(mut mpop) = program::find("mpop") else { return };
    let output = run(config().stls(tls()).tls_required(true), &shared, |port| {
        mpop.env("HOME", folder.path());
        mpop.args(["--host=127.0.0.1", "--user=ann", "--passwordeval=echo secret", "--keep=off"]);
        mpop.args(["--tls=on", "--tls-starttls=on", "--tls-certcheck=off"]);
        mpop.args([format!("--port={port}"), format!("--delivery=mbox,{}", folder.file("mbox"))]);
        mpop.arg(format!("--uidls-file={}", folder.file("uidls")));
        mpop
    });
    printed(&output);
    assert!(ids(&shared).is_empty() && folder.read("mbox").contains("Subject: b"));
}
