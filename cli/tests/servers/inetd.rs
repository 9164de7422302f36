//! inetd with real programs: /bin/cat, /bin/sh, this command itself.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    process::Command,
};

use nix::sys::signal::Signal;

use super::peers::{has_program, read_all, run_with_input};
use crate::kit::{Scratch, Server, assert_echoes, failure, send};

/// The user of this process, by number.
fn user() -> String {
    let (user, group) = (nix::unistd::Uid::effective(), nix::unistd::Gid::effective());
    format!("{user}:{group}")
}

/// A running inetd whose file has these lines; `USER` is the user.
struct Inetd {
    scratch: Scratch,
    server: Server,
}

impl Inetd {
    fn start(lines: &str) -> Self {
        let scratch = Scratch::new();
        let file = scratch.write("inetd.conf", &lines.replace("USER", &user()));
        let server = Server::start(&["inetd", &file]);
        Self { scratch, server }
    }

    /// The address of the service that is opened as this one, of all so far.
    fn address(&self, index: usize) -> SocketAddr {
        let (_, address) = self.server.addresses[index].split_once(':').expect("a kind");
        address.parse().expect("an address")
    }

    fn rewrite(&mut self, lines: &str, until: &str) -> String {
        self.scratch.write("inetd.conf", &lines.replace("USER", &user()));
        self.server.signal(Signal::SIGHUP);
        self.server.line(until)
    }

    fn tcp(&self, index: usize) -> TcpStream {
        TcpStream::connect(self.address(index)).expect("a service that listens")
    }
}

#[test]
fn a_program_for_each_connection() {
    let mut inetd = Inetd::start("127.0.0.1:0 stream tcp nowait USER /bin/cat cat\n");
    let (mut first, mut second) = (inetd.tcp(0), inetd.tcp(0));
    assert_echoes(&mut second, "two");
    assert_echoes(&mut first, "one");
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut first), b"");
    inetd.server.line("ended");
    drop(second);
    inetd.server.stop();
}

#[test]
fn built_in_services() {
    let mut lines = String::new();
    for name in ["echo", "discard", "chargen", "daytime", "time", "qotd"] {
        lines += &format!("127.0.0.1:0 stream tcp nowait root internal {name}\n");
        lines += &format!("127.0.0.1:0 dgram udp wait root internal {name}\n");
    }
    let inetd = Inetd::start(&lines);
    // UDP services say where they are twice, once as all UDP services do.
    let find = |kind: &str, nth: usize| {
        let mut of_kind: Vec<_> = Vec::new();
        for address in &inetd.server.addresses {
            if let Some(address) = address.strip_prefix(kind)
                && !of_kind.contains(&address)
            {
                of_kind.push(address);
            }
        }
        of_kind[nth].parse::<SocketAddr>().unwrap()
    };
    assert_echoes(&mut TcpStream::connect(find("", 0)).unwrap(), "hello");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut answer = [0; 600];
    for (nth, min) in [(0, 5), (3, 31), (4, 4), (5, 10)] {
        socket.send_to(b"hello", find("udp:", nth)).unwrap();
        let (len, _) = socket.recv_from(&mut answer).unwrap();
        assert!(len >= min, "{nth}: {}", answer[..len].escape_ascii());
    }
    inetd.server.stop();
}

#[test]
fn a_unix_socket() {
    let scratch = Scratch::new();
    let path = scratch.text("service.sock");
    let inetd = Inetd::start(&format!("{path} stream unix nowait USER /bin/cat\n"));
    assert_echoes(&mut UnixStream::connect(&path).unwrap(), "hello");
    inetd.server.stop();
    assert!(!scratch.path("service.sock").exists());
}

/// The program gets the socket with the datagram in it, and the service is watched again when it ends.
#[test]
fn a_program_that_waits_for_datagrams() {
    let scratch = Scratch::new();
    let seen = scratch.text("seen");
    let mut inetd = Inetd::start(&format!(
        "127.0.0.1:0 dgram udp wait USER /bin/sh sh -c 'dd bs=2000 count=1 >> {seen} 2>/dev/null'\n"
    ));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for text in ["one ", "two ", "three"] {
        socket.send_to(text.as_bytes(), inetd.address(0)).unwrap();
        inetd.server.line("started, with the socket");
        inetd.server.line("ended");
    }
    assert_eq!(scratch.read("seen"), "one two three");
    inetd.server.stop();
}

/// This command is a program that takes a listening socket.
#[test]
fn a_program_that_waits_for_connections() {
    let sinew = env!("CARGO_BIN_EXE_sinew");
    let mut inetd = Inetd::start(&format!(
        "127.0.0.1:0 stream tcp wait USER {sinew} sinew echo --listen fd:0 --log-level off\n"
    ));
    for _ in 0..2 {
        assert_echoes(&mut inetd.tcp(0), "first");
        assert_echoes(&mut inetd.tcp(0), "second");
        let line = inetd.server.line("started, with the socket");
        let pid = line.split("pid=").nth(1).and_then(|rest| rest.split_whitespace().next());
        send(pid.unwrap().parse().unwrap(), Signal::SIGTERM);
        inetd.server.line("failed");
    }
    inetd.server.stop();
}

