//! `sinew mail` with the clients of Python's standard library, and with a smart host in this process. `sinew mailq`.

mod refusals;
mod removed;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    process::{Command, Output},
};

use nix::sys::signal::Signal;
use rustix::fs::{FlockOperation, flock};
use sinew::{
    auth::Users,
    prelude::{Identity, TlsServerConfig},
};

use super::{
    password,
    peers::{closed_port, has_program, run_with_input},
    ports::port_of,
    sendmail,
};
use crate::kit::{Scratch, Server, output, sinew};

/// A mail server with its files.
struct Fixture {
    scratch: Scratch,
    cert: String,
    more: String,
}

impl Fixture {
    /// Users ann and bob, with passwords that are their names, and keys that take little time.
    fn new() -> Self {
        let scratch = Scratch::new();
        let (cert, key) = scratch.certificate();
        scratch.write("users", &["ann", "bob"].map(password::line_of).concat());
        scratch.write("aliases", "staff: ann, bob\naway: carol@example.net\npostmaster: ann\n");
        let more = format!("cert = '{cert}'\nkey = '{key}'\n");
        Self { scratch, cert, more }
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
             [services.mail]\nlisten = '{own}'\nsubmissions = ['{own}']\nsubmission = ['{own}']\npop3s = ['{own}']\npop3 = ['{own}']\nimaps = ['{own}']\nimap = ['{own}']\n\
             lmtp = ['unix:{}']\ncontrol = 'unix:{}'\nhostname = 'mail.example.org'\ndomain = ['example.org']\npostmaster = 'ann'\n\
             mailboxes = '{}'\nqueue = '{}'\nusers = '{}'\naliases = '{}'\nwatch = '1h'\n{}",
            text("pid"),
            text("lmtp.sock"),
            text("control.sock"),
            text("boxes"),
            text("queue"),
            text("users"),
            text("aliases"),
            self.more,
        );
        self.scratch.write("mail.toml", &config)
    }

    fn start(&self) -> Server {
        begin(&self.config())
    }

    fn mailq(&self, words: &[&str]) -> Output {
        let at = format!("unix:{}", self.scratch.text("control.sock"));
        output(&[&["mailq", "--at", &at], words].concat())
    }

    fn listed(&self) -> String {
        let output = self.mailq(&[]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a script of Python, in which `context` trusts the certificate.
    fn python(&self, script: &str, arguments: &[&str]) -> String {
        let start = "import imaplib, poplib, smtplib, ssl, sys\nsys.tracebacklimit = 1\ncontext = ssl.create_default_context(cafile=sys.argv[1])\n";
        let mut python = Command::new("python3");
        python.args(["-c", &format!("{start}{script}"), &self.cert]).args(arguments);
        let output = run_with_input(&mut python, b"");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        text
    }
}

/// The port of one of the protocols, as a script takes it.
fn port(server: &Server, group: &str) -> String {
    port_of(server, &format!("mail{group}")).to_string()
}

/// Says commands of SMTP, and returns the replies, one line each.
fn talk(at: &str, commands: &[&str]) -> Vec<String> {
    let at: SocketAddr = format!("127.0.0.1:{at}").parse().expect("an address");
    let mut stream = BufReader::new(TcpStream::connect(at).expect("a server"));
    let reply = |stream: &mut BufReader<TcpStream>| loop {
        let mut line = String::new();
        assert_ne!(stream.read_line(&mut line).expect("a line"), 0);
        if line.as_bytes()[3] == b' ' {
            return line.trim_end().to_owned();
        }
    };
    reply(&mut stream);
    let mut said = Vec::new();
    for command in commands {
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("a connection");
        said.push(reply(&mut stream));
    }
    said
}

/// A server with its queue, which it can have before it says that it is ready.
fn begin(file: &str) -> Server {
    let mut server = Server::begin(&mut sinew(&["run", file]));
    server.all_lines(&["the queue is open", "ready"]);
    server
}

const DELIVERED: &str = "an attempt to deliver has ended";

const SUBMIT: &str = r#"
with smtplib.SMTP_SSL("localhost", int(sys.argv[2]), context=context) as server:
    server.login("ann", "ann")
    print(server.sendmail("ann@example.org", sys.argv[3:], "Subject: hello\n\nHello.\n.\n"))
"#;

const FETCH: &str = r#"
server = poplib.POP3_SSL("localhost", int(sys.argv[2]), context=context)
server.user(sys.argv[3])
server.pass_(sys.argv[3])
for number in range(1, server.stat()[0] + 1):
    print(b"\n".join(server.retr(number)[1]).decode())
    server.dele(number)
server.quit()
"#;

#[test]
fn from_submission_to_the_mailbox() {
    if !has_program("python3") {
        return;
    }
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let said = fixture.python(
        SUBMIT,
        &[&port(&server, "/submissions"), "Bob+tag@EXAMPLE.org", "staff@example.org"],
    );
    assert_eq!(said, "{}\n");
    // One copy for each.
    server.line(DELIVERED);
    server.line(DELIVERED);
    for name in ["ann", "bob"] {
        let text = fixture.python(FETCH, &[&port(&server, "/pop3s"), name]);
        assert_eq!(text.matches("Subject: hello\nDate: ").count(), 1, "{text}");
        assert!(text.contains("\nMessage-ID: <") && text.contains("\n\nHello.\n.\n"), "{text}");
        assert!(text.starts_with("Return-Path: <ann@example.org>\nDelivered-To: "), "{text}");
        assert!(text.contains("\tby mail.example.org with ESMTPSA"), "{text}");
    }
    // STARTTLS on the other ports, by both.
    let script = r#"
with smtplib.SMTP("localhost", int(sys.argv[2])) as server:
    server.starttls(context=context)
    server.login("ann", "ann")
    server.sendmail("ann@example.org", ["bob@example.org"], "Subject: two\n\n")
"#;
    fixture.python(script, &[&port(&server, "/submission")]);
    server.line(DELIVERED);
    let script = r#"
server = poplib.POP3("localhost", int(sys.argv[2]))
server.stls(context=context)
server.user("bob")
server.pass_("bob")
print(server.stat()[0], b"Subject: two" in server.retr(1)[1])
"#;
    assert_eq!(fixture.python(script, &[&port(&server, "/pop3")]), "1 True\n");
    // The same mailbox by IMAP: with STARTTLS, and with a client that is told of what comes.
    let script = r#"
server = imaplib.IMAP4("localhost", int(sys.argv[2]))
try:
    server.login("bob", "bob")
except imaplib.IMAP4.error as error:
    print("LOGINDISABLED" in server.capabilities, not any(word.startswith("AUTH=") for word in server.capabilities))
server.starttls(ssl_context=context)
server.login("bob", "bob")
print(server.select("INBOX"))
print(server.search(None, "SUBJECT", "two"))
print(server.append("INBOX", "", None, b"Subject: draft\r\n\r\n"))
server.store("1", "+FLAGS", "\\Deleted")
print(server.expunge())
server.response("EXISTS")  # what was said of the draft
with smtplib.SMTP_SSL("localhost", int(sys.argv[3]), context=context) as submission:
    submission.login("bob", "bob")
    submission.sendmail("bob@example.org", ["bob@example.org"], "Subject: three\n\nx\n")
while server.noop() and server.response("EXISTS")[1] != [b"2"]:
    pass
found = server.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
print([part[1] for part in found if isinstance(part, tuple)][0])
server.logout()
"#;
    let said = fixture.python(script, &[&port(&server, "/imap"), &port(&server, "/submissions")]);
    let expected = [
        "True True",
        "('OK', [b'1'])",
        "('OK', [b'1'])",
        "('OK', [b'[APPENDUID ",
        "('OK', [b'1'])",
        "b'Subject: three\\r\\n\\r\\n'",
    ];
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.iter().zip(expected).all(|(line, start)| line.starts_with(start)), "{said}");
    assert_eq!(lines.len(), expected.len(), "{said}");
    let script = r#"
with imaplib.IMAP4_SSL("localhost", int(sys.argv[2]), ssl_context=context) as server:
    server.login("bob", "bob")
    print(server.create("Work/2026"), server.list('""', "*")[1])
"#;
    let said = fixture.python(script, &[&port(&server, "/imaps")]);
    assert!(said.contains("Work/2026") && said.contains("INBOX"), "{said}");
    server.line(DELIVERED);
    assert_eq!(fixture.listed(), "the queue is empty\n");
    server.stop();
}

