//! `sinew news`: posting, reading, a restart after SIGKILL, and a feed from one server to another.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{
    password,
    peers::{has_program, run_with_input},
};
use crate::kit::{Scratch, Server, failure};

/// A server on a port of its own, with a group.
fn serve(arguments: &[&str]) -> Server {
    let always = ["news", "-l", "tcp:127.0.0.1:0", "--newsgroup", "misc.test=For tests"];
    Server::start(&[&always[..], arguments].concat())
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let mut client = Self(BufReader::new(TcpStream::connect(address).unwrap()));
        assert!(client.line().starts_with("200 "));
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.line()
    }

    fn post(&mut self, id: &str) {
        assert!(self.ask("POST").starts_with("340 "));
        let text = format!(
            "From: ann@example.net\r\nNewsgroups: misc.test\r\nSubject: x\r\nMessage-ID: {id}\r\n\r\nx\r\n."
        );
        assert!(self.ask(&text).starts_with("240 "));
    }
}

#[test]
fn what_was_posted_survives_sigkill() {
    let scratch = Scratch::new();
    let spool = scratch.text("spool");
    let server = serve(&[&spool, "--name", "news.example"]);
    let mut client = Client::connect(server.address());
    client.post("<1@a>");
    assert_eq!(client.ask("GROUP misc.test"), "211 1 1 1 misc.test");
    server.signal(Signal::SIGKILL);
    drop(server.end());
    let server = serve(&[&spool, "--name", "news.example"]);
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("STAT <1@a>"), "223 0 <1@a>");
    assert!(client.ask("LIST NEWSGROUPS").starts_with("215 "));
    assert_eq!(client.line(), "misc.test\tFor tests");
    let (code, said) = failure(&["news", "-l", "tcp:127.0.0.1:0", "--name", "x", &spool]);
    assert!(code != 0 && said.contains("is in use by another process"), "{said}");
    server.stop();
}

#[test]
fn one_server_feeds_another() {
    let scratch = Scratch::new();
    let (ours, theirs) = (scratch.text("ours"), scratch.text("theirs"));
    let other = serve(&[&theirs, "--name", "theirs.example", "--accept", "127.0.0.0/8"]);
    let feed = format!("theirs.example=tcp:{}", other.address());
    let server = serve(&[&ours, "--name", "ours.example", "--feed", &feed]);
    Client::connect(server.address()).post("<1@a>");
    let mut client = Client::connect(other.address());
    while !client.ask("STAT <1@a>").starts_with("223 ") {}
    assert!(client.ask("HDR Path <1@a>").starts_with("225 "));
    assert!(client.line().contains("theirs.example!.SEEN.127.0.0.1!ours.example!.POSTED!"));
    server.stop();
    other.stop();
}

#[test]
fn arguments_that_do_not_go_together() {
    let scratch = Scratch::new();
    let spool = scratch.text("spool");
    for (arguments, expect) in [
        (&[][..], "name is missing"),
        (&["--name", "a b"], "the name of the server"),
        (&["--name", "x", "--newsgroup", "a..b"], "no name of a group"),
        (&["--name", "x", "--newsgroup", "a:z"], "write y, m or n"),
        (&["--name", "x", "--feed", "nobody"], "the name of the server, = and its endpoint"),
        (&["--name", "x", "--feed-groups", "[a]"], "the groups of feeds"),
        (&["--name", "x", "--moderator", "ann"], "--users"),
        (&["--name", "x", "--users", "/no/such"], "/no/such"),
    ] {
        let (code, said) =
            failure(&[&["news", "-l", "tcp:127.0.0.1:0", &spool], arguments].concat());
        assert!(code != 0 && said.contains(expect), "{arguments:?}: {said}");
    }
    assert!(!scratch.path("spool").exists(), "nothing was created");
}

