//! The blocking functions, against a server on another thread.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    fs,
    io::Read,
    path::PathBuf,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use sinew_http::{
    Body, StatusCode,
    client::{CookieJar, Passwords, Proxies, RedirectError, Redirects, RequestError, Url},
    server::{HttpServer, Reply, Request as Asked, Response},
    urllib::{
        Handler, Handlers, HttpBasicAuthHandler, HttpCookieProcessor, HttpRedirectHandler, Opener,
        ProxyBasicAuthHandler, ProxyHandler, Request, UrlOpenError, build_opener, install_opener,
        urlcleanup, urlopen, urlretrieve,
    },
};
use sinew_transports::{
    Protocol, ReactorTcp, Transport,
    reactor::{Reactor, Remote},
};

/// A server on a thread of its own, until it is dropped.
struct Server {
    url: String,
    remote: Remote,
    thread: Option<JoinHandle<()>>,
}

/// Announces more than it sends.
struct Liar;

impl Protocol for Liar {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        transport.lose_connection();
    }
}

fn site(request: Asked, reply: Reply) {
    match request.path() {
        "/text" => reply.send("hello"),
        "/large" => reply.send(Response::text(vec![b'x'; 20_000])),
        "/streamed" => {
            let (writer, body) = Body::writer();
            writer.write("piece by piece");
            writer.finish();
            reply.send(Response::text("").with_body(body));
        }
        "/missing" => reply.send(Response::text("no such page").with_status(StatusCode::NOT_FOUND)),
        "/moved" => {
            reply.send(Response::new(StatusCode::FOUND).with("Location", "/text").unwrap());
        }
        "/never" => drop(request.reactor().call_later(Duration::from_secs(3_600), |_| drop(reply))),
        "/login" if request.field("authorization").is_some() => reply.send("welcome"),
        "/login" => {
            let response = Response::new(StatusCode::UNAUTHORIZED);
            reply.send(response.with("WWW-Authenticate", "Digest realm=r, nonce=n").unwrap());
        }
        "/cookie" => {
            let seen = request.cookie("id").unwrap_or("none").to_owned();
            reply.send(Response::text(seen).with("Set-Cookie", "id=7").unwrap());
        }
        _ => {
            let field = |name| request.field(name).unwrap_or("-").to_owned();
            let fields =
                [field("connection"), field("content-type"), field("user-agent"), field("x-own")];
            let method = request.method().clone();
            request.collect().then(move |_, body| {
                let Ok(body) = body else { return };
                let body = String::from_utf8_lossy(&body).into_owned();
                reply.send(Response::text(format!("{method} {} {body}", fields.join(" "))));
            });
        }
    }
}

impl Server {
    fn new() -> Self {
        watchdog::watch_this_test();
        let (send, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            let reactor = Reactor::new().unwrap();
            let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(site)).unwrap();
            let liar =
                reactor.listen_tcp("127.0.0.1:0", |_: &sinew_transports::Peer| Liar).unwrap();
            send.send((port.local(), liar.local(), reactor.remote())).unwrap();
            reactor.run().unwrap();
        });
        let (addr, liar, remote) = ready.recv().unwrap();
        let url = format!("http://{addr}");
        LIAR_URL.set(format!("http://{liar}/file.txt"));
        Self { url, remote, thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

thread_local! {
    static LIAR_URL: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.remote.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Without the proxies of the environment.
fn opener(handlers: Handlers) -> Opener {
    build_opener(handlers.with(ProxyHandler::none())).unwrap()
}

fn text(opener: &Opener, request: impl Into<Request>) -> String {
    opener.open(request).unwrap().text().unwrap()
}

#[test]
fn pages_are_read() {
    let server = Server::new();
    let opener = opener(Handlers::new());
    let mut response = opener.open(server.url("/text")).unwrap();
    assert_eq!((response.status(), response.length()), (StatusCode::OK, Some(5)));
    assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.url(), server.url("/text"));
    let mut two = [0; 2];
    response.read_exact(&mut two).unwrap();
    assert_eq!((&two, response.text().unwrap().as_str()), (b"he", "llo"));
    assert_eq!(response.read(&mut two).unwrap(), 0);
    assert_eq!(text(&opener, server.url("/streamed")), "piece by piece");
    let moved = opener.open(server.url("/moved")).unwrap();
    assert_eq!(moved.url(), server.url("/text"));
}

#[test]
fn what_is_sent() {
    let server = Server::new();
    let opener = opener(Handlers::new());
    let agent = concat!("sinew-urllib/", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&opener, server.url("/")), format!("GET close - {agent} - "));
    let form = "application/x-www-form-urlencoded";
    let post = Request::new(server.url("/")).data("a=b");
    assert_eq!(text(&opener, post), format!("POST close {form} {agent} - a=b"));
    let put = Request::new(server.url("/"))
        .data("x")
        .with_method(sinew_http::Method::PUT)
        .with("Content-Type", "text/x")
        .and_then(|request| request.with("User-Agent", "me"))
        .and_then(|request| request.with("X-Own", "1"))
        .unwrap();
    assert_eq!(text(&opener, put), "PUT close text/x me 1 x");
    assert!(Request::new("http://a/").with("A", "b\r\nC: d").is_err());
}

