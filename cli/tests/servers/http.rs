//! `sinew http`: a folder, another server, a redirect, a password.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
};

use super::peers::read_all;
use crate::kit::{Scratch, Server, failure};

fn get(address: SocketAddr, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(read_all(&mut stream)).unwrap()
}

#[test]
fn a_folder_another_server_and_a_redirect() {
    let scratch = Scratch::new();
    scratch.write("hello.txt", "hello\n");
    // The path is passed on as it is.
    fs::create_dir(scratch.path("inner")).unwrap();
    scratch.write("inner/hello.txt", "hello\n");
    let folder = scratch.text("");
    let inner = Server::start(&["http", "--listen", "127.0.0.1:0", &folder]);
    let proxy = format!("/inner={}", inner.address());
    let outer = Server::start(&[
        "http",
        "--listen",
        "127.0.0.1:0",
        "--reactors",
        "2",
        "--proxy",
        &proxy,
        "--redirect",
        "/old=/new",
        &folder,
    ]);
    for path in ["/hello.txt", "/inner/hello.txt"] {
        let answer = get(outer.address(), path, "");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nhello\n"),
            "{path}: {answer}"
        );
    }
    assert!(get(outer.address(), "/", "").contains("hello.txt"));
    assert!(get(outer.address(), "/old", "").to_ascii_lowercase().contains("location: /new"));
    assert!(get(outer.address(), "/../../etc/passwd", "").starts_with("HTTP/1.1 4"));
    let log = outer.stop();
    assert!(log.contains("GET /hello.txt"), "{log}");
    inner.stop();
}

#[test]
fn mistakes_of_the_options() {
    for (arguments, text) in [
        (&["http", "/no/such/folder"][..], "/no/such/folder"),
        (&["http", "--proxy", "api=tcp:host:1"], "begins with a slash"),
        (&["http", "--proxy", "/api"], "write a path"),
        (&["http", "--htpasswd", "/no/such/file"], "/no/such/file"),
    ] {
        let (code, said) = failure(arguments);
        assert_ne!(code, 0, "{arguments:?}");
        assert!(said.contains(text), "{said}");
    }
}
