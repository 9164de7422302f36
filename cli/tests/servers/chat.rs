//! The chat room with real clients, by all of its doors: irssi is skipped, aloud, where it is missing. What is said by WebSocket is tested
//! with the example `chat_server`, whose files these are.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
};

use super::peers::{Running, has_program, with_environment};
use crate::kit::{Scratch, Server, failure};

/// A guest who reads.
struct Guest(BufReader<TcpStream>);

impl Guest {
    fn join(address: SocketAddr, name: &str) -> Self {
        let mut guest = Self(BufReader::new(TcpStream::connect(address).unwrap()));
        assert_eq!(guest.hears(), "Your name?");
        guest.says(name);
        assert!(guest.hears().starts_with("Welcome. "));
        guest
    }

    fn says(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

fn start(more: &[&str]) -> Server {
    Server::start(&[&["chat", "--listen", "127.0.0.1:0"], more].concat())
}

#[test]
fn guests_talk_on_any_number_of_reactors() {
    for reactors in ["1", "3"] {
        let server = start(&["--reactors", reactors]);
        let mut ann = Guest::join(server.address(), "ann");
        let mut bob = Guest::join(server.address(), "bob");
        assert_eq!(ann.hears(), "* bob joined");
        bob.says("hello");
        assert_eq!(ann.hears(), "bob: hello");
        drop(bob);
        assert_eq!(ann.hears(), "* bob left: closed by the peer");
        let log = server.stop();
        assert!(log.contains("joined") && log.contains("left"), "{log}");
        // The drain tells her that it is over.
        assert_eq!(ann.hears(), "");
    }
}

#[test]
fn a_guest_who_does_not_read_is_dropped_and_the_others_are_not() {
    let server = start(&["--max-unread", "16k"]);
    let mut ann = Guest::join(server.address(), "ann");
    // Reads its welcome, and nothing after that.
    let slow = Guest::join(server.address(), "slow");
    let mut bob = Guest::join(server.address(), "bob");
    assert_eq!(ann.hears(), "* slow joined");
    assert_eq!(ann.hears(), "* bob joined");
    let text = "x".repeat(1000);
    let said = format!("ann: {text}");
    let mut rounds = 0;
    // Bob reads each line before the next is said, so he never has much to read.
    loop {
        ann.says(&text);
        match bob.hears() {
            line if line == said => rounds += 1,
            line => {
                break assert_eq!(line, "* slow left: more than 16384 bytes queued for sending");
            }
        }
        assert!(rounds < 100_000, "the limit has to be reached");
    }
    assert!(rounds > 16, "{rounds}");
    drop(slow);
    // Bob hears of the end before or after the line that led to it.
    bob.says("good riddance");
    loop {
        if ann.hears() == "bob: good riddance" {
            break;
        }
    }
    server.stop();
}

/// A server with all three doors, and their addresses.
fn with_doors(more: &[&str]) -> (Server, [SocketAddr; 3]) {
    let doors = ["--irc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let server = start(&[&doors, more].concat());
    let at = |door: &str| {
        let mut lines = server.lines.iter().filter_map(|line| line.split_once("listening on "));
        let line = lines.find(|(_, rest)| rest.trim_end().ends_with(door));
        let (_, rest) = line.unwrap_or_else(|| panic!("no {door} in {:?}", server.lines));
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let addresses = ["service=chat", "service=chat/irc", "service=chat/http"].map(at);
    (server, addresses)
}

#[test]
fn guests_of_three_doors_are_in_one_room() {
    let (server, [lines, irc, http]) = with_doors(&["--welcome", "Be kind."]);
    let mut ann = Guest(BufReader::new(TcpStream::connect(lines).unwrap()));
    assert_eq!(ann.hears(), "Your name?");
    ann.says("ann");
    assert_eq!(ann.hears(), "Be kind.");
    assert!(ann.hears().starts_with("Welcome. "));
    let mut iris = Guest(BufReader::new(TcpStream::connect(irc).unwrap()));
    iris.says("NICK iris\r\nUSER iris 0 * :Iris");
    for line in [
        ":room 001 iris :Welcome",
        ":room 375 iris :- Message of the day",
        ":room 372 iris :- Be kind.",
        ":room 376 iris :That is all",
        ":iris!iris@room JOIN #room",
        ":room 353 iris = #room :ann iris",
        ":room 366 iris #room :That is all",
    ] {
        assert_eq!(iris.hears(), line);
    }
    assert_eq!(ann.hears(), "* iris joined");
    ann.says("hello");
    assert_eq!(iris.hears(), ":ann!ann@room PRIVMSG #room :hello");
    iris.says("PRIVMSG #room :good morning\r\nPRIVMSG ann :psst\r\nQUIT :so long");
    for line in ["iris: good morning", "(iris) psst", "* iris left: so long"] {
        assert_eq!(ann.hears(), line);
    }
    let mut page = TcpStream::connect(http).unwrap();
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("<title>"), "{text}");
    drop(ann);
    let log = server.stop();
    for name in ["ann", "iris"] {
        assert!(log.contains(&format!("joined name={name}")), "{log}");
    }
}

/// A guest who says no name is disconnected, over lines and over IRC.
#[test]
fn guests_without_a_name_are_dropped() {
    let (server, [lines, irc, _]) = with_doors(&["--name-timeout", "100ms"]);
    for (at, last) in
        [(lines, "You have not said a name."), (irc, "ERROR :You have not said a name.")]
    {
        let mut all = String::new();
        TcpStream::connect(at).unwrap().read_to_string(&mut all).unwrap();
        assert!(all.trim_end().ends_with(last), "{all}");
    }
    server.stop();
}

#[test]
fn a_welcome_is_one_line() {
    let (code, error) = failure(&["chat", "--listen", "127.0.0.1:0", "--welcome", "a\u{7}b"]);
    assert!(code != 0 && error.contains("one line without control characters"), "{error}");
}

#[test]
fn irssi() {
    // It wants a terminal.
    if !has_program("irssi") || !has_program("script") {
        return;
    }
    let (server, [lines, irc, _]) = with_doors(&[]);
    let mut ann = Guest::join(lines, "ann");
    let home = Scratch::new();
    let config = format!(
        "servers = ( {{ address = \"127.0.0.1\"; chatnet = \"test\"; port = \"{}\"; autoconnect = \"yes\"; }} );\n\
         chatnets = {{ test = {{ type = \"IRC\"; }}; }};\n\
         channels = ( {{ name = \"#room\"; chatnet = \"test\"; autojoin = \"yes\"; \
         autosendcmd = \"/msg #room hello, everybody; /action #room waves; /nick ira\"; }} );\n\
         settings = {{ core = {{ nick = \"iris\"; user_name = \"iris\"; real_name = \"Iris\"; }}; }};\n",
        irc.port()
    );
    home.write("config", &config);
    let folder = home.text("");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("irssi --home={folder}"), "/dev/null"]);
    with_environment(&mut script, &home.path(""));
    script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let irssi = Running(script.spawn().unwrap());
    for line in ["* iris joined", "iris: hello, everybody", "iris: *waves*", "* iris is ira now"] {
        assert_eq!(ann.hears(), line);
    }
    drop(irssi);
    assert!(ann.hears().starts_with("* ira left: "));
    drop(ann);
    server.stop();
}
