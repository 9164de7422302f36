//! `fetch` and `find_link`, against `serve_dir` and against servers that break off.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    thread,
};

use super::process::{Ended, Example};

/// A folder that is removed.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("sinew-fetch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fetch(folder: &Folder, args: &[&str]) -> Ended {
    Example::start("fetch", &[&["--dir", folder.str()], args].concat()).wait()
}

/// The SHA-256 of `hello, world` and a line feed.
const HELLO: &str = "853ff93762a06ddbf722c4ebe9ddd66d8f63ddaea97f521c3ecc20da7c976020";

fn site(name: &str) -> (Folder, Example) {
    let files = Folder::new(name);
    fs::write(files.path("hello.txt"), "hello, world\n").unwrap();
    fs::write(files.path("big.bin"), big()).unwrap();
    let server = Example::serve("serve_dir", "mio", &[files.str()]);
    (files, server)
}

fn big() -> Vec<u8> {
    (0..1_000_000_u32).map(|at| (at ^ at >> 8) as u8).collect()
}

#[test]
fn several_files_and_their_digests() {
    let (_files, server) = site("several");
    let to = Folder::new("several-to");
    let url = |name: &str| format!("http://{}/{name}", server.addr);
    let with_digest = format!("{}#sha256={HELLO}", url("hello.txt"));
    let ended = fetch(&to, &[&with_digest, &url("big.bin")]);
    assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
    let mut lines = ended.stdout.clone();
    lines.sort();
    assert!(lines[0].ends_with("big.bin: 976.6 KiB") && lines[1].ends_with("hello.txt: 13 bytes"));
    assert_eq!(to.names(), ["big.bin", "hello.txt"]);
    assert!(fs::read(to.path("big.bin")).unwrap() == big());
    // It is not overwritten, unless that is wanted.
    let ended = fetch(&to, &[&url("hello.txt")]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("there already"), "{ended:?}");
    assert_eq!(fetch(&to, &["--force", "--quiet", &url("hello.txt")]).code, Some(0));
    server.finish();
}

#[test]
fn what_goes_wrong_and_its_exit_code() {
    let (_files, server) = site("wrong");
    let to = Folder::new("wrong-to");
    let url = |name: &str| format!("http://{}/{name}", server.addr);
    let ended = fetch(&to, &[&url("hello.txt"), &url("missing")]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("404 Not Found"), "{ended:?}");
    assert_eq!(ended.stderr[1], "error: 1 of 2 downloads failed");
    assert_eq!(to.names(), ["hello.txt"], "the other one is here");
    let other = "0".repeat(64);
    let ended = fetch(&to, &["--force", "--sha256", &other, &url("hello.txt")]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr[0].contains(&format!("is {HELLO}, not {other}")), "{ended:?}");
    for (args, part) in [
        (&["--sha256", "12", "http://a/"][..], "64 hexadecimal digits"),
        (&["--sha256", &other, "http://a/", "http://b/"], "for one URL"),
        (&["--jobs", "0", "http://a/"], "0"),
        (&[], "<URL>"),
    ] {
        let ended = fetch(&to, args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert!(ended.stderr[0].contains(part), "{args:?}: {ended:?}");
    }
    assert_eq!(fetch(&to, &["ftp://a/"]).code, Some(1));
    server.finish();
}

/// A server that sends so many bytes of a body of ten in each connection, and then closes it; from the place that is asked for, if there is a
/// range. It serves this many connections.
fn breaking_off(connections: usize, bytes: usize, tag: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..connections {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let field = |name: &str| {
                let lines = request.lines();
                lines.filter_map(|line| line.split_once(": ")).find_map(|(found, value)| {
                    found.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            };
            let from = field("range")
                .filter(|_| field("if-range").as_deref() == Some(tag))
                .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            let body = "0123456789";
            let (head, rest) = match from {
                Some(from) => {
                    let range = format!("Content-Range: bytes {from}-9/10\r\n");
                    (format!("206 Partial Content\r\n{range}"), &body[from..])
                }
                None => ("200 OK\r\n".to_owned(), body),
            };
            let piece = &rest[..bytes.min(rest.len())];
            let head =
                format!("HTTP/1.1 {head}ETag: {tag}\r\nContent-Length: {}\r\n\r\n", rest.len());
            client.write_all(format!("{head}{piece}").as_bytes()).unwrap();
        }
    });
    addr
}

#[test]
fn broken_connections_are_resumed() {
    let to = Folder::new("resumed-to");
    // Four bytes, four bytes, and the rest.
    let addr = breaking_off(3, 4, "\"a\"");
    let ended = fetch(&to, &[&format!("http://{addr}/digits")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(to.path("digits")).unwrap(), "0123456789");
    assert_eq!(to.names(), ["digits"]);
}

#[test]
fn an_earlier_run_is_resumed() {
    let to = Folder::new("earlier-to");
    let addr = breaking_off(1, 4, "\"a\"");
    let url = format!("http://{addr}/digits");
    let ended = fetch(&to, &["--retries", "0", &url]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr[0].contains("the connection ended before the body did"), "{ended:?}");
    assert_eq!(to.names(), ["digits.part", "digits.part.of"]);
    assert_eq!(fs::read_to_string(to.path("digits.part")).unwrap(), "0123");
    // The same file, on another server.
    let addr = breaking_off(1, 10, "\"a\"");
    let digest = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
    let ended = fetch(&to, &["--sha256", digest, &format!("http://{addr}/digits")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(to.names(), ["digits"]);
    // One that has changed is not put together with what was there.
    fs::write(to.path("other.part"), "xxxx").unwrap();
    fs::write(to.path("other.part.of"), "\"old\"").unwrap();
    let addr = breaking_off(1, 10, "\"new\"");
    assert_eq!(fetch(&to, &[&format!("http://{addr}/other")]).code, Some(0));
    assert_eq!(fs::read_to_string(to.path("other")).unwrap(), "0123456789");
}

#[test]
fn find_link_finds_a_link_by_its_text() {
    let files = Folder::new("links");
    let page = "<a href='/x'>Downloads</a>\n<A class=\"b\" HREF=\"doc/?a=1&amp;b=2\"><b>Docu</b>mentation\n</A>";
    fs::write(
        files.path("page.html"),
        page.replace("<b>Docu</b>mentation", "<b>Documentation</b>"),
    )
    .unwrap();
    let server = Example::serve("serve_dir", "mio", &[files.str()]);
    let url = format!("http://{}/page.html", server.addr);
    let ended = Example::start("find_link", &[&url]).wait();
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), vec![format!("http://{}/doc/?a=1&b=2", server.addr)])
    );
    let ended = Example::start("find_link", &["--text", "downloads", &url]).wait();
    assert_eq!(ended.stdout, [format!("http://{}/x", server.addr)]);
    let ended = Example::start("find_link", &["--text", "Nothing", &url]).wait();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, [format!("error: no link on {url} is called \"Nothing\"")]);
    let ended = Example::start("find_link", &[&url.replace("page", "other")]).wait();
    assert!(ended.code == Some(1) && ended.stderr[0].contains("404 Not Found"), "{ended:?}");
    server.finish();
}
