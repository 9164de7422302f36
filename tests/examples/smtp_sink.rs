//! Tests of the examples `smtp_sink` and `smtp_filter`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// A temporary maildir.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("sinew-{}-{name}", process::id())))
    }

    fn serve(&self, engine: &str, args: &[&str]) -> Example {
        let path = self.0.to_str().unwrap();
        Example::serve("smtp_sink", engine, &[&["--maildir", path], args].concat())
    }

    fn messages(&self) -> Vec<String> {
        let read = |entry: fs::DirEntry| fs::read_to_string(entry.path()).unwrap();
        let count = |folder: &Path| fs::read_dir(folder).unwrap().count();
        assert_eq!(count(&self.0.join("tmp")) + count(&self.0.join("cur")), 0);
        let mut entries: Vec<_> =
            fs::read_dir(self.0.join("new")).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        entries.into_iter().map(read).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sends a line, and expects an answer with this prefix.
fn say(client: &mut Peer, line: &str, answer: &str) {
    client.send(format!("{line}\r\n"));
    let got = client.line();
    assert!(got.starts_with(answer), "{line}: {got:?} instead of {answer:?}");
}

fn greet(client: &mut Peer) {
    assert!(client.line().starts_with("220 "));
    say(client, "HELO me", "250 ");
}

#[test]
fn mail_is_kept_as_it_was_sent() {
    for engine in ENGINES {
        let folder = Folder::new(&format!("kept-{engine}"));
        let server = folder.serve(engine, &[]);
        let mut client = server.connect();
        greet(&mut client);
        for number in 1..=2 {
            say(&mut client, "MAIL FROM:<ann@example.org>", "250 2.1.0");
            say(&mut client, "RCPT TO:<bob@example.org>", "250 2.1.5");
            say(&mut client, "RCPT TO:<carl@example.org>", "250 2.1.5");
            say(&mut client, "DATA", "354 ");
            // The end of the message is split over several segments.
            for piece in [format!("Subject: {number}\r\n\r\n..a\r\n.."), "\r\n".into(), ".".into()]
            {
                client.send(piece);
            }
            say(&mut client, "", "250 2.0.0");
            assert!(
                server
                    .line()
                    .starts_with("<ann@example.org> to <bob@example.org>, <carl@example.org>: ")
            );
        }
        say(&mut client, "QUIT", "221 2.0.0");
        client.expect_end();
        drop(client);
        let message = |number: u32| {
            let head = "Return-Path: <ann@example.org>\r\nDelivered-To: bob@example.org\r\n\
                 Delivered-To: carl@example.org\r\nReceived: from me ([127.0.0.1])\r\n";
            (head, format!("+0000\r\nSubject: {number}\r\n\r\n.a\r\n.\r\n"))
        };
        let messages = folder.messages();
        assert_eq!(messages.len(), 2);
        for (number, stored) in (1..).zip(&messages) {
            let (head, tail) = message(number);
            assert!(stored.starts_with(head) && stored.ends_with(&tail), "{stored}");
        }
        server.finish();
    }
}

#[test]
fn commands_can_be_pipelined() {
    let folder = Folder::new("pipelined");
    let server = folder.serve("mio", &[]);
    let mut client = server.connect();
    client.send("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
    let mut said = String::new();
    while !said.contains("\n354 ") {
        said += &(client.line() + "\n");
    }
    client.send("hello\r\n.\r\nQUIT\r\n");
    said += &String::from_utf8(client.rest()).unwrap();
    let finals = said.lines().filter(|line| line.as_bytes()[3] == b' ');
    let codes: Vec<_> = finals.map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "221"]);
    assert!(said.contains("250-SIZE 10485760"), "{said}");
    assert_eq!(folder.messages().len(), 1);
    drop(client);
    server.finish();
}

