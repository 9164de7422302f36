//! Tests of the example `imap_watch`, with a server that is played here.

use std::net::TcpListener;

use super::{peer::Peer, process::Example};
use crate::ENGINES;

/// Expects a line, and answers.
fn say(server: &mut Peer, expected: &str, answer: &str) {
    assert_eq!(server.line(), expected);
    server.send(answer);
}

/// A connection up to the mailbox.
fn greet(listener: &TcpListener) -> Peer {
    let mut server = Peer::accept(listener);
    server.send("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n");
    say(&mut server, "a1 LOGIN ann secret", "a1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
    server
}

fn fetched(number: u32, uid: u32) -> String {
    format!(
        "* {number} FETCH (UID {uid} ENVELOPE (NIL \"mail {uid}\" ((NIL NIL \"bob\" \"example.org\")) NIL NIL NIL NIL NIL NIL NIL))\r\n"
    )
}

fn start(listener: &TcpListener, engine: &str, password: &str) -> Example {
    let to = listener.local_addr().unwrap().to_string();
    let args = ["--to", &to, "--user", "ann", "--plaintext", "--delay", "1", "--engine", engine];
    Example::start_with("imap_watch", &args, &[("IMAP_PASSWORD", password)])
}

#[test]
fn new_mail_is_printed_and_none_is_missed() {
    for engine in ENGINES {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = start(&listener, engine, "secret");
        let mut server = greet(&listener);
        say(&mut server, "a2 SELECT INBOX", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\na2 OK\r\n");
        say(&mut server, "a3 UID SEARCH ALL", "* SEARCH 7\r\na3 OK\r\n");
        say(&mut server, "a4 UID FETCH 7 (UID FLAGS)", "* 1 FETCH (UID 7 FLAGS ())\r\na4 OK\r\n");
        assert_eq!(client.line(), "watching INBOX: 1 messages");
        say(&mut server, "a5 IDLE", "+ idling\r\n* 2 EXISTS\r\n");
        say(&mut server, "DONE", "a5 OK\r\n");
        let answer = format!("{}a6 OK\r\n", fetched(2, 8));
        say(&mut server, "a6 UID FETCH 8:* (UID ENVELOPE)", &answer);
        assert_eq!(client.line(), "8 from bob@example.org: mail 8");
        say(&mut server, "a7 IDLE", "+ idling\r\n* BYE maintenance\r\n");
        drop(server);
        assert_eq!(client.line(), "the connection was lost");

        // What has come meanwhile.
        let mut server = greet(&listener);
        say(&mut server, "a2 SELECT INBOX", "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\na2 OK\r\n");
        say(&mut server, "a3 UID SEARCH ALL", "* SEARCH 7 8 9\r\na3 OK\r\n");
        let flags = "* 1 FETCH (UID 7 FLAGS ())\r\n* 2 FETCH (UID 8 FLAGS ())\r\n* 3 FETCH (UID 9 FLAGS ())\r\na4 OK\r\n";
        say(&mut server, "a4 UID FETCH 7:9 (UID FLAGS)", flags);
        assert_eq!(client.line(), "watching INBOX: 3 messages");
        let answer = format!("{}a5 OK\r\n", fetched(3, 9));
        say(&mut server, "a5 UID FETCH 9 (UID ENVELOPE)", &answer);
        assert_eq!(client.line(), "9 from bob@example.org: mail 9");
        say(&mut server, "a6 IDLE", "+ idling\r\n");
        #[cfg(unix)]
        {
            client.signal(rustix::process::Signal::TERM);
            let ended = client.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        }
    }
}

#[test]
fn a_password_is_not_sent_where_the_server_forbids_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = start(&listener, "mio", "secret");
    let mut server = Peer::accept(&listener);
    server.send("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n");
    let ended = client.wait();
    assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1), "{ended:?}");
    assert!(ended.stderr[0].starts_with("error: could not log in"), "{ended:?}");
    server.expect_end();
}