#[test]
fn other_than_2xx_is_an_error_and_a_response() {
    let server = Server::new();
    let error = opener(Handlers::new()).open(server.url("/missing")).unwrap_err();
    assert_eq!(error.to_string(), format!("404 Not Found for {}", server.url("/missing")));
    let UrlOpenError::Status(mut response) = error else { panic!("{error}") };
    assert_eq!(response.text().unwrap(), "no such page");
}

#[test]
fn what_cannot_be_opened() {
    let server = Server::new();
    let opener = opener(Handlers::new());
    let error = |url: &str| opener.open(url).unwrap_err();
    assert!(matches!(error("hello"), UrlOpenError::Url(_)));
    assert!(matches!(error("ftp://a/"), UrlOpenError::Url(_)));
    assert!(matches!(error("data:,%"), UrlOpenError::Data(_)));
    assert!(matches!(error("file:///no/such/file"), UrlOpenError::File { .. }));
    assert!(matches!(error("file:///"), UrlOpenError::File { .. }));
    assert!(matches!(error("file://elsewhere/etc/passwd"), UrlOpenError::RemoteFile { .. }));
    let late = Request::new(server.url("/never")).timeout(Duration::from_millis(50));
    let error = opener.open(late).unwrap_err();
    assert!(matches!(&error, UrlOpenError::Request(error) if error.is_timeout()), "{error}");
}

#[test]
fn handlers_and_what_they_replace() {
    let server = Server::new();
    let none = HttpRedirectHandler::new(Redirects::none());
    let error = opener(Handlers::new().with(none)).open(server.url("/moved")).unwrap_err();
    assert!(matches!(error, UrlOpenError::Status(response) if response.status().as_u16() == 302));

    let jar = CookieJar::new();
    let with_jar = opener(Handlers::new().with(HttpCookieProcessor::new(jar.clone())));
    assert_eq!(text(&with_jar, server.url("/cookie")), "none");
    assert_eq!((text(&with_jar, server.url("/cookie")).as_str(), jar.len()), ("7", 1));

    let passwords = Passwords::new()
        .add(Some("r"), &Url::parse(&server.url).unwrap(), "ann", "secret")
        .unwrap();
    let with_login = opener(Handlers::new().with(HttpBasicAuthHandler::new(passwords)));
    assert_eq!(text(&with_login, server.url("/login")), "welcome");
    assert!(opener(Handlers::new()).open(server.url("/login")).is_err());

    // A proxy gets the request whole: this server takes it for its own.
    let proxies = Proxies::all(&server.url).unwrap();
    let login = ProxyBasicAuthHandler::new("a", "b").unwrap();
    let handlers = Handlers::new().with(login).with(ProxyHandler::new(proxies));
    let through = build_opener(handlers).unwrap();
    let response = through.open("http://elsewhere.example/text").unwrap().text().unwrap();
    assert_eq!(response, "hello");
}

/// Opens URLs of a scheme of its own, and marks requests and responses.
struct Own;

impl Handler for Own {
    fn request(&self, request: Request) -> Result<Request, UrlOpenError> {
        Ok(request.with("X-Own", "marked").map_err(RequestError::Field)?)
    }

