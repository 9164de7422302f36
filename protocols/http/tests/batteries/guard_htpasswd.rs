//! Users in a file of `htpasswd`.

use std::{fs, path::PathBuf, time::Duration};

use sinew_http::server::{Credentials, Guard, Htpasswd, HtpasswdError, Request, answer};
use sinew_transports::reactor::Reactor;

use super::folder::Folder;
use crate::support::{Client, ok};

const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"; // U*U
const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="; // password
const APR1: &str = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"; // myPassword

fn ask(client: &Client, credentials: &str) -> bool {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {credentials}\r\n\r\n"));
    // A job of a simulated reactor takes a moment.
    client.advance(Duration::from_millis(500));
    let received = client.received();
    assert!(received == ok("in") || received.starts_with("HTTP/1.1 401 "), "{received}");
    received == ok("in")
}

fn file(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn three_kinds_of_hashes() {
    let folder = Folder::new();
    let text = format!("# users\n\nann:{BCRYPT}\r\nbob:{SHA}\n carl:{APR1}\n");
    let users = Htpasswd::open(file(&folder, &text)).unwrap();
    let client = Client::new(Guard::basic("r", users, answer(|_: &Request| "in")).unwrap());
    for (credentials, expected) in [
        ("YW5uOlUqVQ==", true),          // ann:U*U
        ("YW5uOlUqVQ==", true),          // again, remembered
        ("YW5uOlUqdQ==", false),         // ann:U*u
        ("Ym9iOnBhc3N3b3Jk", true),      // bob:password
        ("Ym9iOlUqVQ==", false),         // bob:U*U
        ("Y2FybDpteVBhc3N3b3Jk", true),  // carl:myPassword
        ("ZG9yYTpteVBhc3N3b3Jk", false), // dora:myPassword
        ("IyB1c2Vyczo=", false),         // # users:
    ] {
        assert_eq!(ask(&client, credentials), expected, "{credentials}");
    }
}

#[test]
fn the_file_is_read_again_when_it_has_changed() {
    let folder = Folder::new();
    let path = file(&folder, &format!("ann:{BCRYPT}\n"));
    let users = Htpasswd::open(&path).unwrap();
    let client = Client::new(Guard::basic("r", users, answer(|_: &Request| "in")).unwrap());
    assert!(ask(&client, "YW5uOlUqVQ==") && !ask(&client, "Ym9iOnBhc3N3b3Jk"));
    file(&folder, &format!("bob:{SHA}\n"));
    client.advance(Duration::from_secs(1));
    assert!(!ask(&client, "YW5uOlUqVQ=="), "what was remembered does not count any more");
    assert!(ask(&client, "Ym9iOnBhc3N3b3Jk"));
    // With a wrong line in it, or gone, the users stay as they were.
    file(&folder, "ann:secret\n");
    client.advance(Duration::from_secs(1));
    assert!(ask(&client, "Ym9iOnBhc3N3b3Jk"));
    fs::remove_file(&path).unwrap();
    client.advance(Duration::from_secs(1));
    assert!(ask(&client, "Ym9iOnBhc3N3b3Jk"));
}

#[test]
fn files_that_are_refused() {
    let folder = Folder::new();
    for (text, wrong) in [("ann:secret\n", 1), ("# x\nann\n", 2), ("a:{SHA}x\n", 1)] {
        match Htpasswd::open(file(&folder, text)) {
            Err(HtpasswdError::Line { line, .. }) => assert_eq!(line, wrong, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let error = Htpasswd::open(folder.path().join("missing")).unwrap_err();
    assert!(matches!(error, HtpasswdError::Io { .. }), "{error}");
    let long = file(&folder, "");
    fs::File::options().write(true).open(&long).unwrap().set_len((4 << 20) + 1).unwrap();
    assert!(matches!(Htpasswd::open(&long), Err(HtpasswdError::TooLong { .. })));
}

#[test]
fn a_hash_is_computed_on_a_thread() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let hash = bcrypt::hash("secret", 4).unwrap();
    let users = Htpasswd::open(file(&folder, &format!("ann:{hash}\n"))).unwrap();
    let reactor = Reactor::new().unwrap();
    for (password, is_right) in [("secret", true), ("Secret", false)] {
        let checked = users.check(&reactor, "ann", password.as_bytes());
        assert!(checked.take().is_none(), "the loop is not kept waiting");
        assert_eq!(reactor.run_until(checked).unwrap().unwrap(), is_right);
    }
    // What was found right is remembered.
    let checked = users.check(&reactor, "ann", b"secret");
    assert!(checked.take().is_some());
    let never = Htpasswd::open(folder.path().join("users")).unwrap().remember(Duration::ZERO);
    for _ in 0..2 {
        let checked = never.check(&reactor, "ann", b"secret");
        assert!(checked.take().is_none());
        assert!(reactor.run_until(checked).unwrap().unwrap());
    }
}
