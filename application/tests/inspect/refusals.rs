//! Who is let in: files, hosts, passwords, tokens.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::mpsc,
};

use sinew_application::inspect::{self, InspectError, WebConfig};
use sinew_auth::Users;
use sinew_reactor::Reactor;

use super::client::{Program, ask_tcp, folder};

fn with_web(config: WebConfig, page: bool) -> (Program, SocketAddr) {
    let (sender, receiver) = mpsc::channel();
    let program = Program::start(true, move |reactor: &Reactor| {
        let endpoint = "127.0.0.1:0".parse().expect("an endpoint");
        let port = match page {
            true => inspect::serve_dashboard(reactor, &endpoint, config),
            false => inspect::serve_metrics(reactor, &endpoint, config),
        };
        let address = port.expect("it is loopback").local().socket_addr();
        sender.send(address.expect("a TCP address")).expect("the test waits");
    });
    let at = receiver.recv().expect("it starts");
    (program, at)
}

#[test]
fn the_status_socket_is_of_this_user_alone_unless_a_mode_is_given() {
    let program = Program::start(true, |_| {});
    let mode =
        |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&program.socket), 0o600);
    let reactor = Reactor::new().expect("a reactor");
    let folder = folder();
    for (name, text, expected) in [
        ("wide", ":mode=660", 0o660),
        (r"a\:mode\=1", "", 0o600),
        ("locked", ":lockfile=no", 0o600),
    ] {
        let endpoint = format!("unix:{}/{name}{text}", folder.display());
        inspect::serve_status(&reactor, &endpoint.parse().expect("an endpoint")).expect(name);
        assert_eq!(mode(&folder.join(name.replace('\\', ""))), expected, "{name}");
    }
    drop(reactor);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn places_that_others_reach_need_to_be_allowed() {
    let reactor = Reactor::new().expect("a reactor");
    let everywhere = "tcp:0:interface=0.0.0.0".parse().expect("an endpoint");
    let local = "127.0.0.1:0".parse().expect("an endpoint");
    let users = || Users::new().user("ann", "secret");
    let allowed = || WebConfig::default().allow_remote(true);
    let status = inspect::serve_status(&reactor, &local);
    assert!(matches!(status, Err(InspectError::NotUnix { .. })), "{status:?}");
    let metrics = inspect::serve_metrics(&reactor, &everywhere, WebConfig::default());
    assert!(matches!(metrics, Err(InspectError::NotLoopback { .. })), "{metrics:?}");
    assert!(inspect::serve_metrics(&reactor, &everywhere, allowed()).is_ok());
    let page = inspect::serve_dashboard(&reactor, &everywhere, WebConfig::default().users(users()));
    assert!(matches!(page, Err(InspectError::NotLoopback { .. })), "{page:?}");
    let page = inspect::serve_dashboard(&reactor, &everywhere, allowed());
    assert!(matches!(page, Err(InspectError::NoUsers { .. })), "{page:?}");
    assert!(inspect::serve_dashboard(&reactor, &everywhere, allowed().users(users())).is_ok());
    assert!(inspect::serve_dashboard(&reactor, &local, allowed()).is_ok());
}

#[test]
fn other_host_names_are_refused() {
    let (_program, at) = with_web(WebConfig::default().host("status.example"), false);
    let status = |host: &str| ask_tcp(at, "GET", "/metrics", &format!("Host: {host}\r\n")).status;
    assert_eq!([status("127.0.0.1"), status("localhost:9"), status("status.example")], [200; 3]);
    assert_eq!([status("evil.example"), status("127.0.0.1.evil.example")], [421; 2]);
}

#[test]
fn users_have_to_log_in() {
    let users = Users::new().user("ann", "secret");
    let (_program, at) = with_web(WebConfig::default().users(users), true);
    let ask =
        |path: &str, login: &str| ask_tcp(at, "GET", path, &format!("Host: localhost\r\n{login}"));
    for path in ["/", "/status", "/events", "/page.js", "/connections"] {
        assert_eq!(ask(path, "").status, 401, "{path}");
    }
    // ann:wrong, which is answered late.
    assert_eq!(ask("/", "Authorization: Basic YW5uOndyb25n\r\n").status, 401);
    // ann:secret
    assert_eq!(ask("/", "Authorization: Basic YW5uOnNlY3JldA==\r\n").status, 200);
}

