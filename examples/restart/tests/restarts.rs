//! The two programs, as a user runs them.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
};

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(path: &str) -> Self {
        watchdog::watch_this_test();
        let mut command = Command::new(path);
        let mut child =
            command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("it has been built");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The process id and the address that the next line says.
    fn serving(&mut self) -> (String, String) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let addr = words.last().unwrap().trim_start_matches("tcp:");
        (words[1].to_owned(), addr.to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(addr: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(addr).unwrap()))
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[test]
fn echo_server_is_replaced() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_restart_echo"));
    let (first, addr) = program.serving();
    let mut old = Client::connect(&addr);
    old.send("one\n");
    assert_eq!(old.line(), "one");
    signal("-USR2", &first);
    let (second, same) = program.serving();
    assert!(first != second && addr == same);
    let mut new = Client::connect(&addr);
    for client in [&mut old, &mut new] {
        client.send("two\n");
        assert_eq!(client.line(), "two");
    }
    drop(old);
    program.child.wait().unwrap();
    signal("-TERM", &second);
    drop(new);
}

#[test]
fn guests_stay_in_the_room() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_restart_chat"));
    let (first, addr) = program.serving();
    let (mut ann, mut bob) = (Client::connect(&addr), Client::connect(&addr));
    for (guest, name) in [(&mut ann, "ann"), (&mut bob, "bob")] {
        assert_eq!(guest.line(), "Your name?");
        guest.send(&format!("{name}\n"));
        assert!(guest.line().starts_with(&format!("Welcome, {name}.")));
    }
    ann.send("half of");
    signal("-USR2", &first);
    let (second, _) = program.serving();
    assert!(program.child.wait().unwrap().success(), "the old one has nobody left");
    ann.send(" a line\n");
    assert_eq!(bob.line(), "ann: half of a line");
    bob.send("hello\n");
    assert_eq!([ann.line(), ann.line()], ["ann: half of a line", "bob: hello"]);
    signal("-TERM", &second);
}
