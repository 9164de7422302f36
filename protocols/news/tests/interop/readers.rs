//! Readers of others with our server.

use std::process::{Command, Output};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_news::{
    nntp::{
        codec::Range,
        server::{Access, NewsServer, Session},
    },
    store::{Locator, MemoryStore, NewsStore},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::program::{self, Folder, assert_success};
use crate::support::{self, new_article};

/// Runs a client with a server on this port that has three articles; returns what it prints, and the store.
pub(crate) fn with_server(
    input: &'static str,
    client: impl FnOnce(u16) -> Command,
) -> (Output, MemoryStore, Reactor) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let now = reactor.wall_clock();
    let store = support::store(now);
    for (id, body) in
        [("<1@a>", ".dot\r\n..\r\n.\r\nlast\r\n"), ("<2@a>", "two\r\n"), ("<3@a>", "\r\n")]
    {
        let stored = store.store(&reactor, new_article(id, &["a.open"], body, now));
        reactor.run_until(stored).unwrap().unwrap();
    }
    let plain = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Authenticator::with(Users::new().user("ann", "secret"), plain);
    let config = support::config().auth(users);
    let access = |_: &Session| Access::read_and_post().feeding();
    let port =
        reactor.listen_tcp("127.0.0.1:0", NewsServer::new(config, store.clone(), access)).unwrap();
    let client = client(port.local().port());
    let output = reactor.defer_to_thread(move || program::run(client, input));
    let output = reactor.run_until(output).unwrap().unwrap();
    (output, store, reactor)
}

const NNTPLIB: &str = r#"
import nntplib, sys, datetime
s = nntplib.NNTP("127.0.0.1", int(sys.argv[1]), user="ann", password="secret", readermode=True)
caps = s.getcapabilities()
assert "READER" in caps and "POST" in caps and "OVER" in caps, caps
resp, count, first, last, name = s.group("a.open")
assert (count, first, last) == (3, 1, 3)
resp, overviews = s.over((1, None))
assert [o["subject"] for n, o in overviews] == ["about <1@a>", "about <2@a>", "about <3@a>"], overviews
assert overviews[0][1]["xref"].endswith("a.open:1"), overviews[0]
assert int(overviews[1][1][":lines"]) == 1
resp, overviews = s.xover(2, 3)
assert len(overviews) == 2
resp, values = s.xhdr("subject", "1-2")
assert values == [("1", "about <1@a>"), ("2", "about <2@a>")], values
resp, info = s.body("<1@a>")
assert info.lines == [b".dot", b"..", b".", b"last"], info.lines
resp, info = s.article(2)
assert info.message_id == "<2@a>" and info.lines[-1] == b"two"
assert s.stat("<3@a>")[1:] == (0, "<3@a>")
resp, number, id = s.next()
assert (number, id) == (3, "<3@a>")
resp, groups = s.list("a.*")
assert [g.group for g in groups] == ["a.closed", "a.moderated", "a.open"], groups
resp, described = s.descriptions("a.open")
assert described == {"a.open": "What it is"}, described
assert s.description("a.open") == "What it is"
resp, ids = s.newnews("*", datetime.date(2000, 1, 1))
assert ids == ["<1@a>", "<2@a>", "<3@a>"], ids
assert len(s.newgroups(datetime.date(2000, 1, 1))[1]) == 4
now = s.date()[1]
s.post(b"From: ann@example.net\r\nNewsgroups: a.open\r\nMessage-ID: <4@a>\r\nSubject: posted\r\n\r\n.x\r\n.\r\n")
try:
    s.post(b"From: ann@example.net\r\nNewsgroups: no.such\r\nSubject: x\r\n\r\nx\r\n")
    raise SystemExit("it was posted")
except nntplib.NNTPTemporaryError as error:
    assert error.response.startswith("441"), error
assert s.body("<4@a>")[1].lines == [b".x", b"."]
date = now.strftime("%a, %d %b %Y %H:%M:%S +0000").encode()
s.ihave("<5@a>", b"Path: x!y\r\nFrom: a@b\r\nNewsgroups: a.open\r\nMessage-ID: <5@a>\r\nDate: " + date + b"\r\nSubject: relayed\r\n\r\nx\r\n")
s.help()
s.quit()
"#;

#[test]
fn nntplib() {
    let Some(mut python) = program::python("nntplib") else { return };
    let (output, store, reactor) = with_server("", |port| {
        python.args(["-W", "ignore", "-c", NNTPLIB, &port.to_string()]);
        python
    });
    assert_success(&output);
    let group = store.group(&reactor, &support::group("a.open"));
    assert_eq!(reactor.run_until(group).unwrap().unwrap().unwrap().count, 5);
}

