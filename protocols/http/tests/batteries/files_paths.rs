//! Paths that try to lead somewhere else.

use sinew_http::server::Files;

use super::folder::Folder;
use crate::support::{Client, get};

/// A folder with a secret beside what is served.
fn site(dot_files: bool) -> (Folder, Client) {
    let folder = Folder::new()
        .with("secret", "secret")
        .with("served-not/secret", "secret")
        .with("served/file", "public")
        .with("served/a b", "blank")
        .with("served/100%", "percent")
        .with("served/..dots", "dots")
        .with("served/.env", "secret")
        .with("served/.git/config", "secret")
        .with("served/sub/file", "below");
    let files =
        Files::new(folder.path().join("served")).unwrap().dot_files(dot_files).listing(true);
    let client = Client::new(files);
    (folder, client)
}

#[test]
fn nothing_leads_out() {
    for dot_files in [false, true] {
        let (_folder, client) = site(dot_files);
        for path in [
            "/../secret",
            "/sub/../../secret",
            "/..%2fsecret",
            "/%2e%2e/secret",
            "/%2E%2E%2Fsecret",
            "/.%2e/secret",
            "/%252e%252e/secret", // dotdot_encoded_twice
            "/..%252fsecret",
            "/..\\secret",
            "/..%5csecret",
            "/%2e%2e%5csecret",
            "/sub/..%00/secret",
            "/file%00",
            "/file%00.txt",
            "/%00",
            "/..",
            "/.",
            "/./file",
            "/sub/../file",
            "/sub%2ffile",
            "/sub%2Ffile",
            "/%2ffile",
            "//../secret",
            "/..;/secret",
            "/../served-not/secret",
            "/%c0%ae%c0%ae/secret",
            "/file%",
            "/file%2",
            "/file%zz",
        ] {
            let received = client.ask(get(path));
            assert!(received.starts_with("HTTP/1.1 404 "), "{path}: {received}");
        }
    }
}

#[test]
fn names_with_a_dot_are_there_when_they_are_switched_on() {
    let dotted = ["/.env", "/.git/config", "/..dots", "/%2eenv"];
    let (_folder, client) = site(false);
    for path in dotted {
        assert!(client.ask(get(path)).starts_with("HTTP/1.1 404 "), "{path}");
    }
    let (_folder, client) = site(true);
    for path in dotted {
        assert!(client.ask(get(path)).starts_with("HTTP/1.1 200 "), "{path}");
    }
}

#[test]
fn names_that_are_odd_but_honest() {
    let (_folder, client) = site(false);
    for (path, body) in [
        ("/a%20b", "blank"),
        ("/100%25", "percent"),
        ("/%66ile", "public"),
        ("//sub//file", "below"),
    ] {
        assert!(client.ask(get(path)).ends_with(body), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_as_far_as_the_folder_goes() {
    use std::os::unix::fs::symlink;
    let (folder, client) = site(false);
    let served = folder.path().join("served");
    symlink("sub/file", served.join("inside")).unwrap();
    symlink("sub", served.join("inside-folder")).unwrap();
    symlink("../secret", served.join("outside")).unwrap();
    symlink("..", served.join("outside-folder")).unwrap();
    symlink("/etc/passwd", served.join("absolute")).unwrap();
    symlink("circle", served.join("circle")).unwrap();
    symlink("nowhere", served.join("dangling")).unwrap();
    assert!(client.ask(get("/inside")).ends_with("below"));
    assert!(client.ask(get("/inside-folder/file")).ends_with("below"));
    for path in [
        "/outside",
        "/outside-folder/",
        "/outside-folder/secret",
        "/absolute",
        "/circle",
        "/dangling",
    ] {
        let received = client.ask(get(path));
        assert!(received.starts_with("HTTP/1.1 404 "), "{path}: {received}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let (folder, client) = site(false);
    let socket = folder.path().join("served/socket");
    let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    assert!(client.ask(get("/socket")).starts_with("HTTP/1.1 404 "));
    let fifo = folder.path().join("served/fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(client.ask(get("/fifo")).starts_with("HTTP/1.1 404 "));
    } else {
        println!("skipped: there is no mkfifo here");
    }
}