#[test]
fn what_is_refused() {
    let fixture = Fixture::new().with("relay_domain = ['backup.example']\nrecipients_max = 5\n");
    let server = fixture.start();
    let said = talk(
        &port(&server, ""),
        &[
            "EHLO client.example",
            "AUTH PLAIN AGFubgBhbm4=",
            "MAIL FROM:<eve@example.net>",
            "RCPT TO:<nobody@example.org>",
            "RCPT TO:<bob@example.net>",
            "RCPT TO:<bob@example.org>",
            "RCPT TO:<Staff@Example.org>",
            "RCPT TO:<postmaster>",
            "RCPT TO:<x@backup.example>",
            "RCPT TO:<away@example.org>",
            "RCPT TO:<ann@example.org>",
        ],
    );
    let codes: Vec<_> = said.iter().map(|line| &line[..3]).collect();
    let expected = ["250", "502", "250", "550", "550", "250", "250", "250", "250", "250", "452"];
    assert_eq!(codes, expected, "{said:?}");
    assert!(said[3].contains("5.1.1") && said[4].contains("5.7.1"), "{said:?}");
    // No login, and no mail, without TLS.
    let said = talk(
        &port(&server, "/submission"),
        &["EHLO c", "AUTH PLAIN AGFubgBhbm4=", "MAIL FROM:<ann@example.org>"],
    );
    assert!(said[1].starts_with("5") && said[2].starts_with("530"), "{said:?}");
    if has_program("python3") {
        let script = r#"
with smtplib.SMTP_SSL("localhost", int(sys.argv[2]), context=context) as server:
    for command in [lambda: server.sendmail("ann@example.org", ["bob@example.org"], ""), lambda: server.login("ann", "wrong"),
                    lambda: server.login("ann", "ann"), lambda: server.sendmail("bob@example.org", ["x@y.example"], "")]:
        try:
            print(command()[0])
        except smtplib.SMTPResponseException as error:
            print(error.smtp_code)
pop3 = poplib.POP3("localhost", int(sys.argv[3]))
try:
    pop3.user("ann")
    pop3.pass_("ann")
except poplib.error_proto as error:
    print(error)
"#;
        let said =
            fixture.python(script, &[&port(&server, "/submissions"), &port(&server, "/pop3")]);
        assert!(said.starts_with("530\n535\n235\n553\nb'-ERR"), "{said}");
    }
    server.stop();
}

