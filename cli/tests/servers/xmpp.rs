//! `sinew xmpp` with clients of others, and with one of a few lines.

mod peers;
mod uploads;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use nix::sys::signal::Signal;

use super::{
    password,
    peers::{has_program, run_with_input},
    ports::port_of,
};
use crate::kit::{Scratch, Server, failure, output, send, sinew};

const OPEN: &str = "the storage is open";

/// A server of `localhost` with its files. Users are ann and bob, whose passwords are their names.
struct Fixture {
    scratch: Scratch,
    more: String,
}

impl Fixture {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (cert, key) = scratch.certificate();
        scratch.write("users", &["ann", "bob"].map(password::line_of).concat());
        let secret = scratch.write("secret", "component secret\n");
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).expect("a file");
        Self { scratch, more: format!("cert = '{cert}'\nkey = '{key}'\n") }
    }

    fn with(mut self, more: &str) -> Self {
        self.more += more;
        self
    }

    /// The file of services.
    fn config(&self) -> String {
        let text = |name| self.scratch.text(name);
        let own = "tcp:0:interface=127.0.0.1";
        let config = format!(
            "[process]\npidfile = '{}'\n[reactor]\ndrain = '1s'\n\
             [services.xmpp]\nlisten = '{own}'\ndirect_tls = ['{own}']\ncomponent_port = ['{own}']\ncomponent = ['echo.localhost={}']\n\
             domain = 'localhost'\nstorage = '{}'\nusers = '{}'\nwatch = '1h'\n{}",
            text("pid"),
            text("secret"),
            text("storage"),
            text("users"),
            self.more,
        );
        self.scratch.write("xmpp.toml", &config)
    }

    fn start(&self) -> Server {
        let mut server = Server::begin(&mut sinew(&["run", &self.config()]));
        server.all_lines(&["ready", OPEN]);
        server
    }
}

/// The port of one of the protocols.
fn port(server: &Server, group: &str) -> u16 {
    port_of(server, &format!("xmpp{group}"))
}

/// A client without TLS, for servers with `plaintext_logins`.
struct Client {
    stream: TcpStream,
    unread: String,
}

impl Client {
    /// Logs in, and binds a resource.
    fn online(port: u16, auth: &str) -> Self {
        let mut client = Self::connect(port);
        client.open();
        client.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>"
        ));
        client.until("<success");
        client.open();
        client.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>");
        client.until("</iq>");
        client.say("<presence/>");
        client
    }

    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
        Self { stream, unread: String::new() }
    }

    fn open(&mut self) {
        self.say("<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
        self.until("</stream:features>");
    }

    fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("a connection");
    }

    /// Reads up to this text, and returns what was read.
    fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            let mut bytes = [0; 4_096];
            let len = self.stream.read(&mut bytes).expect("a connection");
            assert_ne!(len, 0, "the end came before {text:?}: {}", self.unread);
            self.unread += std::str::from_utf8(&bytes[..len]).expect("text of ASCII");
        }
    }

    fn add_contact(&mut self, number: usize) {
        self.say(&format!(
            "<iq type='set' id='c{number}'><query xmlns='jabber:iq:roster'><item jid='c{number}@example.org'/></query></iq>"
        ));
        self.until(&format!("id='c{number}'"));
    }

    fn roster(&mut self) -> String {
        self.say("<iq type='get' id='all'><query xmlns='jabber:iq:roster'/></iq>");
        self.until("id='all'");
        self.until("</iq>")
    }
}

/// For PLAIN: NUL, the name, NUL, the password.
const ANN: &str = "AGFubgBhbm4=";
const BOB: &str = "AGJvYgBib2I=";

/// A roster that was stored is there after SIGKILL, whatever was being written, and so is every message that waits. Changes that were not
/// stored yet may be lost, but only the last ones.
#[test]
fn a_kill_under_load() {
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let server = fixture.start();
    let mut ann = Client::online(port(&server, ""), ANN);
    let file = fixture.scratch.path("storage/accounts/ann.xml");
    let stored = || fs::read_to_string(&file).unwrap_or_default().matches("@example.org").count();
    let mut added = 0;
    while stored() < 50 {
        ann.add_contact(added);
        ann.say(&format!(
            "<message to='bob@localhost' type='chat'><body>m{added}.</body></message>"
        ));
        added += 1;
    }
    let waiting = fs::read_to_string(fixture.scratch.path("storage/accounts/bob.xml"));
    let waiting = waiting.unwrap_or_default().matches("<body>m").count();
    let kept = stored();
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = fixture.start();
    let roster = Client::online(port(&server, ""), ANN).roster();
    let found = roster.matches("@example.org").count();
    assert!(found >= kept && found <= added, "{kept} <= {found} <= {added}");
    for number in 0..found {
        assert!(roster.contains(&format!("'c{number}@example.org'")), "{number}: {roster}");
    }
    let mut bob = Client::online(port(&server, ""), BOB);
    for number in 0..waiting {
        bob.until(&format!("<body>m{number}.</body>"));
    }
    server.stop();
}

