//! Uploads: what is received, what is refused, and what is left of them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
};

use nix::sys::signal::Signal;

use super::{ANN, Client, Fixture, port};
use crate::kit::Server;

/// A server, a client that asks for slots, and the port of HTTP.
struct Site {
    fixture: Fixture,
    server: Server,
    ann: Client,
    http: u16,
}

/// Where a file goes, and what allows that.
struct Slot {
    path: String,
    token: String,
}

impl Site {
    fn new(more: &str) -> Self {
        let fixture = Fixture::new().with(
            "plaintext_logins = true\nupload_url = 'http://localhost/files'\nupload_http = ['tcp:0:interface=127.0.0.1']\n",
        );
        Self::of(fixture.with(more))
    }

    fn of(fixture: Fixture) -> Self {
        let server = fixture.start();
        let ann = Client::online(port(&server, ""), ANN);
        let http = port(&server, "/upload_http");
        Self { fixture, server, ann, http }
    }

    fn slot(&mut self, name: &str, size: usize, kind: &str) -> Slot {
        self.ann.say(&format!(
            "<iq type='get' id='slot' to='upload.localhost'><request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{size}' \
             content-type='{kind}'/></iq>"
        ));
        let answer = self.ann.until("</iq>");
        let between = |from: &str, to: &str| {
            let rest = answer.split_once(from).unwrap_or_else(|| panic!("{from}: {answer}")).1;
            rest.split(to).next().expect("a part").to_owned()
        };
        Slot { path: between("<put url='http://localhost", "'"), token: between("Bearer ", "<") }
    }

    /// Sends a request, and what follows it.
    fn send(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).expect("a server");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a connection");
        // It may be closed before it has read all.
        let _ = stream.write_all(body);
        stream
    }

    /// The answer to a request, up to its end.
    fn ask(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
        let mut answer = Vec::new();
        let _ = self.send(method, path, fields, body).read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn put(&self, slot: &Slot, body: &[u8]) -> String {
        self.ask("PUT", &slot.path, &fields(slot, body.len()), body)
    }

    fn get(&self, path: &str, fields: &str) -> String {
        self.ask("GET", path, fields, b"")
    }

    fn folder(&self) -> PathBuf {
        self.fixture.scratch.path("storage/uploads")
    }

    /// Files and folders of uploads.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.into_string().expect("text"))
            .filter(|name| name != "key")
            .collect();
        names.sort_unstable();
        names
    }
}

fn fields(slot: &Slot, len: usize) -> String {
    format!("Authorization: Bearer {}\r\nContent-Length: {len}\r\n", slot.token)
}

#[track_caller]
fn assert_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
}

/// Who knows the address of an upload reads it: the log does not have it.
#[test]
fn addresses_are_not_in_the_log() {
    let mut site = Site::new("");
    let slot = site.slot("cat.png", 3, "image/png");
    assert_status(&site.put(&slot, b"cat"), 201);
    assert_status(&site.get(&slot.path, ""), 200);
    let id = &slot.path["/files/".len()..][..32];
    for method in ["PUT", "GET"] {
        let line = site.server.line(&format!("\"{method} "));
        let shown = format!("{method} /files/{}... ", &id[..6]);
        assert!(line.contains(&shown) && !line.contains("cat.png"), "{line}");
    }
    site.server.stop();
}

