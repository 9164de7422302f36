//! `web_hello`, `web_site`, `serve_dir` and `ws_echo`, by hand and by curl.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use super::process::Example;
use crate::ENGINES;

/// Sends a request, and gives the answer: its head without the date, and its body. The connection closes after it.
fn ask(server: &Example, request: &str, body: &str) -> (String, String) {
    let mut client = server.connect();
    let len = body.len();
    client.send(format!(
        "{request}\r\nHost: a\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    ));
    let answer = String::from_utf8(client.rest()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head: Vec<_> = head.lines().filter(|line| !line.starts_with("Date: ")).collect();
    (head.join("\n"), body.to_owned())
}

fn get(server: &Example, path: &str) -> String {
    ask(server, &format!("GET {path} HTTP/1.1"), "").1
}

/// `None`, aloud, if there is no curl.
fn curl(args: &[&str]) -> Option<Output> {
    match Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30"])
        .args(args)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: curl cannot be run here ({error})");
            None
        }
    }
}

#[test]
fn web_hello_says_hello() {
    for engine in ENGINES {
        let server = Example::serve("web_hello", engine, &[]);
        assert_eq!(get(&server, "/"), "hello\n");
        assert_eq!(
            get(&server, "/hello/J%C3%BCrgen?greeting=guten+Tag"),
            "guten Tag J\u{fc}rgen\n"
        );
        assert_eq!(get(&server, "/later"), "here I am\n");
        assert_eq!(ask(&server, "POST /echo HTTP/1.1", "to and fro").1, "to and fro");
        let (head, _) = ask(&server, "PUT / HTTP/1.1", "");
        assert_eq!(
            head,
            "HTTP/1.1 405 Method Not Allowed\nAllow: GET, HEAD, OPTIONS\nContent-Length: 0\nConnection: close"
        );
        assert!(ask(&server, "GET /hello/%FF HTTP/1.1", "").0.starts_with("HTTP/1.1 400 "));
        server.finish();
    }
}

#[test]
fn web_hello_and_curl() {
    let server = Example::serve("web_hello", "mio", &[]);
    let url = |path: &str| format!("http://{}{path}", server.addr);
    let text = |args: &[&str]| {
        curl(args).map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let big = "x".repeat(200_000);
    let file = std::env::temp_dir().join(format!("sinew-web-{}", std::process::id()));
    fs::write(&file, &big).unwrap();
    let upload = format!("@{}", file.display());
    let cases: [(Vec<&str>, String); 6] = [
        (vec!["/"], "hello\n".into()),
        (vec!["--http1.0", "/hello/ann"], "hello ann\n".into()),
        // Two requests on one connection, and a body for which it asks before.
        (vec!["/", "/later"], "hello\nhere I am\n".into()),
        (vec!["-H", "Expect: 100-continue", "--data-binary", &upload, "/echo"], big.clone()),
        (vec!["-H", "Transfer-Encoding: chunked", "--data-binary", &upload, "/echo"], big),
        (vec!["--head", "--output", "/dev/null", "--write-out", "%{http_code}", "/"], "200".into()),
    ];
    for (args, expected) in cases {
        let args: Vec<_> = args
            .iter()
            .map(|arg| {
                if arg.starts_with('/') && *arg != "/dev/null" {
                    url(arg)
                } else {
                    (*arg).to_owned()
                }
            })
            .collect();
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let Some(got) = text(&args) else { return };
        assert!(got == expected, "{args:?}: {} bytes, {:?}", got.len(), &got[..got.len().min(100)]);
    }
    fs::remove_file(&file).unwrap();
    server.finish();
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    let folder = std::env::temp_dir().join(format!("sinew-{name}-{}", std::process::id()));
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("hello.txt"), "hello, world\n").unwrap();
    fs::write(folder.join("big.txt"), "x".repeat(1_000_000)).unwrap();
    fs::write(folder.join("sub/index.html"), "<p>index").unwrap();
    Folder(folder)
}

#[test]
fn serve_dir_serves_a_folder_and_says_so() {
    let folder = folder("serve-dir");
    let server = Example::serve("serve_dir", "mio", &[folder.0.to_str().unwrap()]);
    assert_eq!(get(&server, "/hello.txt"), "hello, world\n");
    assert!(server.line().contains("\"GET /hello.txt HTTP/1.1\" 200 13"));
    assert!(get(&server, "/").contains("<a href=\"./hello.txt\">"));
    assert!(server.line().contains("\"GET / HTTP/1.1\" 200 "));
    assert_eq!(get(&server, "/sub/"), "<p>index");
    assert!(get(&server, "/../secret").contains("<h1>404 Not Found</h1>"));
    assert_eq!(ask(&server, "GET /hello.txt HTTP/1.1\r\nRange: bytes=7-11", "").1, "world");
    if let Some(output) =
        curl(&["--compressed", "--range", "0-4", &format!("http://{}/hello.txt", server.addr)])
    {
        assert_eq!(output.stdout, b"hello");
        // sendfile(2), where there is one.
        let whole = curl(&[&format!("http://{}/big.txt", server.addr)]).unwrap();
        assert!(whole.stdout == "x".repeat(1_000_000).as_bytes());
    }
    server.finish();
}

#[test]
fn serve_dir_asks_for_a_password() {
    let folder = folder("serve-dir-auth");
    let server =
        Example::serve("serve_dir", "mio", &["--auth", "ann:secret", folder.0.to_str().unwrap()]);
    let (head, body) = ask(&server, "GET /hello.txt HTTP/1.1", "");
    assert!(head.starts_with("HTTP/1.1 401 ") && body.contains("401 Unauthorized"));
    let request = "GET /hello.txt HTTP/1.1\r\nAuthorization: Basic YW5uOnNlY3JldA==";
    assert_eq!(ask(&server, request, "").1, "hello, world\n");
    server.finish();
    for (args, part) in
        [(&["/no/such/folder"][..], "/no/such/folder: "), (&["--auth", "ann"], "NAME:PASSWORD")]
    {
        let ended = Example::start("serve_dir", args).wait();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stderr[0].starts_with("error: ") && ended.stderr[0].contains(part),
            "{ended:?}"
        );
    }
}

