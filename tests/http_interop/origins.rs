//! The client against other servers: Python's `http.server`, and nginx. And cookies that Python reads and writes.

use std::{
    fs,
    future::Future,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use sinew::{
    http::{
        Body, Method, StatusCode,
        client::{
            ClientConfig, CookieJar, HttpClient, Passwords, Proxies, Request, RequestError, Url,
        },
    },
    prelude::*,
};

use super::{
    programs::{is_there, output},
    site::Folder,
};
use crate::watchdog::watch_this_test;

/// A server of Python, on a port of this machine.
struct Python {
    child: Child,
    url: String,
}

/// Answers in all ways that the tests want; and as a proxy, with what it was asked.
const SERVER: &str = r#"
import gzip, sys, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = sys.argv[1]

    def log_message(self, *args):
        pass

    def answer(self, body, *fields, status=200):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path
        if path.startswith("http://"):
            self.answer(f"{path} {self.headers['Proxy-Authorization']}".encode())
        elif path == "/hello":
            self.answer(b"hello\n")
        elif path == "/gzip":
            self.answer(gzip.compress(b"x" * 100000), ("Content-Encoding", "gzip"))
        elif path == "/deflate":
            self.answer(zlib.compress(b"y" * 100000), ("Content-Encoding", "deflate"))
        elif path == "/raw":
            raw = zlib.compressobj(wbits=-15)
            self.answer(raw.compress(b"z" * 100000) + raw.flush(), ("Content-Encoding", "deflate"))
        elif path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in [b"one", b"two" * 1000, b"three"]:
                self.wfile.write(b"%x;name=value\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-Trailer: yes\r\n\r\n")
        elif path == "/until-close":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"to the end")
            self.close_connection = True
        elif path == "/hints":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            self.answer(b"after hints")
        elif path == "/moved":
            self.answer(b"elsewhere", ("Location", "/hello"), status=301)
        elif path == "/login":
            if self.headers["Authorization"] == "Basic YW5uOnNlY3JldA==":
                self.answer(b"welcome")
            else:
                self.answer(b"who?", ("WWW-Authenticate", 'Basic realm="r"'), status=401)
        elif path == "/cookie":
            self.answer((self.headers["Cookie"] or "none").encode(), ("Set-Cookie", "id=7; Path=/"))
        else:
            self.answer(b"missing", status=404)

    do_HEAD = do_GET

    def do_POST(self):
        if self.headers["Transfer-Encoding"] == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answer(f"{self.command} {len(body)} {sum(body)}".encode())

    do_PUT = do_POST

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

impl Python {
    /// `None`, aloud, if there is no Python.
    fn start(version: &str) -> Option<Self> {
        if !is_there("python3", "--version") {
            return None;
        }
        let command = ["-c", SERVER, version];
        let mut child =
            Command::new("python3").args(command).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Self { child, url: format!("http://127.0.0.1:{}", port.trim()) })
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run<T: 'static, F: Future<Output = T> + 'static>(
    config: ClientConfig,
    program: impl FnOnce(HttpClient) -> F,
) -> T {
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let client = HttpClient::with_config(&reactor, config);
    reactor.run_until(program(client)).unwrap()
}

async fn text(client: &HttpClient, url: String) -> Result<String, RequestError> {
    let response = client.get(url).await?;
    Ok(response.text().await.unwrap())
}

#[test]
fn python_answers_in_all_ways() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let Some(python) = Python::start(version) else { return };
        let url = python.url.clone();
        let jar = CookieJar::new();
        let passwords =
            Passwords::new().add(Some("r"), &Url::parse(&url).unwrap(), "ann", "secret").unwrap();
        let config = ClientConfig::default().cookies(jar.clone()).passwords(passwords);
        run(config, move |client| async move {
            let is_1_1 = version == "HTTP/1.1";
            let page = |path: &str| text(&client, format!("{url}{path}"));
            for _ in 0..3 {
                assert_eq!(page("/hello").await.unwrap(), "hello\n");
            }
            assert_eq!(client.pool().idle(), usize::from(is_1_1), "{version}");
            assert_eq!(page("/gzip").await.unwrap(), "x".repeat(100_000));
            assert_eq!(page("/deflate").await.unwrap(), "y".repeat(100_000));
            assert_eq!(page("/raw").await.unwrap(), "z".repeat(100_000));
            assert_eq!(page("/until-close").await.unwrap(), "to the end");
            assert_eq!(page("/moved").await.unwrap(), "hello\n");
            assert_eq!(page("/login").await.unwrap(), "welcome");
            assert_eq!(page("/cookie").await.unwrap(), "none");
            assert_eq!(page("/cookie").await.unwrap(), "id=7");
            assert_eq!(page("/missing").await.unwrap(), "missing");
            let response = client.head(format!("{url}/hello")).await.unwrap();
            assert_eq!(
                (response.status(), response.field("content-length")),
                (StatusCode::OK, Some("6"))
            );
            assert_eq!(response.text().await.unwrap(), "");
            if is_1_1 {
                let chunked = client.get(format!("{url}/chunked")).await.unwrap();
                let all = chunked.text().await.unwrap();
                assert_eq!(all, format!("one{}three", "two".repeat(1_000)));
                assert_eq!(chunked.take_trailers().text("x-trailer"), Some("yes"));
                assert_eq!(page("/hints").await.unwrap(), "after hints");
            }
        });
    }
}