#[test]
fn a_file_and_its_ranges() {
    let mut site = Site::new("");
    // More than a body that is read whole may have.
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    let slot = site.slot("a page.html", content.len(), "text/html");
    assert_status(&site.get(&slot.path, ""), 404);
    assert_status(&site.put(&slot, &content), 201);
    let answer = site.get(&slot.path, "Origin: https://chat.example\r\n");
    assert_status(&answer, 200);
    assert!(answer.as_bytes().ends_with(&content[..]), "{} bytes", answer.len());
    let head = answer.split_once("\r\n\r\n").expect("a head").0.to_ascii_lowercase();
    for field in [
        "content-type: text/html",
        "content-disposition: attachment",
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "access-control-allow-origin: *",
        "accept-ranges: bytes",
        "content-length: 3000000",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    let answer = site.ask("HEAD", &slot.path, "", b"");
    assert!(answer.contains("ontent-Length: 3000000") && answer.ends_with("\r\n\r\n"), "{answer}");
    for (range, status, expected) in [
        ("bytes=0-2", 206, "\r\n\r\nabc"),
        ("bytes=26-27", 206, "\r\n\r\nab"),
        ("bytes=-1", 206, "\r\n\r\np"),
        ("bytes=2999999-", 206, "bytes 2999999-2999999/3000000"),
        ("bytes=3000000-", 416, "bytes */3000000"),
        ("bytes=0-0,2-2", 206, "multipart/byteranges"),
    ] {
        let answer = site.get(&slot.path, &format!("Range: {range}\r\n"));
        assert_status(&answer, status);
        assert!(answer.contains(expected), "{range}: {answer}");
        assert!(answer.contains("ontent-Disposition: attachment"), "{range}: {answer}");
    }
    let asked = "Origin: https://chat.example\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization\r\n";
    let answer = site.ask("OPTIONS", &slot.path, asked, b"");
    assert!(
        answer.contains("PUT") && answer.to_ascii_lowercase().contains("authorization"),
        "{answer}"
    );
    site.server.stop();
}

#[test]
fn what_is_refused() {
    let mut site = Site::new("upload_total = '40k'\n");
    let slot = site.slot("x", 4, "image/png");
    let other = site.slot("x", 4, "image/png");
    let id = &slot.path["/files/".len()..][..32];
    let good = fields(&slot, 4);
    let token = format!("Authorization: Bearer {}\r\n", slot.token);
    let typed = format!("{good}Content-Type: text/html\r\n");
    for (method, path, fields, status) in [
        ("PUT", slot.path.as_str(), "Content-Length: 4\r\n", 401),
        ("PUT", &slot.path, "Authorization: Bearer x\r\nContent-Length: 4\r\n", 401),
        ("PUT", &slot.path, &self::fields(&other, 4), 403),
        ("PUT", &slot.path, &self::fields(&slot, 3), 400),
        ("PUT", &slot.path, &self::fields(&slot, 5), 413),
        ("PUT", &slot.path, &format!("{token}Transfer-Encoding: chunked\r\n"), 411),
        ("PUT", &slot.path, &typed, 415),
        ("PUT", &format!("/files/{id}/y"), &good, 403),
        ("PUT", &format!("/files/{id}/%2e%2e"), &good, 404),
        ("PUT", &format!("/files/{id}/a%2fb"), &good, 404),
        ("PUT", "/files/../x", &good, 404),
        ("POST", &slot.path, &good, 405),
        ("DELETE", &slot.path, &good, 405),
        ("GET", "/files/key", "", 404),
        ("GET", "/files/", "", 404),
        ("GET", &format!("/files/{id}/"), "", 404),
        ("GET", &format!("/files/{id}/../key"), "", 404),
        ("GET", &format!("/files/{id}/..%2f..%2fkey"), "", 404),
        ("GET", &format!("/files/{id}.part"), "", 404),
    ] {
        let answer = site.ask(method, path, fields, b"");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {path} {fields}: {answer}"
        );
    }
    assert!(site.left().is_empty(), "{:?}", site.left());
    // The server still takes it, once.
    assert_status(&site.put(&slot, b"meow"), 201);
    assert_status(&site.put(&slot, b"woof"), 409);
    assert!(site.get(&slot.path, "").ends_with("meow"));
    // Each file counts with the 12 KiB that it takes beside its bytes: there is room for 16,380.
    let large = site.slot("x", 16_381, "image/png");
    assert_status(&site.put(&large, &[0; 16_381]), 507);
    let fits = site.slot("x", 16_380, "image/png");
    assert_status(&site.put(&fits, &[0; 16_380]), 201);
    site.server.stop();
}

/// A file is there when it is whole. What a client did not send to its end is removed, or, after a kill, in the way of nothing.
#[test]
fn files_that_are_not_whole() {
    let mut site = Site::new("");
    let slot = site.slot("x", 8, "image/png");
    let part = site.folder().join(format!("{}.part", &slot.path["/files/".len()..][..32]));
    let await_part = |len: u64| {
        while fs::metadata(&part).map_or(u64::MAX, |part| part.len()) != len {
            std::thread::yield_now();
        }
    };
    let stream = site.send("PUT", &slot.path, &fields(&slot, 8), b"half");
    await_part(4);
    assert_status(&site.get(&slot.path, ""), 404);
    assert_status(&site.put(&slot, b"whole 88"), 409);
    drop(stream);
    while part.exists() {
        std::thread::yield_now();
    }
    let _stream = site.send("PUT", &slot.path, &fields(&slot, 8), b"half");
    await_part(4);
    site.server.signal(Signal::SIGKILL);
    let Site { fixture, server, .. } = site;
    drop(server);
    let mut site = Site::of(fixture);
    assert_status(&site.get(&slot.path, ""), 404);
    let again = site.slot("x", 8, "image/png");
    assert_status(&site.put(&again, b"whole 88"), 201);
    // The same slot is good after a start, and its part of before is gone.
    assert_status(&site.put(&slot, b"whole 88"), 201);
    assert!(site.left().iter().all(|name| !name.ends_with(".part")), "{:?}", site.left());
    site.server.stop();
}

/// SIGTERM: an upload that runs has the time of `drain`.
#[test]
fn an_upload_ends_in_the_drain() {
    let mut site = Site::new("");
    let slot = site.slot("x", 8, "image/png");
    let part = site.folder().join(format!("{}.part", &slot.path["/files/".len()..][..32]));
    let mut stream = site.send("PUT", &slot.path, &fields(&slot, 8), b"half");
    while fs::metadata(&part).map_or(0, |part| part.len()) != 4 {
        std::thread::yield_now();
    }
    site.server.signal(Signal::SIGTERM);
    site.ann.until("<system-shutdown");
    stream.write_all(b"half").expect("a connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_status(&answer, 201);
    let (_, log) = site.server.end();
    assert!(!log.contains("ERROR"), "{log}");
}