#[test]
fn web_site_is_a_guest_book() {
    let folder = folder("web-site");
    let server = Example::serve("web_site", "mio", &["--files", folder.0.to_str().unwrap()]);
    assert!(get(&server, "/").contains("Guest book"));
    let (head, _) = ask(&server, "POST /sign HTTP/1.1", "name=%3Cann%3E&text=I+was+here");
    assert!(head.starts_with("HTTP/1.1 303 ") && head.contains("Location: /\n"), "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert!(get(&server, "/").contains("<b>&lt;ann&gt;</b>: I was here"));
    let (_, page) = ask(&server, &format!("GET / HTTP/1.1\r\nCookie: {cookie}"), "");
    assert!(page.contains("value=\"&lt;ann&gt;\""), "it remembers who has signed");
    assert!(ask(&server, "POST /sign HTTP/1.1", "name=ann").0.starts_with("HTTP/1.1 400 "));
    let upload = "POST /upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x";
    let file = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a<b\"\r\n\r\n12345\r\n--x--\r\n";
    assert!(ask(&server, upload, file).0.starts_with("HTTP/1.1 303 "));
    assert!(get(&server, "/").contains("a&lt;b, 5 bytes"));
    assert!(ask(&server, upload, "--x\r\n\r\nunfinished").0.starts_with("HTTP/1.1 400 "));
    assert!(ask(&server, "POST /upload HTTP/1.1", "x").0.starts_with("HTTP/1.1 415 "));
    assert_eq!(get(&server, "/static/hello.txt"), "hello, world\n");
    assert!(get(&server, "/style.css").starts_with("body {"));
    server.finish();
}

#[test]
fn ws_echo_sends_back_what_comes() {
    use sinew::http::websocket::{Opcode, encode_frame};
    let frame = |opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>| {
        let mut frame = Vec::new();
        encode_frame(&mut frame, opcode, true, payload, mask);
        frame
    };
    let mask = Some([1, 2, 3, 4]);
    let handshake = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for engine in ENGINES {
        let server = Example::serve("ws_echo", engine, &["--max-message", "100000"]);
        let mut client = server.connect();
        client.send(handshake);
        assert_eq!(client.line(), "HTTP/1.1 101 Switching Protocols");
        while !client.line().is_empty() {}
        let big = vec![b'x'; 100_000];
        for payload in [&b"hello"[..], b"", &big] {
            client.send(frame(Opcode::Text, payload, mask));
            client.expect(frame(Opcode::Text, payload, None));
        }
        client.send(frame(Opcode::Text, b"quit", mask));
        client.expect(frame(Opcode::Close, &[3, 232], None));
        client.send(frame(Opcode::Close, &[3, 232], mask));
        client.expect_end();
        drop(client);
        let mut client = server.connect();
        client
            .send([handshake.as_bytes(), &frame(Opcode::Binary, &[b'x'; 100_001], mask)].concat());
        let answer = client.rest();
        assert!(
            answer.windows(4).any(|bytes| bytes[0] == 0x88 && bytes[2..] == [3, 241]),
            "closed with 1009"
        );
        drop(client);
        assert!(get(&server, "/page").contains("new WebSocket"));
        server.finish();
    }
}

#[test]
fn serve_dir_is_made_of_parts() {
    let folder = folder("serve-dir-parts");
    let dir = folder.0.to_str().unwrap();
    let hello = Example::serve("web_hello", "mio", &[]);
    let api = format!("/api=tcp:{}", hello.addr);
    let args = ["--proxy", &api, "--redirect", "/old=https://a.example/new", dir];
    let server = Example::serve("serve_dir", "mio", &args);
    // The whole path is passed on, and the other server has no such page.
    assert!(ask(&server, "GET /api/hello HTTP/1.1", "").0.starts_with("HTTP/1.1 404 "));
    let (head, _) = ask(&server, "GET /old HTTP/1.1", "");
    assert!(head.starts_with("HTTP/1.1 307 ") && head.contains("Location: https://a.example/new"));
    assert_eq!(get(&server, "/hello.txt"), "hello, world\n");
    // Uploads are off.
    assert!(ask(&server, "PUT /new.txt HTTP/1.1", "new").0.starts_with("HTTP/1.1 405 "));
    assert!(ask(&server, "GET /upload HTTP/1.1", "").0.starts_with("HTTP/1.1 404 "));
    server.finish();
    hello.finish();
    for (args, part) in [
        (["--proxy", "api=tcp:a:1"], "begins with a slash"),
        (["--proxy", "/api=tcp:"], "tcp:"),
        (["--redirect", "/old"], "PATH="),
        (["--htpasswd", "/no/such/file"], "/no/such/file"),
    ] {
        let ended = Example::start("serve_dir", &args).wait();
        assert!(ended.code != Some(0) && ended.stderr[0].contains(part), "{ended:?}");
    }
}

#[test]
fn serve_dir_takes_files_if_it_may() {
    let folder = folder("serve-dir-upload");
    let dir = folder.0.to_str().unwrap();
    let server = Example::serve("serve_dir", "mio", &["--upload", dir]);
    assert!(get(&server, "/upload").contains("<input type=file"));
    let big = "x".repeat(300_000);
    assert!(ask(&server, "PUT /new.txt HTTP/1.1", &big).0.starts_with("HTTP/1.1 201 "));
    assert_eq!(get(&server, "/new.txt"), big);
    assert!(ask(&server, "PUT /new.txt HTTP/1.1", "other").0.starts_with("HTTP/1.1 409 "));
    assert_eq!(get(&server, "/new.txt"), big, "what is there is not replaced");
    for name in [".hidden", "..%2fout", "a%5cb", "a%0ab"] {
        let (head, _) = ask(&server, &format!("PUT /{name} HTTP/1.1"), "x");
        assert!(head.starts_with("HTTP/1.1 403 "), "{name}: {head}");
    }
    let form = "POST /upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x";
    let file = |name: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=file; filename=\"{name}\"\r\n\r\n12345\r\n--x--\r\n"
        )
    };
    assert_eq!(ask(&server, form, &file("C:\\a dir\\sent.txt")).1, "1 files\n");
    assert_eq!(get(&server, "/sent.txt"), "12345");
    assert!(ask(&server, form, &file("sent.txt")).0.starts_with("HTTP/1.1 409 "));
    assert!(ask(&server, form, &file("..")).0.starts_with("HTTP/1.1 403 "));
    let foreign = format!("{form}\r\nSec-Fetch-Site: cross-site");
    assert!(ask(&server, &foreign, &file("other.txt")).0.starts_with("HTTP/1.1 403 "));
    // An upload that breaks off leaves nothing behind.
    let mut client = server.connect();
    client.send("PUT /part.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello");
    client.close_write();
    client.rest();
    let part = folder.0.join("part.txt.part");
    for _ in 0..1_000 {
        if !part.exists() {
            break;
        }
        get(&server, "/hello.txt");
    }
    server.finish();
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["big.txt", "hello.txt", "new.txt", "sent.txt", "sub"]);
}

