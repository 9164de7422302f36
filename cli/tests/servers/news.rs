//! `sinew news`: posting, reading, a restart after SIGKILL, and a feed from one server to another.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use nix::sys::signal::Signal;

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
        (&[][..], "the server has no name"),
        (&["--name", "a b"], "the name of the server"),
        (&["--name", "x", "--newsgroup", "a..b"], "no name of a group"),
        (&["--name", "x", "--newsgroup", "a:z"], "write y, m or n"),
        (&["--name", "x", "--feed", "nobody"], "the name of the server, = and its endpoint"),
        (&["--name", "x", "--feed-groups", "[a]"], "the groups of feeds"),
        (&["--name", "x", "--users", "/no/such"], "/no/such"),
    ] {
        let (code, said) =
            failure(&[&["news", "-l", "tcp:127.0.0.1:0", &spool], arguments].concat());
        assert!(code != 0 && said.contains(expect), "{arguments:?}: {said}");
    }
    assert!(!scratch.path("spool").exists(), "nothing was created");
}
