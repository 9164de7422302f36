//! Tests of path traversal: paths that try to leave the directory.

use sinew_http::server::Files;

use super::folder::Folder;
use crate::support::{Client, get};

/// A directory that is served, beside a secret.
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
fn no_path_leaves_the_directory() {
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
fn dot_files_are_served_if_enabled() {
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
fn unusual_but_harmless_names() {
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
fn symbolic_links_are_followed_inside_the_directory() {
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
fn special_files_are_not_opened() {
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