#[test]
fn web_proxy_gives_requests_on() {
    let backend = Example::serve("web_hello", "mio", &[]);
    for engine in ENGINES {
        let to = backend.addr.to_string();
        let server = Example::serve("web_proxy", engine, &["--backend", &to, "--check", "/"]);
        assert_eq!(get(&server, "/hello/ann"), "hello ann\n");
        assert_eq!(ask(&server, "POST /echo HTTP/1.1", "to and fro").1, "to and fro");
        let (head, _) = ask(&server, "GET / HTTP/1.1", "");
        assert!(head.contains("\nX-Request-Id: "), "{head}");
        server.finish();
    }
    backend.finish();
    let ended = Example::start("web_proxy", &[]).wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn web_api_speaks_json() {
    let server = Example::serve("web_api", "mio", &[]);
    let json = |method: &str, path: &str, body: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json");
        let (head, body) = ask(&server, &request, body);
        (head.split(' ').nth(1).unwrap().to_owned(), body)
    };
    let milk = r#"{"id":1,"text":"buy milk","done":false}"#;
    assert_eq!(json("POST", "/todos", r#"{"text":"buy milk"}"#), ("201".into(), milk.into()));
    assert_eq!(get(&server, "/todos"), format!("[{milk}]"));
    assert_eq!(json("PUT", "/todos/1", r#"{"done":true}"#).1, milk.replace("false", "true"));
    assert_eq!(get(&server, "/digest"), r#"{"letters":8}"#);
    for (method, path, body, status) in [
        ("POST", "/todos", "{}", "422"),
        ("POST", "/todos", "nonsense", "400"),
        ("POST", "/todos", r#"{"text":"a","x":1}"#, "400"),
        ("PUT", "/todos/7", "{}", "404"),
        ("PUT", "/todos/x", "{}", "400"),
        ("DELETE", "/todos/1", "", "204"),
        ("DELETE", "/todos/1", "", "404"),
        ("GET", "/", "", "404"),
    ] {
        assert_eq!(json(method, path, body).0, status, "{method} {path} {body}");
    }
    assert!(ask(&server, "POST /todos HTTP/1.1", "{}").0.starts_with("HTTP/1.1 415 "));
    server.finish();
}