#[test]
fn errors_are_smtp_replies() {
    let folder = Folder::new("errors");
    let server = folder.serve("mio", &["--size-max", "1000"]);
    let mut client = server.connect();
    assert!(client.line().starts_with("220 "));
    let long = format!("NOOP {}", "x".repeat(20_000));
    for (line, answer) in [
        ("MAIL FROM:<ann@example.org>", "503 5.5.1"),
        ("HELO me", "250 "),
        ("NONSENSE", "500 5.5.1"),
        ("RCPT TO:<bob@example.org>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("MAIL FROM:<ann>", "501 5.1.7"),
        ("MAIL FROM:<ann@example.org> SIZE=1001", "552 5.3.4"),
        (&long, "500 5.5.6"),
        ("NOOP", "250 2.0.0"),
        ("MAIL FROM:<ann@example.org>", "250 2.1.0"),
        ("MAIL FROM:<ann@example.org>", "503 5.5.1"),
        ("RCPT TO:<bob>", "501 5.1.3"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("STARTTLS", "502 5.5.1"),
        ("VRFY bob", "252 2.5.0"),
        ("DATA", "354 "),
        (&format!("{}\r\n.", "x".repeat(1001)), "552 5.3.4"),
        // That was the end: nothing follows.
        ("DATA", "503 5.5.1"),
        ("RSET", "250 2.0.0"),
    ] {
        say(&mut client, line, answer);
    }
    say(&mut client, "MAIL FROM:<ann@example.org>", "250 2.1.0");
    for _ in 0..100 {
        say(&mut client, "RCPT TO:<bob@example.org>", "250 2.1.5");
    }
    say(&mut client, "RCPT TO:<bob@example.org>", "452 4.5.3");
    assert!(folder.messages().is_empty());
    drop(client);

    // A client that only makes mistakes is disconnected.
    let mut client = server.connect();
    greet(&mut client);
    client.send("what?\r\n".repeat(11));
    let said = String::from_utf8(client.rest()).unwrap();
    assert_eq!(said.lines().count(), 11);
    assert!(said.ends_with("421 4.7.0 Too many errors\r\n"), "{said}");
    drop(client);
    server.finish();
}

/// SMTP smuggling: sequences that some servers accept as the end of a message must not start a second one.
#[test]
fn messages_cannot_be_smuggled() {
    let folder = Folder::new("smuggled");
    let server = folder.serve("mio", &[]);
    for end in ["\r\n.\r\r\n", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n"] {
        let mut client = server.connect();
        greet(&mut client);
        say(&mut client, "MAIL FROM:<user@good>", "250 ");
        say(&mut client, "RCPT TO:<bob@example.org>", "250 ");
        say(&mut client, "DATA", "354 ");
        client.send(format!(
            "one{end}MAIL FROM:<boss@bank>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\npay\r\n.\r\n"
        ));
        let said = String::from_utf8(client.rest()).unwrap();
        assert!(said.starts_with("521 5.5.2 "), "{end:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{end:?}: {said}");
    }
    assert!(folder.messages().is_empty());
    server.finish();
}

#[test]
fn commands_end_in_crlf_only() {
    let folder = Folder::new("bare");
    let server = folder.serve("mio", &[]);
    for line in ["NOOP\n", "NOOP\rNOOP\r\n"] {
        let mut client = server.connect();
        greet(&mut client);
        client.send(line);
        let said = String::from_utf8(client.rest()).unwrap();
        assert!(said.starts_with("521 5.5.2 ") && said.lines().count() == 1, "{line:?}: {said}");
    }
    server.finish();
}

#[test]
fn an_uncreatable_folder_is_a_one_line_error() {
    let listen = ["--listen", "127.0.0.1:0"];
    for (args, code, part) in [
        (&["--maildir", "/dev/null/mail"][..], 1, "error: could not make /dev/null/mail: "),
        (&[], 2, "error: the following required arguments were not provided: --maildir <DIR>"),
    ] {
        if cfg!(unix) {
            let ended = Example::start("smtp_sink", &[&listen, args].concat()).wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(code), 1), "{ended:?}");
            assert!(ended.stderr[0].starts_with(part), "{ended:?}");
        }
    }
}

#[test]
fn a_filter_adds_a_line_and_passes_the_reply_on() {
    let folder = Folder::new("filtered");
    let sink = folder.serve("mio", &["--size-max", "1000"]);
    let to = sink.connect().socket().peer_addr().unwrap().to_string();
    let filter = Example::serve("smtp_filter", "mio", &["--to", &to, "--line", "X-Seen: yes"]);
    let mut client = filter.connect();
    greet(&mut client);
    for (text, answer) in
        [("Subject: x\r\n\r\nshort", "250 2.0.0"), (&"x".repeat(1001), "550 5.7.1")]
    {
        say(&mut client, "MAIL FROM:<ann@example.org>", "250 2.1.0");
        say(&mut client, "RCPT TO:<bob@example.org>", "250 2.1.5");
        say(&mut client, "RCPT TO:<carl@example.org>", "452 4.5.3");
        say(&mut client, "DATA", "354 ");
        say(&mut client, &format!("{text}\r\n."), answer);
    }
    drop(client);
    filter.finish();
    let messages = folder.messages();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert!(message.contains("\r\nX-Seen: yes\r\nReceived: from me"), "{message}");
    assert!(message.ends_with("\r\nSubject: x\r\n\r\nshort\r\n"), "{message}");
    sink.finish();
    // Without the other server, the client is told to try again.
    let filter = Example::serve("smtp_filter", "mio", &["--to", &to]);
    let mut client = filter.connect();
    greet(&mut client);
    say(&mut client, "MAIL FROM:<ann@example.org>", "250 2.1.0");
    say(&mut client, "RCPT TO:<bob@example.org>", "250 2.1.5");
    say(&mut client, "DATA", "354 ");
    say(&mut client, "x\r\n.", "451 4.3.0");
    drop(client);
    filter.finish();
}