/// The batch reader of slrn: it pulls a group into a spool of its own, and posts what waits there.
#[test]
fn slrnpull() {
    let Some(mut slrnpull) = program::packaged("usr/bin", "slrnpull") else { return };
    let folder = Folder::new("slrnpull");
    let outgoing = folder.0.join("out.going");
    std::fs::create_dir_all(&outgoing).unwrap();
    std::fs::create_dir_all(folder.0.join("news")).unwrap();
    std::fs::write(folder.0.join("slrnpull.conf"), "a.open 100 14\n").unwrap();
    let article =
        "From: ann@example.net\nNewsgroups: a.open\nMessage-ID: <slrn@a>\nSubject: posted\n\n.x\n";
    std::fs::write(outgoing.join("Xann"), article).unwrap();
    let spool = folder.0.clone();
    let (output, store, reactor) = with_server("", move |port| {
        slrnpull.arg("-d").arg(&spool).args(["-h", "127.0.0.1"]).env("NNTPPORT", port.to_string());
        slrnpull.args(["--logfile", "/dev/stderr"]).arg("-h").arg(format!("127.0.0.1:{port}"));
        slrnpull
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(folder.0.join("news/a/open/1"));
    let text = text.unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(text.ends_with("\n\n.dot\n..\n.\nlast\n"), "{text}");
    assert!(folder.0.join("news/a/open/.overview").is_file(), "{said}");
    let seen = store.has_seen(&reactor, &support::id("<slrn@a>"));
    assert!(reactor.run_until(seen).unwrap().unwrap(), "{said}");
}

/// slrn itself, in a terminal, led by a macro: it posts, reads the newest article that it has not read, saves it and ends.
#[test]
fn slrn() {
    let (Some(_), Some(_)) = (program::installed("slrn"), program::installed("script")) else {
        return;
    };
    let folder = Folder::new("slrn");
    let at = |name: &str| folder.0.join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(folder.0.join(name), text).unwrap();
    write("newsrc", "a.open: 1-2\n");
    write(
        "slrnrc",
        &format!(
            "set hostname \"example.net\"\nset username \"ann\"\nset editor_command \"sh {} '%s'\"\ninterpret \"{}\"\n",
            at("edit"),
            at("macro.sl")
        ),
    );
    write("edit", "printf 'posted\\n.x\\n' >> \"$1\"\n");
    write(
        "macro.sl",
        &format!(
            "define in_articles () {{\n () = save_current_article (\"{}\");\n quit (0);\n}}\n\
             define in_groups () {{\n set_input_string (\"a.open\\nby slrn\\n\");\n set_input_chars (\"yy\");\n call (\"post\");\n () = select_group ();\n}}\n\
             () = register_hook (\"group_mode_startup_hook\", \"in_groups\");\n\
             () = register_hook (\"article_mode_startup_hook\", \"in_articles\");\n",
            at("saved")
        ),
    );
    let (home, rc, newsrc) = (folder.0.clone(), at("slrnrc"), at("newsrc"));
    let (output, store, reactor) = with_server("", move |port| {
        let slrn = format!("slrn -n -h 127.0.0.1 -p {port} -i '{rc}' -f '{newsrc}'");
        let mut timeout = Command::new("timeout");
        // In the foreground: in a group of its own it could not use the terminal of who runs the tests.
        timeout.args(["--foreground", "60", "script", "-qec", &slrn, "/dev/null"]).env_clear();
        timeout.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
        timeout.envs([("SHELL", "/bin/sh"), ("TERM", "xterm"), ("LC_ALL", "C"), ("USER", "ann")]);
        timeout
    });
    assert_success(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("OVERVIEW.FMT not RFC 2980 compliant"), "{said}");
    let saved = std::fs::read_to_string(folder.0.join("saved"));
    let saved = saved.unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(saved.contains("\nMessage-ID: <3@a>\n"), "{saved}");
    let lines = store.overview(&reactor, &support::group("a.open"), Range::all(), 10);
    let lines = reactor.run_until(lines).unwrap().unwrap();
    assert_eq!((lines.len(), lines[3].subject().as_str()), (4, "by slrn"), "{said}");
    let posted = Locator::Number(support::group("a.open"), 4);
    let open = store.open(&reactor, &posted);
    let mut open = reactor.run_until(open).unwrap().unwrap().unwrap();
    let text = open.text.read(&reactor);
    let text = reactor.run_until(text).unwrap().unwrap();
    assert!(text.ends_with(b"\r\n\r\nposted\r\n.x\r\n"), "{}", text.escape_ascii());
}

#[cfg(feature = "compression")]
const ZLIB: &str = r#"
import socket, sys, zlib
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
f = s.makefile("rb")
assert f.readline().startswith(b"200 ")
s.sendall(b"COMPRESS DEFLATE\r\n")
assert f.readline().startswith(b"206 ")
deflate, inflate = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
def ask(lines):
    s.sendall(deflate.compress(lines) + deflate.flush(zlib.Z_SYNC_FLUSH))
read = b""
def until(end):
    global read
    while not read.endswith(end):
        piece = s.recv(100)
        assert piece, read
        read += inflate.decompress(piece)
    read, all = b"", read
    return all
ask(b"GROUP a.open\r\nBODY 1\r\n")
assert until(b"\r\n.\r\n") == b"211 3 1 3 a.open\r\n222 1 <1@a>\r\n..dot\r\n...\r\n..\r\nlast\r\n.\r\n"
ask(b"POST\r\n")
assert until(b"\r\n").startswith(b"340 ")
ask(b"From: ann@example.net\r\nNewsgroups: a.open\r\nSubject: x\r\n\r\n" + b"x" * 70 + b"\r\n" * 1000 + b".\r\n")
assert until(b"\r\n").startswith(b"240 ")
ask(b"QUIT\r\n")
assert until(b"\r\n").startswith(b"205 ")
"#;

/// The compression library of others.
#[cfg(feature = "compression")]
#[test]
fn zlib_of_python() {
    let Some(mut python) = program::python("zlib") else { return };
    let (output, ..) = with_server("", |port| {
        python.args(["-c", ZLIB, &port.to_string()]);
        python
    });
    assert_success(&output);
}