/// A changed file of services, and an upgrade: the next service has the storage when this one has stored everything.
#[test]
fn a_reload_and_an_upgrade() {
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let mut server = fixture.start();
    let port = port(&server, "");
    let mut ann = Client::online(port, ANN);
    ann.add_contact(1);
    ann.say("<message to='bob@localhost' type='chat'><body>waits</body></message>");
    let changed = Fixture { more: fixture.more.clone() + "roster_max = 7\n", ..fixture };
    changed.config();
    server.signal(Signal::SIGHUP);
    server.all_lines(&["reloaded: ", OPEN]);
    ann.until("<system-shutdown");
    let mut ann = Client::online(port, ANN);
    assert!(ann.roster().contains("'c1@example.org'"));
    ann.add_contact(2);
    server.signal(Signal::SIGUSR2);
    server.all_lines(&["upgraded: that process serves", OPEN]);
    ann.until("<system-shutdown");
    assert!(Client::online(port, ANN).roster().contains("'c2@example.org'"));
    Client::online(port, BOB).until("<body>waits</body>");
    let pid = changed.scratch.read("pid").trim().parse().expect("a number");
    send(pid, Signal::SIGTERM);
    server.end();
}

#[test]
fn files_are_read_again() {
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let mut server = fixture.start();
    let mut ann = Client::online(port(&server, ""), ANN);
    // A message for somebody who does not exist comes back.
    ann.say("<message to='carol@localhost' type='chat' id='1'><body>x</body></message>");
    assert!(ann.until("</message>").contains("service-unavailable"));
    let users = fixture.scratch.read("users");
    let of_ann = users.lines().next().expect("a line").to_owned() + "\n";
    fixture.scratch.write("users", &(of_ann + &password::line_of("carol")));
    fixture.scratch.certificate();
    server.signal(Signal::SIGHUP);
    server.all_lines(&["the users are read again users=2", "the certificate is read again"]);
    ann.say("<message to='carol@localhost' type='chat' id='2'><body>kept</body></message>");
    // An answer says that the message was taken before it.
    ann.roster();
    server.stop();
    let server = fixture.start();
    Client::online(port(&server, ""), "AGNhcm9sAGNhcm9s").until("<body>kept</body>");
    server.stop();
}

/// Who is removed, or has another password, does not keep the session, nor come back; others keep theirs.
#[test]
fn sessions_end_with_their_credentials() {
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let users = ["ann", "bob", "carol"].map(password::line_of);
    fixture.scratch.write("users", &users.concat());
    let mut server = fixture.start();
    let port = port(&server, "");
    let mut carol = Client::online(port, "AGNhcm9sAGNhcm9s");
    let (mut ann, mut bob) = (Client::online(port, ANN), Client::online(port, BOB));
    fixture.scratch.write("users", &[&users[0], &users[2]].map(String::as_str).concat());
    server.signal(Signal::SIGHUP);
    server.all_lines(&["the users are read again users=2", "user=bob sessions=1"]);
    bob.until("<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    bob = Client::connect(port);
    bob.open();
    bob.say(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{BOB}</auth>"
    ));
    bob.until("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>");
    // A file that is wrong ends nothing.
    fixture.scratch.write("users", "ann:nonsense\n");
    server.signal(Signal::SIGHUP);
    server.line("the users stay as they were");
    let other = password::line_of("bob").replacen("bob:", "ann:", 1);
    fixture.scratch.write("users", &[&other, &users[2]].map(String::as_str).concat());
    server.signal(Signal::SIGHUP);
    server.line("user=ann sessions=1");
    ann.until("<reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    // For PLAIN: NUL, ann, NUL, bob.
    Client::online(port, "AGFubgBib2I=").roster();
    carol.roster();
    server.stop();
}

/// A certificate that cannot be used changes nothing, and the next good one is used, by both ports.
#[test]
fn a_broken_certificate_changes_nothing() {
    if !has_program("openssl") {
        return;
    }
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let ports = [port(&server, ""), port(&server, "/direct_tls")];
    let assert_serves = |pem: &str| {
        let starttls =
            served_certificate(ports[0], &["-starttls", "xmpp", "-xmpphost", "localhost"]);
        let direct = served_certificate(ports[1], &[]);
        assert_eq!([starttls, direct], [pem.trim(), pem.trim()]);
    };
    let text = |name| fixture.scratch.read(name).replace('\r', "");
    let (cert, key) = (text("cert.pem"), text("key.pem"));
    assert_serves(&cert);
    fixture.scratch.certificate();
    let next_key = text("key.pem");
    // The last is the key of another certificate.
    for (broken, key) in
        [("", &key), ("nonsense\n", &key), (&cert[..cert.len() / 2], &key), (&cert, &next_key)]
    {
        fixture.scratch.write("cert.pem", broken);
        fixture.scratch.write("key.pem", key);
        server.signal(Signal::SIGHUP);
        server.line("the certificate stays as it was: ");
        assert_serves(&cert);
    }
    fixture.scratch.certificate();
    server.signal(Signal::SIGHUP);
    server.line("the certificate is read again");
    assert_serves(&text("cert.pem"));
    server.stop();
}

/// The certificate that a port shows, as PEM.
fn served_certificate(port: u16, more: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "s_client",
        "-connect",
        &format!("127.0.0.1:{port}"),
        "-servername",
        "localhost",
    ]);
    let output = run_with_input(openssl.args(more), b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let from = said.find(begin).unwrap_or_else(|| panic!("no certificate: {output:?}"));
    let len = said[from..].find(end).expect("its end") + end.len();
    said[from..from + len].to_owned()
}

