//! The chat room with real clients.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use crate::kit::Server;

/// A guest who reads.
struct Guest(BufReader<TcpStream>);

impl Guest {
    fn join(address: SocketAddr, name: &str) -> Self {
        let mut guest = Self(BufReader::new(TcpStream::connect(address).unwrap()));
        assert_eq!(guest.hears(), "Which name do you want?");
        guest.says(name);
        assert!(guest.hears().starts_with(&format!("Welcome, {name}")));
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
        assert_eq!(ann.hears(), "* bob left");
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
            line => break assert_eq!(line, "* slow left: did not read what was said"),
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