/// Mail for others waits for the smart host, also over a kill. It can be held and removed meanwhile.
#[test]
fn the_queue_survives_a_kill() {
    if !has_program("python3") {
        return;
    }
    let (at, _held) = closed_port();
    let fixture = Fixture::new().with(&format!("smart_host = '{at}'\nretry_first = '1h'\n"));
    let mut server = fixture.start();
    let submissions = port(&server, "/submissions");
    for to in ["one@example.net", "two@example.net", "away@example.org"] {
        assert_eq!(fixture.python(SUBMIT, &[&submissions, to]), "{}\n");
    }
    server.line("a destination of mail could not be reached");
    let list = fixture.listed();
    assert!(list.contains("from <ann@example.org>") && list.contains("3 messages, "), "{list}");
    assert!(list.contains("    carol@example.net waiting, "), "{list}");
    let ids: Vec<_> = list
        .lines()
        .filter(|line| line.contains(" from <"))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    for (words, code) in [
        (&["remove", ids[0]][..], 0),
        (&["hold", ids[1]], 0),
        (&["retry", ids[1]], 65),
        (&["show", ids[0]], 65),
        (&["show", "../x"], 65),
        (&["remove"], 64),
        (&["retry"], 0),
        (&["--json", "show", ids[1]], 0),
    ] {
        let output = fixture.mailq(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
    }
    let list = fixture.listed();
    assert!(list.contains("2 messages, ") && list.contains(": held\n"), "{list}");
    server.signal(Signal::SIGKILL);
    server.end();
    // The same address: the file is not changed.
    let listen = format!("tcp:{}:interface=127.0.0.1:reuseport=yes", at.port());
    let (_, mails) = sendmail::serve(&listen, |config| config);
    let mut server = fixture.start();
    assert!(fixture.mailq(&["retry"]).status.success());
    let (envelope, text) = mails.recv().expect("the mail that was not held");
    assert_eq!(envelope[1..], ["<carol@example.net>"]);
    assert!(text.contains("Subject: hello\r\nDate: "), "{text}");
    assert!(text.ends_with("\r\n\r\nHello.\r\n.\r\n"), "{text}");
    assert!(fixture.mailq(&["release", ids[1]]).status.success());
    assert_eq!(mails.recv().expect("the mail that was held").0[1..], ["<two@example.net>"]);
    server.line(DELIVERED);
    server.stop();
    let output = fixture.mailq(&[]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

/// Mail for others goes to a server that wants TLS and a login, but for a domain with a route. Reports come back to the mailbox.
#[test]
fn a_smart_host_with_a_login_and_a_route() {
    if !has_program("python3") {
        return;
    }
    let fixture = Fixture::new();
    let identity = Identity::from_pem_files(&fixture.cert, fixture.scratch.text("key.pem"));
    let identity = identity.expect("a certificate");
    let (smart, mails) = sendmail::serve("tcp:0:interface=127.0.0.1", |config| {
        let users = Users::new().user("relay", "secret");
        config.starttls(TlsServerConfig::new(identity)).auth(users).auth_required(true)
    });
    let (other, routed) = sendmail::serve("tcp:0:interface=127.0.0.1", |config| config);
    let password = fixture.scratch.write("password", "secret\n");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a file");
    let more = format!(
        "smart_host = 'localhost:{smart}'\nsmart_host_tls = 'starttls'\nsmart_host_ca = '{}'\nsmart_host_user = 'relay'\n\
         smart_host_password_file = '{password}'\nroute = ['Intern.example=127.0.0.1:{other}']\n",
        fixture.cert
    );
    let fixture = fixture.with(&more);
    let mut server = fixture.start();
    let to = ["a@example.net", "b@intern.example", "nobody@example.net"];
    let submissions = port(&server, "/submissions");
    assert_eq!(fixture.python(SUBMIT, &[&[&*submissions], &to[..]].concat()), "{}\n");
    assert_eq!(mails.recv().expect("a mail").0[1..], ["<a@example.net>"]);
    assert_eq!(routed.recv().expect("a mail").0[1..], ["<b@intern.example>"]);
    server.line("a report was written");
    server.line("to=ann@example.org stage=Delivered");
    let report = fixture.python(FETCH, &[&port(&server, "/pop3s"), "ann"]);
    for part in ["Return-Path: <>\n", "Final-Recipient: rfc822; nobody@example.net\n", "550 5.1.1"]
    {
        assert!(report.contains(part), "{part}: {report}");
    }
    server.stop();
}

/// A program checks passwords, and a mailbox is for who has a Maildir.
#[test]
fn a_program_knows_the_users() {
    if !has_program("python3") {
        return;
    }
    let fixture = Fixture::new();
    let script = "#!/bin/sh\ntr '\\0' ' ' <&3 | grep -q '^\\(ann\\) \\1 ' || exit 1\n";
    let source = fixture.scratch.write("script", script);
    // By a process of its own: a file that this process has open for writing could not be executed.
    let program = fixture.scratch.text("check");
    let installed = Command::new("install").args(["-m", "755", &source, &program]).status();
    assert!(installed.expect("install").success());
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(fixture.scratch.path("boxes/ann").join(folder)).expect("a folder");
    }
    let text = fs::read_to_string(fixture.config()).expect("a file");
    let users = format!("users = '{}'", fixture.scratch.text("users"));
    let file = fixture
        .scratch
        .write("mail.toml", &text.replace(&users, &format!("login_program = '{program}'")));
    let mut server = begin(&file);
    let said = talk(
        &port(&server, ""),
        &[
            "HELO c",
            "MAIL FROM:<>",
            "RCPT TO:<ann@example.org>",
            "RCPT TO:<bob@example.org>",
            "DATA",
            "Subject: x\r\n.",
        ],
    );
    assert!(
        said[2].starts_with("250") && said[3].starts_with("550") && said[5].starts_with("250"),
        "{said:?}"
    );
    server.line(DELIVERED);
    let text = fixture.python(FETCH, &[&port(&server, "/pop3s"), "ann"]);
    assert!(text.contains("Subject: x\n"), "{text}");
    server.stop();
}

#[test]
fn files_are_read_again() {
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let smtp = port(&server, "");
    let known = |name: &str| {
        let to = format!("RCPT TO:<{name}@example.org>");
        talk(&smtp, &["HELO c", "MAIL FROM:<>", &to])[2].starts_with("250")
    };
    assert!(known("bob") && !known("carol") && !known("info"));
    fixture.scratch.write("users", &["ann", "carol"].map(password::line_of).concat());
    fixture.scratch.write("aliases", "info: ann\nwrong line\n");
    let (cert, key) = fixture.scratch.certificate();
    assert_eq!(cert, fixture.cert);
    drop(key);
    server.signal(Signal::SIGHUP);
    server.all_lines(&[
        "the users are read again",
        "the aliases stay as they were",
        "the certificate is read again",
    ]);
    assert!(known("carol") && !known("bob") && !known("info") && known("away"));
    fixture.scratch.write("aliases", "info: ann\n");
    server.signal(Signal::SIGHUP);
    server.all_lines(&["the aliases are read again", "the certificate is read again"]);
    assert!(known("info") && !known("away"));
    if has_program("python3") {
        // The certificate of before is not trusted any more.
        fixture.python(SUBMIT, &[&port(&server, "/submissions"), "ann@example.org"]);
    }
    server.stop();
}

/// A changed file of services, and an upgrade: the next service has the queue, and no client is refused.
#[test]
fn a_reload_and_an_upgrade() {
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let smtp = port(&server, "");
    let deliver =
        || talk(&smtp, &["HELO c", "MAIL FROM:<>", "RCPT TO:<bob@example.org>", "DATA", "\r\n."]);
    assert!(deliver()[4].starts_with("250 2.0.0 Queued"));
    // An idle connection does not keep the queue from the next service.
    let _idle = TcpStream::connect(format!("127.0.0.1:{smtp}")).expect("a server");
    let changed = Fixture { more: fixture.more.clone() + "recipients_max = 7\n", ..fixture };
    changed.config();
    server.signal(Signal::SIGHUP);
    server.all_lines(&["reloaded: ", "the queue is open"]);
    assert!(deliver()[4].starts_with("250 2.0.0 Queued"));
    server.signal(Signal::SIGUSR2);
    server.all_lines(&["upgraded: that process serves", "the queue is open"]);
    assert!(deliver()[4].starts_with("250 2.0.0 Queued"));
    let pid = changed.scratch.read("pid").trim().parse().expect("a number");
    crate::kit::send(pid, Signal::SIGTERM);
    let (_, log) = server.end();
    assert_eq!(log.matches("Delivered").count(), 3, "{log}");
}

/// In an upgrade, the process before has the queue for some time. What needs no queue is served meanwhile, and the manager is told what is
/// missing.
#[test]
fn it_is_ready_once_it_has_the_queue() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.scratch.path("queue")).expect("a folder");
    let lock = fs::File::create(fixture.scratch.path("queue/lock")).expect("a file");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock");
    let notified = UnixDatagram::bind(fixture.scratch.path("notify.sock")).expect("a socket");
    let message = || {
        let mut buffer = [0; 4096];
        let len = notified.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let mut command = sinew(&["run", &fixture.config()]);
    let mut server =
        Server::spawn(command.env("NOTIFY_SOCKET", fixture.scratch.path("notify.sock")));
    let last = server.lines.last().expect("a line");
    assert!(last.contains("not ready yet: mail waits for its queue"), "{last}");
    assert_eq!(message(), "STATUS=mail waits for its queue");
    let pop3: SocketAddr = format!("127.0.0.1:{}", port(&server, "/pop3")).parse().unwrap();
    let mut greeting = String::new();
    let mut stream = BufReader::new(TcpStream::connect(pop3).expect("a server"));
    stream.read_line(&mut greeting).expect("a line");
    assert!(greeting.starts_with("+OK mail.example.org"), "{greeting}");
    assert_eq!(fixture.mailq(&[]).status.code(), Some(75), "the queue is not open");
    flock(&lock, FlockOperation::Unlock).expect("a lock");
    server.all_lines(&["the queue is open", " ready"]);
    assert_eq!([message(), message()], ["READY=1", "STATUS=ready"]);
    assert!(talk(&port(&server, ""), &["NOOP"])[0].starts_with("250"));
    assert_eq!(fixture.listed(), "the queue is empty\n");
    server.stop();
}

/// Mail of another server on this machine.
#[test]
fn lmtp() {
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let at = format!("unix:{}", fixture.scratch.text("lmtp.sock"));
    let mut command = sinew(&[
        "sendmail",
        "--lmtp",
        "-s",
        &at,
        "-f",
        "a@x",
        "bob@example.org",
        "nobody@example.org",
        "x@example.net",
    ]);
    let output = run_with_input(command.env("XDG_CONFIG_HOME", "/nonexistent"), b"Subject: x\n\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(67), "{said}");
    assert!(
        said.contains("nobody@example.org: refused, RCPT: 550 5.1.1")
            && said.contains("x@example.net: refused, RCPT: 550 5.7.1"),
        "{said}"
    );
    server.line(DELIVERED);
    server.stop();
}

#[test]
fn mistakes_are_found_by_a_check() {
    let fixture = Fixture::new();
    let good = fixture.config();
    let text = fixture.scratch.read("mail.toml");
    assert!(output(&["check", &good]).status.success(), "{:?}", output(&["check", &good]));
    assert!(!fixture.scratch.path("queue").exists() && !fixture.scratch.path("boxes").exists());
    for (from, to, expected) in [
        ("queue = ", "# ", "queue is missing"),
        ("mailboxes = ", "# ", "mailboxes is missing"),
        ("users = ", "# ", "users is missing"),
        ("postmaster = ", "# ", "postmaster is missing"),
        ("postmaster = 'ann'", "postmaster = '|cat'", "postmaster: "),
        ("cert = ", "# ", "cert and key go together"),
        ("'example.org'", "'exa mple'", "is no domain"),
        ("control = 'unix:", "control = 'tcp:", "control"),
        (
            "[services.mail]\n",
            "[services.mail]\nsmart_host_user = 'a'\n",
            "smart_host_user and smart_host_password_file go together",
        ),
        (
            "[services.mail]\n",
            "[services.mail]\nroute = ['x']\n",
            "write a domain, = and its server",
        ),
        (
            "[services.mail]\n",
            "[services.mail]\nrelay_domain = ['Example.org']\n",
            "is local, and not passed on",
        ),
        ("[services.mail]\n", "[services.mail]\nrelay_from = ['10.0.0.0/33']\n", "relay_from"),
        ("/users'", "/aliases'", "aliases"),
        (
            "submissions = ['tcp:0:interface=127.0.0.1']",
            "submissions = ['unix:/x']",
            "TLS from the start is for",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let file = fixture.scratch.write("wrong.toml", &text.replacen(from, to, 1));
        let output = output(&["check", &file]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(78) && said.contains(expected), "{from}: {said}");
    }
}
