//! The ports of servers that anyone can reach: who may have how many connections by default, IPv4 and IPv6 at once, and the keys of
//! endpoints.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use socket2::{Domain, Socket, Type};

use super::{password, ports::port_of};
use crate::kit::{Scratch, Server, clean_environment, output, sinew};

/// The file of a mail server for example.org.
fn mail(scratch: &Scratch, more: &str) -> String {
    let text = |name| scratch.text(name);
    let users = scratch.write("users", &password::line_of("ann"));
    let config = format!(
        "[services.mail]\nhostname = 'mail.example.org'\ndomain = ['example.org']\npostmaster = 'ann'\nusers = '{users}'\nmailboxes = '{}'\nqueue = '{}'\n{more}\n",
        text("boxes"),
        text("queue"),
    );
    scratch.write("mail.toml", &config)
}

/// A client of SMTP.
struct Client(BufReader<TcpStream>);

impl Client {
    fn from(from: &str, to: SocketAddr) -> Self {
        let from: SocketAddr = format!("{from}:0").parse().expect("an address");
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
        socket.bind(&from.into()).expect("an address of this machine");
        socket.connect(&to.into()).expect("a server");
        Self(BufReader::new(socket.into()))
    }

    /// The last line of a reply; `None` at the end of the stream.
    fn reply(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).ok().filter(|read| *read > 0);
            read?;
            if line.as_bytes().get(3) == Some(&b' ') {
                return Some(line);
            }
        }
    }

    fn say(&mut self, text: &str) -> String {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).expect("a connection");
        self.reply().expect("a reply")
    }

    /// Until the text of the message is awaited.
    fn begin(&mut self) {
        for (command, code) in [
            ("EHLO client.example", "250"),
            ("MAIL FROM:<x@client.example>", "250"),
            ("RCPT TO:<ann@example.org>", "250"),
            ("DATA", "354"),
        ] {
            let reply = self.say(command);
            assert!(reply.starts_with(code), "{command}: {reply}");
        }
    }

    fn finish(&mut self) {
        let reply = self.say("Subject: hello\r\n\r\nHello.\r\n.");
        assert!(reply.starts_with("250"), "{reply}");
    }
}

/// With 200 descriptors, idle connections of one host leave room for others, and those of all hosts leave descriptors for messages.
#[test]
#[cfg_attr(
    not(target_os = "linux"),
    ignore = "addresses of the loopback need no setup on Linux alone"
)]
fn idle_connections_keep_nobody_out_and_break_no_message() {
    const PORT: usize = (200 - 128) / 2;
    const PER_IP: usize = PORT / 4;
    let scratch = Scratch::new();
    let config = mail(&scratch, "listen = 'tcp:0:interface=127.0.0.1'");
    let mut command = Command::new("sh");
    clean_environment(&mut command);
    command.args(["-c", "ulimit -n 200 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_sinew")]);
    let mut server = Server::spawn(command.args(["run", &config]));
    server.line("the queue is open");
    let at = SocketAddr::from(([127, 0, 0, 1], port_of(&server, "mail")));

    let mut early = Client::from("127.0.0.2", at);
    early.reply().expect("a greeting");
    early.begin();
    let mut idle: Vec<Client> = Vec::new();
    for _ in 0..60 {
        let mut client = Client::from("127.0.0.1", at);
        if client.reply().is_some() {
            idle.push(client);
        }
    }
    assert_eq!(idle.len(), PER_IP, "the others were closed at once");
    let mut other = Client::from("127.0.0.3", at);
    other.reply().expect("a greeting");
    other.begin();
    other.finish();
    drop(other);
    server.line("an attempt to deliver has ended");

    // Of many hosts, until the port is full.
    for number in 0..PORT - PER_IP - 1 {
        let mut client = Client::from(&format!("127.0.0.{}", 10 + number / PER_IP), at);
        client.reply().expect("a greeting");
        idle.push(client);
    }
    let mut waiting = Client::from("127.0.0.9", at);
    early.finish();
    server.line("an attempt to deliver has ended");
    drop(idle);
    waiting.reply().expect("a greeting, when others have gone");
    waiting.begin();
    waiting.finish();
    let log = server.stop();
    assert!(!log.contains("ERROR") && !log.contains("Too many open files"), "{log}");
}