#[test]
fn the_page_needs_its_token_to_change_anything() {
    let (program, at) = with_web(WebConfig::default(), true);
    let _client = program.client(1);
    let found = program.json("/connections");
    let list = found["connections"].as_array().expect("a list");
    let id = list.iter().find(|one| one["kind"] == "tcp").expect("the client")["id"].clone();
    let path = format!("/connections/{}/pause", id.as_str().expect("an id"));
    let page = ask_tcp(at, "GET", "/", "Host: localhost\r\n");
    assert!(
        page.head.contains("frame-ancestors 'none'") && page.head.contains("nosniff"),
        "{}",
        page.head
    );
    let (_, rest) = page.body.split_once("name=\"sinew-token\" content=\"").expect("a token");
    let token = &rest[..32];
    let post =
        |fields: &str| ask_tcp(at, "POST", &path, &format!("Host: localhost\r\n{fields}")).status;
    let wrong = "0".repeat(32);
    assert_eq!(
        [post(""), post(&format!("X-Sinew-Token: {wrong}\r\n")), post("X-Sinew-Token: \r\n")],
        [403; 3]
    );
    assert_eq!(post(&format!("X-Sinew-Token: {token}\r\nSec-Fetch-Site: cross-site\r\n")), 403);
    assert_eq!(post(&format!("X-Sinew-Token: {token}\r\nSec-Fetch-Site: same-origin\r\n")), 204);
    assert_eq!(post(&format!("X-Sinew-Token: {token}\r\n")), 204);
    let other = format!("Host: evil.example\r\nX-Sinew-Token: {token}\r\n");
    assert_eq!(ask_tcp(at, "POST", &path, &other).status, 421);
}

#[test]
fn the_page_is_told_the_state_and_its_streams_are_bounded_and_end_with_the_run() {
    let (program, at) = with_web(WebConfig::default(), true);
    let open = || {
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is open");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status line");
        (line, reader)
    };
    let mut streams: Vec<_> = (0..16).map(|_| open()).collect();
    assert!(streams.iter().all(|(line, _)| line.contains("200")));
    assert!(open().0.contains("503"));
    let lines = streams.pop().expect("sixteen").1.lines();
    let data =
        lines.map_while(Result::ok).find(|line| line.starts_with("data: ")).expect("an event");
    let status: serde_json::Value = serde_json::from_str(&data[6..]).expect("valid JSON");
    assert_eq!(status["version"], 1);
    // One has gone, so there is a place again.
    while !open().0.contains("200") {}
    drop(program);
    for (_, stream) in streams {
        let ended = stream.lines().map_while(Result::ok).count();
        assert!(ended > 0);
    }
}

#[test]
fn a_drain_does_not_wait_for_pages() {
    let (sender, receiver) = mpsc::channel();
    let (close, wanted) = mpsc::channel::<()>();
    let (told, closed) = mpsc::channel::<()>();
    let program = Program::start(true, move |reactor: &Reactor| {
        let endpoint = "127.0.0.1:0".parse().expect("an endpoint");
        let port = inspect::serve_dashboard(reactor, &endpoint, WebConfig::default());
        let port = port.expect("it is loopback");
        sender.send(port.local().socket_addr().expect("a TCP address")).expect("the test waits");
        reactor.call_every(std::time::Duration::from_millis(5), move |_| {
            if wanted.try_recv().is_ok() {
                let told = told.clone();
                // Longer than the watchdog waits.
                let drained = port.drain(std::time::Duration::from_secs(1_000));
                drained.then(move |_, _| {
                    let _ = told.send(());
                });
            }
        });
    });
    let at = receiver.recv().expect("it starts");
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is open");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("data: ")));
    close.send(()).expect("the reactor runs");
    lines.by_ref().for_each(drop);
    drop(lines);
    closed.recv().expect("it is drained");
    drop(program);
}
