//! nginx, in front of this server and behind its proxy, on Unix sockets.
#![cfg(unix)]

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    thread,
};

use sinew::{
    http::server::{AccessLog, HttpServer, Request, ReverseProxy, Router, TrustedProxies, answer},
    prelude::*,
};

use super::{
    programs::{curl, is_there},
    site::{Folder, run, serve, site},
};
use crate::watchdog::watch_this_test;

/// An nginx that listens on a Unix socket in its folder.
pub(crate) struct Nginx {
    child: Child,
    folder: Folder,
}

impl Nginx {
    /// `None`, aloud, if it is not installed. `location` is the configuration of what it serves.
    pub(crate) fn start(location: &str) -> Option<Self> {
        if !is_there("nginx", "-v") || !is_there("curl", "--version") {
            return None;
        }
        let folder = Folder::new("nginx");
        let dir = folder.0.display();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n  access_log off; client_max_body_size 0;\n\
             client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;\n\
             uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
             server {{ listen unix:{dir}/socket; root {dir}; {location} }}\n}}\n"
        );
        fs::write(folder.path("nginx.conf"), config).unwrap();
        fs::write(folder.path("file.txt"), "0123456789".repeat(100_000)).unwrap();
        let child = Command::new("nginx")
            .args(["-e", &folder.path("error.log"), "-c", &folder.path("nginx.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, folder };
        // It is ready when its socket takes connections.
        while UnixStream::connect(nginx.socket()).is_err() {
            if let Some(status) = nginx.child.try_wait().unwrap() {
                let log = fs::read_to_string(nginx.folder.path("error.log"));
                panic!("nginx: {status}: {log:?}");
            }
            thread::yield_now();
        }
        Some(nginx)
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.path("socket")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nginx_behind_our_proxy() {
    watch_this_test();
    let location =
        "location = /fields { return 200 \"$http_host $http_x_forwarded_for $http_via\"; }";
    let Some(nginx) = Nginx::start(location) else { return };
    let endpoint = format!("unix:{}", nginx.socket());
    let proxy = ReverseProxy::new(endpoint.parse().unwrap()).host("inside.example");
    serve(proxy, |addr| {
        let url = |path: &str| format!("http://{addr}{path}");
        assert_eq!(curl(&[&url("/fields")]), "inside.example 127.0.0.1 1.1 sinew");
        let file = url("/file.txt");
        assert_eq!(curl(&[&file, &file]).len(), 2_000_000);
        assert_eq!(curl(&["--range", "3-7", &file]), "34567");
        assert!(curl(&["--head", &file]).contains("Content-Length: 1000000\r\n"));
        let status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
        let tag = curl(&["--output", "/dev/null", "--write-out", "%header{etag}", &file]);
        // curl before 7.84 does not know that variable.
        if !tag.is_empty() && !tag.contains("%header") {
            let condition = format!("If-None-Match: {tag}");
            assert_eq!(curl(&[&status[..], &["-H", &condition, &file]].concat()), "304");
        }
        assert_eq!(curl(&[&status[..], &[&url("/missing")]].concat()), "404");
        assert_eq!(curl(&[&status[..], &["--data", "x", &file]].concat()), "405");
    });
}

#[test]
fn nginx_in_front_of_us() {
    let folder = Folder::new("behind-nginx");
    let socket = folder.path("socket");
    let location = format!(
        "location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Host $host;\n\
         proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade;\n\
         proxy_set_header X-Forwarded-For $http_x_client; proxy_set_header X-Forwarded-Proto https; }} }}\n\
         upstream backend {{ server unix:{socket}; keepalive 4;"
    );
    let Some(nginx) = Nginx::start(&location) else { return };
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let who =
        answer(|request: &Request| format!("{:?} {}", request.client_ip(), request.is_secure()));
    let router = Router::new().get("/who", who).fallback(site());
    let router = router.get("/upgrade", |_: Request, reply: sinew::http::server::Reply| {
        let status = sinew::http::StatusCode::SWITCHING_PROTOCOLS;
        reply.upgrade(sinew::http::server::Response::new(status), Upper);
    });
    let server = HttpServer::new(TrustedProxies::new(AccessLog::new(router)));
    let port = reactor.listen_unix(std::path::Path::new(&socket), server).unwrap();
    let front = nginx.socket();
    run(&reactor, front, |front| {
        let ask = |args: &[&str]| curl(&[&["--unix-socket", &front], args].concat());
        assert_eq!(ask(&["http://a/hello", "http://a/hello"]), "hello\nhello\n");
        assert_eq!(ask(&["http://a/long"]).len(), 1_000_000);
        assert_eq!(ask(&["-H", "X-Client: 192.0.2.7", "http://a/who"]), "Some(192.0.2.7) true");
        let body = "x".repeat(100_000);
        let echoed = format!("POST 100000 {}", 100_000 * 120);
        assert_eq!(ask(&["--data", &body, "http://a/echo"]), echoed);
        assert_eq!(ask(&["--digest", "--user", "ann:secret", "http://a/digest"]), "ann");
        let mut stream = UnixStream::connect(&front).unwrap();
        let request =
            "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: upper\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            received.extend_from_slice(&byte);
        }
        assert!(received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&received));
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HELLO");
    });
    drop(port);
}

/// Answers in capitals.
struct Upper;

impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}
