//! Clients of others: slixmpp, which is a component as well, go-sendxmpp, and profanity in a terminal.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{Client, Fixture, port};
use crate::servers::peers::{Running, closed_port, has_program, spawn, with_environment};

const SCRIPT: &str = include_str!("clients.py");

/// Python with slixmpp, of `.ci/peers` or of the system.
fn python() -> Option<Command> {
    let test = std::env::current_exe().expect("a path");
    let target = test.ancestors().nth(3).expect("target/debug/deps/test");
    for program in [target.join("peers/python/bin/python3"), PathBuf::from("python3")] {
        let mut import = Command::new(&program);
        import.args(["-c", "import slixmpp, aiohttp"]).stderr(Stdio::null());
        if import.status().is_ok_and(|status| status.success()) {
            return Some(Command::new(program));
        }
    }
    eprintln!("skipped: Python with slixmpp and aiohttp is not installed");
    None
}

#[test]
fn slixmpp() {
    let Some(mut python) = python() else { return };
    // The address is in the file that says the port.
    let (at, _held) = closed_port();
    let at = at.port();
    let more = format!(
        "upload_url = 'https://localhost:{at}/files'\nupload_https = ['tcp:{at}:interface=127.0.0.1:reuseport=yes']\n"
    );
    let fixture = Fixture::new().with(&more);
    let server = fixture.start();
    let script = fixture.scratch.write("clients.py", SCRIPT);
    python.args(["-W", "ignore", &script]);
    for group in ["", "/direct_tls", "/component_port"] {
        python.arg(port(&server, group).to_string());
    }
    python.arg(fixture.scratch.text("cert.pem"));
    let output = spawn(with_environment(&mut python, &fixture.scratch.path("")));
    let output = output.wait_with_output().expect("a child");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("done\n"), "{said}");
    // The room and the file are there after a start.
    let rooms = fs::read_dir(fixture.scratch.path("storage/rooms")).expect("a folder").count();
    assert_eq!(rooms, 1);
    server.stop();
    fixture.start().stop();
}

/// It sends a message, and receives one.
#[test]
fn go_sendxmpp() {
    if !has_program("go-sendxmpp") {
        return;
    }
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let server = fixture.start();
    let mut ann = Client::online(port(&server, ""), super::ANN);
    let home = fixture.scratch.path("");
    let go = |port: u16, more: &[&str]| {
        let mut go = Command::new("go-sendxmpp");
        go.args(["-n", "-u", "bob@localhost", "-p", "bob", "-j", &format!("localhost:{port}")]);
        with_environment(go.args(more), &home);
        go
    };
    for (port, more) in [(port(&server, ""), None), (port(&server, "/direct_tls"), Some("-t"))] {
        let more: Vec<_> = more.into_iter().chain(["ann@localhost"]).collect();
        let sent = super::run_with_input(&mut go(port, &more), b"from go\n");
        assert!(sent.status.success(), "{sent:?}");
        let message = ann.until("<body>from go");
        let (_, from) = message.rsplit_once(" from='").expect("an address");
        let from = from.split('\'').next().expect("an address");
        // That program has ended. The answer says that its session has, too, so that it is sent nothing more.
        ann.say(&format!(
            "<iq to='{from}' type='get' id='gone'><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        ann.until("id='gone'");
        ann.until("</iq>");
    }
    let mut listening = Running(spawn(&mut go(port(&server, ""), &["-l"])));
    let mut lines = BufReader::new(listening.0.stdout.take().expect("a pipe")).lines();
    // It waits until he is there.
    ann.say("<message to='bob@localhost' type='chat'><body>to go</body></message>");
    let line = lines.next().expect("a line").expect("text");
    assert!(line.ends_with("ann@localhost: to go"), "{line}");
    server.stop();
}

/// A client with a terminal.
#[test]
fn profanity() {
    if !has_program("profanity") || !has_program("script") {
        return;
    }
    let fixture = Fixture::new().with("plaintext_logins = true\n");
    let server = fixture.start();
    let port = port(&server, "");
    let mut ann = Client::online(port, super::ANN);
    let mut script = Command::new("script");
    script.args(["-qec", "profanity", "/dev/null"]);
    let mut child = Running(spawn(with_environment(&mut script, &fixture.scratch.path(""))));
    let mut stdin = child.0.stdin.take().expect("a pipe");
    let mut screen = child.0.stdout.take().expect("a pipe");
    let mut shown = String::new();
    let mut until = |text: &str| {
        while !shown.contains(text) {
            let mut bytes = [0; 4_096];
            let len = screen.read(&mut bytes).expect("a terminal");
            assert_ne!(len, 0, "the end came before {text:?}: {shown}");
            shown += &String::from_utf8_lossy(&bytes[..len]);
        }
        shown.clear();
    };
    let mut type_in = |line: &str| {
        std::io::Write::write_all(&mut stdin, format!("{line}\r").as_bytes()).expect("a terminal");
    };
    until("Profanity");
    type_in(&format!("/connect bob@localhost server 127.0.0.1 port {port} tls trust"));
    until("assword");
    type_in("bob");
    until("logged in successfully");
    type_in("/msg ann@localhost from profanity");
    let message = ann.until("from profanity</body>");
    let (_, from) = message.rsplit_once(" from='").expect("an address");
    let from = from.split('\'').next().expect("an address");
    ann.say(&format!("<message to='{from}' type='chat'><body>to profanity</body></message>"));
    until("to profanity");
    drop(child);
    server.stop();
}
