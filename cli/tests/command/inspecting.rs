//! The options `--status`, `--metrics` and `--dashboard`: that they are wired to what the crate `application` tests.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, connect, failure, send};

/// The response to a request.
fn get(mut stream: impl Read + Write, path: &str, more: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

fn inspected_at(server: &Server, index: usize) -> SocketAddr {
    let lines = server.lines.iter().filter_map(|line| line.split("to be inspected at ").nth(1));
    lines.skip(index).step_by(1).next().unwrap().trim().parse().unwrap()
}

#[test]
fn the_views_show_the_connections_of_all_reactors() {
    let scratch = Scratch::new();
    let status = format!("unix:{}", scratch.text("status.sock"));
    let server = Server::start(&[
        "echo",
        "-l",
        "127.0.0.1:0",
        "--reactors",
        "2",
        "--status",
        &status,
        "--metrics",
        "tcp:127.0.0.1:0",
        "--dashboard",
        "127.0.0.1:0",
    ]);
    let _connections: Vec<_> = (0..4).map(|_| connect(server.address())).collect();
    let shown = get(UnixStream::connect(scratch.path("status.sock")).unwrap(), "/status", "");
    assert!(shown.starts_with("HTTP/1.1 200") && shown.contains(&server.addresses[0]), "{shown}");
    let mode = fs::metadata(scratch.path("status.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let metrics = get(TcpStream::connect(inspected_at(&server, 1)).unwrap(), "/metrics", "");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("# TYPE"), "{metrics}");
    let page = get(TcpStream::connect(inspected_at(&server, 2)).unwrap(), "/", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");
    server.stop();
    assert!(!scratch.path("status.sock").exists());
}

#[test]
fn passwords_are_asked_for_when_told() {
    let scratch = Scratch::new();
    let users = scratch.write("users", "# who may look\n\nann:secret\n");
    let arguments =
        ["echo", "-l", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--inspect-users", &users];
    fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = failure(&arguments);
    assert!(code == 69 && said.contains("chmod 600"), "{code} {said}");
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&arguments);
    let address = inspected_at(&server, 0);
    let refused = get(TcpStream::connect(address).unwrap(), "/metrics", "");
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    // ann:secret
    let shown = get(
        TcpStream::connect(address).unwrap(),
        "/metrics",
        "Authorization: Basic YW5uOnNlY3JldA==\r\n",
    );
    assert!(shown.starts_with("HTTP/1.1 200"), "{shown}");
    server.stop();
    scratch.write("users", "ann\n");
    let (_, said) = failure(&arguments);
    assert!(said.contains("line 1 is not NAME:PASSWORD"), "{said}");
}

#[test]
fn nothing_is_shown_beyond_this_machine_unless_told() {
    for option in ["--metrics", "--dashboard"] {
        let (code, said) = failure(&["echo", "-l", "127.0.0.1:0", option, "0.0.0.0:0"]);
        assert!(code == 69 && said.contains("not a loopback address"), "{code} {said}");
    }
    let (code, said) =
        failure(&["echo", "-l", "127.0.0.1:0", "--dashboard", "0.0.0.0:0", "--inspect-remote"]);
    assert!(code == 69 && said.contains("needs users"), "{code} {said}");
    Server::start(&["echo", "-l", "127.0.0.1:0", "--metrics", "0.0.0.0:0", "--inspect-remote"])
        .stop();
    let (code, said) = failure(&["echo", "-l", "127.0.0.1:0", "--status", "127.0.0.1:0"]);
    assert!(code == 69 && said.contains("needs a Unix socket"), "{code} {said}");
}

#[test]
fn the_views_survive_an_upgrade() {
    let scratch = Scratch::new();
    let (status, pidfile) = (format!("unix:{}", scratch.text("status.sock")), scratch.text("pid"));
    let mut server = Server::start(&[
        "echo",
        "-l",
        "127.0.0.1:0",
        "--status",
        &status,
        "--metrics",
        "127.0.0.1:0",
        "--pidfile",
        &pidfile,
    ]);
    let metrics = inspected_at(&server, 1);
    server.signal(Signal::SIGUSR2);
    server.all_lines(&["upgraded: that process serves", " stopped", " ready"]);
    let shown = get(UnixStream::connect(scratch.path("status.sock")).unwrap(), "/status", "");
    assert!(shown.starts_with("HTTP/1.1 200"), "{shown}");
    let shown = get(TcpStream::connect(metrics).unwrap(), "/metrics", "");
    assert!(shown.starts_with("HTTP/1.1 200"), "{shown}");
    send(scratch.read("pid").trim().parse().unwrap(), Signal::SIGTERM);
    server.end();
    assert!(!scratch.path("status.sock").exists());
}