#[test]
fn python_takes_bodies() {
    let Some(python) = Python::start("HTTP/1.1") else { return };
    let url = python.url.clone();
    run(ClientConfig::default(), move |client| async move {
        let sum = 300_000 * u64::from(b'x');
        let whole = client.post(&url, "x".repeat(300_000)).await.unwrap();
        assert_eq!(whole.text().await.unwrap(), format!("POST 300000 {sum}"));
        let expecting = Request::new(Method::PUT, &url).unwrap();
        let expecting = expecting.body("x".repeat(300_000)).expect_continue(true);
        let put = client.send(expecting).await.unwrap();
        assert_eq!(put.text().await.unwrap(), format!("PUT 300000 {sum}"));
        let (writer, body) = Body::writer();
        for _ in 0..300 {
            writer.write("x".repeat(1_000));
        }
        writer.finish();
        let streamed = client.post(&url, body).await.unwrap();
        assert_eq!(streamed.text().await.unwrap(), format!("POST 300000 {sum}"));
    });
}

#[test]
fn python_as_a_proxy() {
    let Some(python) = Python::start("HTTP/1.1") else { return };
    let proxies = Proxies::all(&python.url.replace("http://", "http://a:b@")).unwrap();
    let said = run(ClientConfig::default().proxies(proxies), |client| async move {
        text(&client, "http://elsewhere.example/x?y".to_owned()).await
    });
    assert_eq!(said.unwrap(), "http://elsewhere.example/x?y Basic YTpi");
}

#[test]
fn cookies_of_python_and_for_python() {
    if !is_there("python3", "--version") {
        return;
    }
    watch_this_test();
    let folder = Folder::new("cookies");
    let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
    let jar = CookieJar::new();
    let page = Url::parse("https://www.example.org/a/b").unwrap();
    for cookie in
        ["one=1; Max-Age=1000; HttpOnly", "two=2; Domain=example.org; Path=/; Secure; Max-Age=1000"]
    {
        assert!(jar.store(&page, cookie.as_bytes(), now));
    }
    let (ours, theirs) = (folder.path("ours"), folder.path("theirs"));
    jar.save(&ours, false).unwrap();
    let script = "import sys, http.cookiejar as c\n\
        jar = c.MozillaCookieJar(sys.argv[1]); jar.load()\n\
        for k in sorted(jar, key=lambda k: k.name): print(k.name, k.value, k.domain, k.path, k.secure, k.expires)\n\
        jar.save(sys.argv[2])\n";
    let printed = output("python3", &["-c", script, &ours, &theirs]);
    assert_eq!(
        printed,
        "one 1 www.example.org /a False 4000001000\ntwo 2 .example.org / True 4000001000\n"
    );
    let back = CookieJar::new();
    back.load(&theirs).unwrap();
    let pairs = |jar: &CookieJar| {
        let mut pairs: Vec<_> = jar
            .all()
            .into_iter()
            .map(|cookie| (cookie.name, cookie.domain, cookie.expires))
            .collect();
        pairs.sort();
        pairs
    };
    assert_eq!(pairs(&back), pairs(&jar));
    fs::remove_file(&theirs).unwrap();
}

#[cfg(unix)]
#[test]
fn nginx_as_origin() {
    let location = "gzip on; gzip_types text/plain; gzip_min_length 100; keepalive_requests 3;\n\
        location = /moved { return 302 /file.txt; }\n\
        location = /post { return 200 \"$request_method $http_content_type\"; }";
    let Some(nginx) = super::nginx::Nginx::start(location) else { return };
    let endpoint: sinew::transports::endpoint::ClientEndpoint =
        format!("unix:{}", nginx.socket()).parse().unwrap();
    run(ClientConfig::default(), move |client| async move {
        let get = |path: &str| {
            Request::get(format!("http://nginx.example{path}")).unwrap().over(endpoint.clone())
        };
        let file = "0123456789".repeat(100_000);
        // More often than nginx allows on a connection.
        for _ in 0..8 {
            let response = client.send(get("/file.txt")).await.unwrap();
            assert_eq!(
                response.field("content-encoding"),
                None,
                "it was compressed, and is not now"
            );
            assert!(response.text().await.unwrap() == file);
        }
        let plain = client.send(get("/file.txt").decompress(false)).await.unwrap();
        assert_eq!(plain.length(), Some(1_000_000));
        let tag = plain.field("etag").unwrap().to_owned();
        drop(plain);
        let range = get("/file.txt").with("Range", "bytes=5-14").unwrap();
        let response = client.send(range.with("If-Range", &tag).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(response.text().await.unwrap(), "5678901234");
        let unchanged =
            client.send(get("/file.txt").with("If-None-Match", &tag).unwrap()).await.unwrap();
        assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(unchanged.text().await.unwrap(), "");
        // A redirect to the same origin goes over the same endpoint.
        let moved = client.send(get("/moved")).await.unwrap();
        assert_eq!(moved.url(), Some("http://nginx.example/file.txt"));
        assert!(moved.text().await.unwrap() == file);
        let post = Request::post("http://nginx.example/post", "x").unwrap();
        let post = post.with("Content-Type", "a/b").unwrap().over(endpoint.clone());
        let response = client.send(post).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "POST a/b");
        let missing = client.send(get("/missing")).await.unwrap();
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    });
}