/// Posts articles until it is told to stop. What was in doubt when a connection was lost is posted again. Returns how many there are.
fn post_on(address: SocketAddr, who: usize, is_over: &AtomicBool) -> usize {
    let (mut count, mut client) = (0, None);
    while !is_over.load(Ordering::Relaxed) {
        let stored = (|| {
            if client.is_none() {
                let mut new = Client(BufReader::new(TcpStream::connect(address).ok()?));
                new.0.read_line(&mut String::new()).ok().filter(|len| *len > 0)?;
                client = Some(new);
            }
            let client = client.as_mut()?;
            let text = format!(
                "From: ann@example.net\r\nNewsgroups: misc.test\r\nSubject: x\r\nMessage-ID: <{count}@{who}.a>\r\n\r\nx\r\n.\r\n"
            );
            let mut line = String::new();
            for (said, expect) in [("POST\r\n", "340 "), (text.as_str(), "240 ")] {
                line.clear();
                client.0.get_mut().write_all(said.as_bytes()).ok()?;
                client.0.read_line(&mut line).ok()?;
                let is_there = line.contains("with this message-id already");
                (line.starts_with(expect) || is_there).then_some(())?;
            }
            Some(())
        })();
        match stored {
            Some(()) => count += 1,
            None => client = None,
        }
    }
    count
}

/// Upgrades under load: the next process has the spool when the one before has let it go, and no article is lost or stored twice.
#[test]
fn upgrades_while_articles_are_posted() {
    let scratch = Scratch::new();
    let (spool, pidfile) = (scratch.text("spool"), scratch.text("pid"));
    let mut server = serve(&[&spool, "--name", "news.example", "--pidfile", &pidfile]);
    let address = server.address();
    let is_over = AtomicBool::new(false);
    let count = thread::scope(|scope| {
        let posting: Vec<_> = (0..3)
            .map(|who| {
                scope.spawn({
                    let is_over = &is_over;
                    move || post_on(address, who, is_over)
                })
            })
            .collect();
        // Connections that do nothing do not keep the spool.
        let _idle = Client::connect(address);
        let start = Instant::now();
        for _ in 0..3 {
            Client::connect(address).post(&format!("<{}@b>", scratch.read("pid").trim()));
            let before = scratch.read("pid").trim().parse().expect("a number");
            crate::kit::send(before, Signal::SIGUSR2);
            server.all_lines(&["upgraded: that process serves", "news is served"]);
        }
        // Not even one of them has taken the time that a connection may have.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        is_over.store(true, Ordering::Relaxed);
        posting.into_iter().map(|thread| thread.join().expect("it ends")).sum::<usize>()
    });
    assert!(count > 0);
    let mut client = Client::connect(address);
    let all = count + 3;
    assert_eq!(client.ask("GROUP misc.test"), format!("211 {all} 1 {all} misc.test"));
    drop(client);
    let pid = scratch.read("pid").trim().parse().expect("a number");
    crate::kit::send(pid, Signal::SIGTERM);
    let (_, log) = server.end();
    assert!(!log.contains("too long") && !log.contains("could not be opened"), "{log}");
}

/// A changed option: the next service of the same process has the spool, though somebody is connected.
#[test]
fn a_reload() {
    let scratch = Scratch::new();
    let config = |groups: &str| {
        let text = format!(
            "[reactor]\ndrain = '2s'\n[services.news]\nlisten = ['tcp:127.0.0.1:0']\nname = 'news.example'\nspool = '{}'\nnewsgroup = [{groups}]\n",
            scratch.text("spool")
        );
        scratch.write("news.toml", &text)
    };
    let mut server = Server::start(&["run", &config("'misc.test'")]);
    let address = server.address();
    let mut idle = Client::connect(address);
    idle.post("<1@a>");
    config("'misc.test', 'misc.new'");
    server.signal(Signal::SIGHUP);
    server.all_lines(&["reloaded: "]);
    let mut client = Client::connect(address);
    assert_eq!(client.ask("GROUP misc.new"), "211 0 1 0 misc.new");
    client.post("<2@a>");
    assert_eq!(client.ask("GROUP misc.test"), "211 2 1 2 misc.test");
    server.stop();
}

/// Bob, who is removed by the script, and ann, who stays.
const REMOVED: &str = r#"
import os, socket, ssl, sys
sys.tracebacklimit = 1
cert, port, users, rest = sys.argv[1:]
context = ssl.create_default_context(cafile=cert)

class Client:
    def __init__(self, name):
        wire = socket.create_connection(("127.0.0.1", int(port)))
        self.wire = context.wrap_socket(wire, server_hostname="localhost")
        self.file = self.wire.makefile("rb")
        self.file.readline()
        self.ask("AUTHINFO USER " + name)
        self.login = self.ask("AUTHINFO PASS " + name)

    def ask(self, line):
        self.wire.sendall(line.encode() + b"\r\n")
        return self.file.readline()