/// `tcp6:` serves both families, with TLS from the start, too; and clients of IPv4 are known by their own addresses.
#[test]
fn one_endpoint_serves_ipv4_and_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let more = |interface: &str| {
        format!(
            "cert = '{cert}'\nkey = '{key}'\nrelay_from = ['127.0.0.0/8']\nlisten = 'tcp6:0:interface={interface}'\nsubmissions = 'tcp6:0:interface={interface}'"
        )
    };
    // The mapped form is the loopback of IPv4 at a socket of both families.
    for (interface, from, relays) in
        [("[::1]", "[::1]", false), ("[::ffff:127.0.0.1]", "127.0.0.1", true)]
    {
        let mut server = Server::spawn(&mut sinew(&["run", &mail(&scratch, &more(interface))]));
        server.line("the queue is open");
        let at = |service| -> SocketAddr {
            format!("{from}:{}", port_of(&server, service)).parse().expect("an address")
        };
        let mut client = Client::from(from, at("mail"));
        client.reply().expect("a greeting");
        client.say("EHLO client.example");
        client.say("MAIL FROM:<ann@example.org>");
        let reply = client.say("RCPT TO:<x@elsewhere.example>");
        assert_eq!(reply.starts_with("250"), relays, "{interface}: {reply}");
        // It is TLS: what is no handshake ends it without a greeting.
        let mut tls = Client::from(from, at("mail/submissions"));
        tls.0.get_mut().write_all(b"EHLO client.example\r\n").expect("a connection");
        assert_eq!(tls.reply(), None);
        // A stop would wait for the message that was begun.
        drop((client, tls));
        server.stop();
    }
    // Nothing is opened: all interfaces.
    let config = mail(&scratch, &format!("cert = '{cert}'\nkey = '{key}'\nimaps = 'tcp6:993'"));
    let said = output(&["check", &config]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn every_key_of_endpoints_takes_one_or_a_list() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let of_mail = mail(&scratch, &format!("cert = '{cert}'\nkey = '{key}'"));
    let of_mail = std::fs::read_to_string(of_mail).expect("a file");
    let of_xmpp = format!(
        "[services.xmpp]\ndomain = 'localhost'\ncert = '{cert}'\nkey = '{key}'\nstorage = '{}'\nusers = '{}'\n",
        scratch.text("xmpp"),
        scratch.text("users"),
    );
    let uploads = format!("{of_xmpp}upload_url = 'https://localhost/'\n");
    for (config, key, kind) in [
        (&of_mail, "listen", "tcp:0"),
        (&of_mail, "submission", "tcp:0"),
        (&of_mail, "submissions", "tcp:0"),
        (&of_mail, "lmtp", "unix:/x/lmtp.sock"),
        (&of_mail, "pop3", "tcp:0"),
        (&of_mail, "pop3s", "tcp6:0"),
        (&of_mail, "imap", "tcp:0"),
        (&of_mail, "imaps", "tcp:0"),
        (&of_mail, "control", "unix:/x/mail.sock"),
        (&of_xmpp, "direct_tls", "tcp:0"),
        (&uploads, "upload_https", "tcp:0"),
        (&uploads, "upload_http", "tcp:0"),
        (&"[services.irc]\n".to_owned(), "websocket", "tcp:0"),
        (&"[services.chat]\n".to_owned(), "irc", "tcp:0"),
        (&"[services.chat]\n".to_owned(), "http", "tcp:0"),
    ] {
        for (value, is_good) in [
            (format!("'{kind}'"), true),
            (format!("['{kind}']"), true),
            (format!("['{kind}', '{kind}']"), true),
            ("5".to_owned(), false),
            ("'nonsense:'".to_owned(), false),
            (format!("['{kind}', 5]"), false),
        ] {
            let path = scratch.write("one.toml", &format!("{config}{key} = {value}\n"));
            let said = String::from_utf8_lossy(&output(&["check", &path]).stdout).into_owned();
            let is_named = said.contains(&format!(".{key}"));
            assert_eq!(said.contains(": good; "), is_good, "{key} = {value}: {said}");
            assert!(is_good || is_named, "{key} = {value}: {said}");
        }
    }
}