#[test]
fn the_file_is_read_again() {
    let kept = "127.0.0.1:0 stream tcp nowait USER /bin/cat\n";
    let mut inetd = Inetd::start(&format!("{kept}127.0.0.2:0 stream tcp nowait USER /bin/cat\n"));
    let mut open = inetd.tcp(0);
    assert_echoes(&mut open, "before");
    // One has another program, and one is new.
    let changed = "127.0.0.2:0 stream tcp nowait USER /bin/echo echo changed\n";
    inetd.rewrite(
        &format!("{kept}{changed}127.0.0.3:0 stream tcp nowait USER /bin/cat\n"),
        "read again",
    );
    assert_echoes(&mut open, "after");
    assert_echoes(&mut inetd.tcp(0), "the same socket");
    assert_eq!(read_all(&mut inetd.tcp(1)), b"changed\n");
    assert_echoes(&mut inetd.tcp(2), "new");
    // A mistake changes nothing.
    let line = inetd.rewrite("127.0.0.1:0 stream tcp nowait\n", "nothing is changed");
    assert!(line.contains("inetd.conf:1: "), "{line}");
    assert_echoes(&mut inetd.tcp(2), "still there");
    // One that is gone refuses, and what it had started goes on.
    inetd.rewrite(changed, "read again");
    assert!(TcpStream::connect(inetd.address(0)).is_err());
    assert_echoes(&mut open, "still running");
    inetd.server.stop();
}

#[test]
fn a_service_that_is_started_too_often_rests() {
    let mut inetd = Inetd::start("127.0.0.1:0 stream tcp nowait.2 USER /bin/echo echo hi\n");
    for _ in 0..2 {
        assert_eq!(read_all(&mut inetd.tcp(0)), b"hi\n");
    }
    let mut third = inetd.tcp(0);
    let line = inetd.server.line("started too often");
    assert!(line.contains("rest=600s"), "{line}");
    let mut rest = Vec::new();
    let _ = third.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    inetd.server.stop();
}

#[test]
fn children_are_limited_and_further_clients_wait() {
    let mut inetd = Inetd::start("127.0.0.1:0 stream tcp nowait/1 USER /bin/cat\n");
    let mut first = inetd.tcp(0);
    assert_echoes(&mut first, "one");
    let mut second = inetd.tcp(0);
    second.write_all(b"two\n").unwrap();
    assert_echoes(&mut first, "still the only one");
    drop(first);
    let mut line = String::new();
    BufReader::new(&mut second).read_line(&mut line).unwrap();
    assert_eq!(line, "two\n");
    inetd.server.line("ended");
    inetd.server.stop();
}

#[test]
fn the_syntax_of_xinetd() {
    let text = "service cat\n{\n type = UNLISTED\n socket_type = stream\n wait = no\n user = NAME\n group = GROUP\n \
                server = /bin/cat\n port = 0\n bind = 127.0.0.1\n}\n";
    let (user, group) = (nix::unistd::Uid::effective(), nix::unistd::Gid::effective());
    let text = text.replace("NAME", &user.to_string()).replace("GROUP", &group.to_string());
    let inetd = Inetd::start(&text);
    assert_echoes(&mut inetd.tcp(0), "hello");
    inetd.server.stop();
}

#[test]
fn mistakes_are_reported_with_file_and_line() {
    let scratch = Scratch::new();
    let bad = scratch.write("bad.conf", "# first\necho stream tcp nowait root\n");
    let no_user =
        scratch.write("user.conf", "127.0.0.1:0 stream tcp nowait no-such-user /bin/cat\n");
    let missing = scratch.text("missing.conf");
    for (arguments, text) in [
        (vec!["inetd", &bad], "bad.conf:2: "),
        (vec!["inetd", &no_user], "there is no user \"no-such-user\""),
        (vec!["inetd", &missing], "No such file"),
        (vec!["inetd", &bad, "--listen", "tcp:0"], "no endpoints of its own"),
    ] {
        let (code, said) = failure(&arguments);
        assert_ne!(code, 0);
        assert!(said.contains(text), "{said}");
    }
}

#[test]
fn nc_talks_to_cat() {
    if !has_program("nc.openbsd") {
        return;
    }
    let inetd = Inetd::start("127.0.0.1:0 stream tcp nowait USER /bin/cat\n");
    let port = inetd.address(0).port().to_string();
    let output =
        run_with_input(Command::new("nc.openbsd").args(["-N", "127.0.0.1", &port]), b"by nc\n");
    assert_eq!(output.stdout, b"by nc\n");
    inetd.server.stop();
}

#[test]
fn programs_run_as_their_user() {
    if !crate::kit::is_root() {
        return eprintln!("skipped: only root may start programs as another user");
    }
    let inetd = Inetd::start("127.0.0.1:0 stream tcp nowait nobody /usr/bin/id id\n");
    let said = String::from_utf8(read_all(&mut inetd.tcp(0))).unwrap();
    assert!(said.starts_with("uid=65534(nobody)"), "{said}");
    assert!(!said.contains("root"), "{said}");
    inetd.server.stop();
}

#[test]
fn only_root_may_name_another_user() {
    if crate::kit::is_root() {
        return eprintln!("skipped: root may");
    }
    let scratch = Scratch::new();
    let file = scratch.write("inetd.conf", "127.0.0.1:0 stream tcp nowait root /bin/cat\n");
    let (code, said) = failure(&["inetd", &file]);
    assert_ne!(code, 0);
    assert!(said.contains("only root may start programs as another user"), "{said}");
}