/// The storage is another server's: that is an error, and not a wait without an end. The first one goes on.
#[test]
fn two_servers_with_one_storage() {
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let server = fixture.start();
    let other = fixture.scratch.read("xmpp.toml");
    let (pid, own) = (fixture.scratch.text("pid"), fixture.scratch.text("other-pid"));
    let other = fixture.scratch.write("other.toml", &other.replace(&pid, &own));
    let (code, said) = failure(&["run", &other]);
    assert!(code != 0 && said.contains("another process has the storage"), "{code}: {said}");
    Client::online(port(&server, ""), ANN);
    server.stop();
}

/// Messages are in the archive after a reload, which gives the storage to another service, and after SIGKILL; without the option there is none.
#[test]
fn archives() {
    const QUERY: &str = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let none = fixture.start();
    let mut ann = Client::online(port(&none, ""), ANN);
    ann.say(QUERY);
    ann.until("<service-unavailable");
    drop(none);
    let fixture = fixture.with("archive = true\n");
    let mut server = fixture.start();
    let at = port(&server, "");
    let mut ann = Client::online(at, ANN);
    let read = |client: &mut Client| {
        client.say(QUERY);
        let heard = client.until("complete='true'");
        heard.matches("<body>").count()
    };
    for number in 1..4 {
        ann.say("<message to='bob@localhost' type='chat'><body>kept</body></message>");
        assert_eq!(read(&mut ann), number);
    }
    assert!(fixture.scratch.path("storage/archive/ann.archive").is_file());
    let changed = Fixture { more: fixture.more.clone() + "archive_max = 2\n", ..fixture };
    changed.config();
    server.signal(Signal::SIGHUP);
    server.all_lines(&["reloaded: ", OPEN]);
    ann.until("<system-shutdown");
    assert_eq!(read(&mut Client::online(at, ANN)), 2);
    // SIGKILL.
    drop(server);
    let server = changed.start();
    assert_eq!(read(&mut Client::online(port(&server, ""), ANN)), 2);
}

#[test]
fn mistakes_are_found_by_a_check() {
    let fixture = Fixture::new();
    let good = fixture.config();
    let text = fixture.scratch.read("xmpp.toml");
    assert!(output(&["check", &good]).status.success(), "{:?}", output(&["check", &good]));
    assert!(!fixture.scratch.path("storage").exists());
    let head = "[services.xmpp]\n";
    for (from, to, expected) in [
        ("domain = ", "# ", "domain is missing"),
        ("domain = 'localhost'", "domain = 'a b'", "domain: "),
        ("storage = ", "# ", "storage is missing"),
        ("users = ", "# ", "users is missing"),
        ("/users'", "/secret'", "/secret"),
        ("cert = ", "# ", "cert and key go together"),
        ("component_port = ", "# ", "component and component_port go together"),
        ("echo.localhost=", "echo.localhost:", "write a domain, = and"),
        ("echo.localhost=", "localhost=", "the domain of something else already"),
        ("/secret']", "/nothing']", "/nothing: "),
        ("/secret']", "/users']", "chmod 600"),
        (head, "[services.xmpp]\nrooms = 'a@b'\n", "it is no domain"),
        (head, "[services.xmpp]\nupload_url = 'https://x'\n", "upload_url needs upload_https"),
        (head, "[services.xmpp]\nupload_http = ['tcp:0']\n", "upload_url is missing"),
        (head, "[services.xmpp]\nupload_url = 'x'\nupload_http = ['tcp:0']\n", "is no address"),
        (head, "[services.xmpp]\narchive = true\narchive_max = 0\n", "archive_max: "),
        (head, "[services.xmpp]\narchive = true\narchive_size = '60k'\n", "archive_size: "),
        (head, "[services.xmpp]\nstanza_max = 'x'\n", "xmpp.toml:6"),
        (head, "[services.xmpp]\nstanza_max = '9k'\n", "stanza_max: "),
        (head, "[services.xmpp]\nmax_unread = '100k'\n", "max_unread: "),
        (head, "[services.xmpp]\nmax_unread_total = '1m'\n", "max_unread_total: "),
        (head, "[services.xmpp]\nresources_max = 0\n", "resources_max: "),
        (head, "[services.xmpp]\nnonsense = 1\n", "nonsense"),
        (
            "direct_tls = ['tcp:0:interface=127.0.0.1']",
            "direct_tls = ['unix:/x']",
            "TLS from the start is for",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let file = fixture.scratch.write("xmpp.toml", &text.replacen(from, to, 1));
        let output = output(&["check", &file]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.code() == Some(78) && said.contains(expected),
            "{from}: {to}: {said}"
        );
    }
}