ann, bob = Client("ann"), Client("bob")
print(ann.login, bob.login)
with open(users + ".new", "w") as file:
    file.write(rest)
os.rename(users + ".new", users)
print(bob.file.readline(), bob.file.readline())
print(ann.ask("GROUP misc.test"))
print(Client("bob").login)
"#;

/// The file is looked at now and then, without a signal.
#[test]
fn sessions_end_with_their_credentials() {
    if !has_program("python3") {
        return;
    }
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let lines = ["ann", "bob"].map(password::line_of);
    let users = scratch.write("users", &lines.concat());
    let at = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let mut server = Server::start(&[
        "news",
        "-l",
        &at,
        "--newsgroup",
        "misc.test",
        "--name",
        "news.example",
        "--users",
        &users,
        "--watch",
        "10ms",
        &scratch.text("spool"),
    ]);
    let port = server.address().port().to_string();
    let mut python = Command::new("python3");
    python.args(["-c", REMOVED, &cert, &port, &users, &lines[0]]);
    let output = run_with_input(&mut python, b"");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let expected = "b'281 You are logged in\\r\\n' b'281 You are logged in\\r\\n'\n\
         b'400 The credentials are not valid any more\\r\\n' b''\n\
         b'211 0 1 0 misc.test\\r\\n'\nb'481 The credentials are wrong\\r\\n'\n";
    assert_eq!(said, expected);
    server.line("the user's credentials have changed: its sessions end user=bob sessions=1");
    server.stop();
}

/// Moderators log in, over a socket of this machine as over TLS, and approve articles of their groups. Nobody else does.
#[test]
fn a_moderated_group() {
    let scratch = Scratch::new();
    scratch.write("users", &["ann", "bob"].map(super::password::line_of).concat());
    let socket = scratch.text("news.sock");
    let text = format!(
        "[services.news]\nlisten = ['tcp:127.0.0.1:0', 'unix:{socket}']\nname = 'news.example'\nspool = '{}'\nusers = '{}'\nnewsgroup = ['misc.news:m', 'misc.other:m']\nmoderator = ['ann=misc.news']\n",
        scratch.text("spool"),
        scratch.text("users")
    );
    let config = scratch.write("news.toml", &text);
    let server = Server::start(&["run", &config]);
    let post = |user: Option<&str>, group: &str, approved: &str| {
        let stream = UnixStream::connect(&socket).unwrap();
        let (mut writer, mut reader) = (stream.try_clone().unwrap(), BufReader::new(stream));
        let mut ask = |command: &str| {
            writer.write_all(command.as_bytes()).unwrap();
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        assert!(ask("").starts_with("200 "));
        if let Some(user) = user {
            assert!(ask(&format!("AUTHINFO USER {user}\r\n")).starts_with("381 "));
            assert!(ask(&format!("AUTHINFO PASS {user}\r\n")).starts_with("281 "));
        }
        assert!(ask("POST\r\n").starts_with("340 "));
        ask(&format!(
            "From: ann@example.net\r\nNewsgroups: {group}\r\nSubject: x\r\n{approved}\r\nx\r\n.\r\n"
        ))
    };
    let approved = "Approved: ann@example.net\r\n";
    for (user, group, approved, expected) in [
        (None, "misc.news", "", "441 misc.news is moderated: only its moderators post to it"),
        (None, "misc.news", approved, "441 You may not approve articles for misc.news"),
        (Some("bob"), "misc.news", approved, "441 You may not approve articles for misc.news"),
        (Some("ann"), "misc.other", approved, "441 You may not approve articles for misc.other"),
        (Some("ann"), "misc.news", "", "441 misc.news is moderated"),
        (Some("ann"), "misc.news", approved, "240 "),
    ] {
        let answer = post(user, group, approved);
        assert!(answer.starts_with(expected), "{user:?} {group} {approved}: {answer}");
    }
    let mut client = Client::connect(server.address());
    assert_eq!(client.ask("GROUP misc.news"), "211 1 1 1 misc.news");
    drop(client);
    server.stop();
}
