//! The programs, driven by curl, by nghttp and h2load where they are installed, and by each other.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sinew::prelude::Engine;

/// A running server. Dropping it kills it.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Self { child, port: port.unwrap_or_else(|| panic!("no port in {line:?}")) }
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://localhost:{}{path}", self.port)
    }

    /// Ends it as a service manager does. It must end well.
    fn stop(mut self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

fn text(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn curl(arguments: &[&str]) -> String {
    // Without the certificate of this machine's proxy, or its settings.
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--ipv4"]);
    text(command.args(arguments).output().unwrap())
}

/// A folder with `cert.pem` and `key.pem` for localhost. Dropping it removes it.
struct Certificate(PathBuf);

impl Certificate {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("sinew-hyper-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
        Self(folder)
    }

    fn path(&self, file: &str) -> String {
        Path::new(&self.0).join(file).to_str().unwrap().to_owned()
    }

    fn endpoint(&self) -> String {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}:alpn=h2,http/1.1")
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SERVE: &str = env!("CARGO_BIN_EXE_hyper_serve");
const ASK: &str = env!("CARGO_BIN_EXE_hyper_ask");

#[test]
fn curl_talks_to_every_engine() {
    if !is_installed("curl") {
        return;
    }
    for engine in Engine::available() {
        let server = Server::start(SERVE, &["--listen", "127.0.0.1:0", "--engine", engine.name()]);
        let url = |path| server.url("http", path);
        assert_eq!(curl(&[&url("/")]), "hello over HTTP/1.1\n");
        assert_eq!(curl(&["--http2-prior-knowledge", &url("/")]), "hello over HTTP/2.0\n");
        // Several requests on one connection, and a body that is sent back.
        assert_eq!(curl(&[&url("/"), &url("/slow")]), "hello over HTTP/1.1\nat last\n");
        let body = "x".repeat(300_000);
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            assert_eq!(
                curl(&[version, "--data-binary", &body[..100_000], &url("/echo")]).len(),
                100_000
            );
            assert!(curl(&[version, &url("/bytes/300000")]) == body);
        }
        let status = curl(&["--output", "/dev/null", "--write-out", "%{http_code}", &url("/no")]);
        assert_eq!(status, "404");
        server.stop();
    }
}

#[test]
fn curl_negotiates_http2_over_tls() {
    if !is_installed("curl") {
        return;
    }
    let certificate = Certificate::new("curl");
    let server = Server::start(SERVE, &["--listen", &certificate.endpoint()]);
    let ca = certificate.path("cert.pem");
    let url = server.url("https", "/");
    assert_eq!(curl(&["--cacert", &ca, "--http1.1", &url]), "hello over HTTP/1.1\n");
    assert_eq!(curl(&["--cacert", &ca, "--http2", &url]), "hello over HTTP/2.0\n");
    let long = server.url("https", "/bytes/3000000");
    assert_eq!(curl(&["--cacert", &ca, "--http2", &long]).len(), 3_000_000);
    server.stop();
}

#[test]
fn hyper_asks_hyper() {
    let certificate = Certificate::new("ask");
    let ca = certificate.path("cert.pem");
    let ask = |arguments: &[&str]| text(Command::new(ASK).args(arguments).output().unwrap());
    let plain = Server::start(SERVE, &["--listen", "127.0.0.1:0"]);
    let url = plain.url("http", "/");
    assert_eq!(ask(&[&url]), "HTTP/1.1 200 OK\nhello over HTTP/1.1\n");
    assert_eq!(ask(&["--http2", &url]), "HTTP/2.0 200 OK\nhello over HTTP/2.0\n");
    let secure = Server::start(SERVE, &["--listen", &certificate.endpoint()]);
    let url = secure.url("https", "/");
    assert_eq!(ask(&["--ca", &ca, &url]), "HTTP/1.1 200 OK\nhello over HTTP/1.1\n");
    assert_eq!(ask(&["--ca", &ca, "--http2", &url]), "HTTP/2.0 200 OK\nhello over HTTP/2.0\n");
    plain.stop();
    secure.stop();
}

#[test]
fn nghttp_and_h2load_multiplex() {
    if !is_installed("nghttp") || !is_installed("h2load") {
        return;
    }
    let certificate = Certificate::new("nghttp");
    let secure = Server::start(SERVE, &["--listen", &certificate.endpoint()]);
    let plain = Server::start(SERVE, &["--listen", "127.0.0.1:0"]);
    for (server, scheme) in [(&plain, "http"), (&secure, "https")] {
        // Three requests at a time on one connection.
        let urls = ["/", "/slow", "/bytes/100000"].map(|path| server.url(scheme, path));
        let output = Command::new("nghttp").args(&urls).output().unwrap();
        let answered = text(output);
        assert!(answered.contains("hello over HTTP/2.0") && answered.contains("at last"));
        let args = ["-n", "2000", "-c", "10", "-m", "20"];
        let output =
            Command::new("h2load").args(args).arg(server.url(scheme, "/")).output().unwrap();
        let report = text(output);
        assert!(report.contains("2000 succeeded, 0 failed, 0 errored"), "{report}");
    }
    plain.stop();
    secure.stop();
}

#[test]
fn a_tokio_runtime_answers_beside_the_reactor() {
    let server = Server::start(env!("CARGO_BIN_EXE_beside_tokio"), &["--listen", "127.0.0.1:0"]);
    let clients: Vec<_> = (0..10)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            stream.write_all(format!("hello {n}\nand again\nquit\n").as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        })
        .collect();
    for (n, mut stream) in clients.into_iter().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, format!("HELLO {n}\r\nAND AGAIN\r\n"));
    }
    server.stop();
}