    fn open(
        &self,
        url: &Url,
        _: &Request,
    ) -> Option<Result<sinew_http::urllib::Response, UrlOpenError>> {
        (url.scheme() == "own").then(|| urlopen(format!("data:,own:{}", url.path())))
    }
}

#[test]
fn a_handler_of_ones_own() {
    let server = Server::new();
    let opener = opener(Handlers::new().with(Own));
    assert_eq!(text(&opener, "own:thing"), "own:thing");
    assert!(text(&opener, server.url("/")).contains(" marked "));
}

#[test]
fn files_and_data() {
    watchdog::watch_this_test();
    let folder = std::env::temp_dir().join(format!("sinew-urllib-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("a b.html");
    fs::write(&path, "<p>hello").unwrap();
    let opener = opener(Handlers::new());
    let url = Url::from_file_path(&path).unwrap();
    let mut response = opener.open(&url).unwrap();
    assert_eq!(response.field("content-type"), Some("text/html"));
    assert_eq!(response.field("content-length"), Some("8"));
    assert!(response.field("last-modified").is_some_and(|date| date.ends_with(" GMT")));
    assert_eq!(response.text().unwrap(), "<p>hello");
    let local = format!("file://localhost{}", url.path());
    assert_eq!(text(&opener, local), "<p>hello");
    let mut data = opener.open("data:text/x;base64,aGk=").unwrap();
    assert_eq!((data.field("content-type"), data.length()), (Some("text/x"), Some(2)));
    assert_eq!(data.text().unwrap(), "hi");
    // A file that is here already is not copied.
    let retrieved = opener.retrieve(&url, None, |_, _, _| panic!("nothing is copied")).unwrap();
    assert_eq!(retrieved.path(), path);
    let copy = folder.join("copy");
    opener.retrieve(&url, Some(&copy), |_, _, _| {}).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), "<p>hello");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn urlretrieve_reports_its_blocks() {
    let server = Server::new();
    install_opener(opener(Handlers::new()));
    let mut reports = Vec::new();
    let retrieved = urlretrieve(server.url("/large"), None, |blocks, size, total| {
        reports.push((blocks, size, total));
    })
    .unwrap();
    let all = Some(20_000);
    assert_eq!(reports, [(0, 8192, all), (1, 8192, all), (2, 8192, all), (3, 8192, all)]);
    assert_eq!(fs::read(retrieved.path()).unwrap().len(), 20_000);
    assert_eq!(retrieved.fields().text("content-length"), Some("20000"));
    let mut totals = Vec::new();
    let streamed =
        urlretrieve(server.url("/streamed"), None, |_, _, total| totals.push(total)).unwrap();
    assert_eq!(totals, [None, None]);
    let files: Vec<PathBuf> = [&retrieved, &streamed].map(|one| one.path().to_owned()).to_vec();
    assert!(files.iter().all(|file| file.exists()));
    urlcleanup();
    assert!(!files.iter().any(|file| file.exists()), "they were temporary");
}

#[test]
fn a_copy_that_is_too_short() {
    let _server = Server::new();
    install_opener(opener(Handlers::new()));
    let url = LIAR_URL.take();
    let error = urlretrieve(&url, None, |_, _, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "5 bytes were retrieved, of 100");
    let UrlOpenError::TooShort { retrieved, .. } = error else { panic!("{error}") };
    assert_eq!(fs::read_to_string(retrieved.path()).unwrap(), "short", "what has come is there");
    assert_eq!(retrieved.path().extension().and_then(|e| e.to_str()), Some("txt"));
    let mut response = urlopen(&url).unwrap();
    let mut all = Vec::new();
    let error = response.read_to_end(&mut all).unwrap_err();
    assert_eq!((error.kind(), &all[..]), (std::io::ErrorKind::UnexpectedEof, &b"short"[..]));
    urlcleanup();
}

#[test]
fn errors_of_redirects_are_told() {
    let server = Server::new();
    let same = HttpRedirectHandler::new(Redirects::default().max(1));
    let opener = opener(Handlers::new().with(same));
    assert_eq!(text(&opener, server.url("/moved")), "hello");
    let error = UrlOpenError::from(RequestError::from(RedirectError::Invalid { to: "x".into() }));
    assert_eq!(error.to_string(), "a redirect leads to \"x\", which is not a URL");
}
