//! The log: formats, files, rotation.

use std::{fs, net::SocketAddr};

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, connect, output, sinew};
use super::systemd::Manager;

/// A server that logs into a file, and is ready.
fn start(scratch: &Scratch, more: &[&str]) -> (Server, Manager) {
    let manager = Manager::new(scratch);
    let log = scratch.text("log");
    let common = ["echo", "-l", "127.0.0.1:0", "--log-file", &log];
    let mut command = sinew(&[&common, more].concat());
    let server = Server::begin(manager.environment(&mut command));
    manager.await_message("READY=1");
    (server, manager)
}

/// Where a server listens that logs into a file.
fn address(scratch: &Scratch) -> SocketAddr {
    let log = scratch.read("log");
    let (_, rest) = log.split_once("listening on ").expect("an address in the log");
    rest.split(' ').next().and_then(|text| text.parse().ok()).expect("an address and a port")
}

#[test]
fn json_is_an_object_a_line() {
    let mut server = Server::start(&["echo", "-l", "127.0.0.1:0", "--log-format", "json"]);
    connect(
        serde_json::from_str::<serde_json::Value>(&server.lines[1]).unwrap()["message"]
            .as_str()
            .and_then(|text| text.strip_prefix("listening on "))
            .expect("the second line says where")
            .parse()
            .unwrap(),
    );
    server.signal(Signal::SIGTERM);
    server.line("stopped");
    for line in &server.lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["timestamp", "level", "target", "message"] {
            assert!(value[key].is_string(), "{key}: {line}");
        }
    }
    server.end();
}

#[test]
fn the_level_is_the_least_that_is_logged() {
    let server = Server::begin(&mut sinew(&[
        "echo",
        "-l",
        "127.0.0.1:0",
        "--log-level",
        "off",
        "--idle-timeout",
        "1ms",
    ]));
    // Nothing is logged, so that only a failed start would say so.
    server.signal(Signal::SIGTERM);
    let (_, log) = server.end();
    assert_eq!(log, "");
}

#[test]
fn there_is_no_colour_where_there_is_no_terminal() {
    let log = Server::start(&["echo", "-l", "127.0.0.1:0"]).stop();
    assert!(!log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn there_is_colour_on_a_terminal_unless_it_is_refused() {
    // script(1) gives it a terminal.
    for (variable, coloured) in [("TERM=xterm", true), ("NO_COLOR=1", false), ("NO_COLOR=", true)] {
        let line = format!(
            "{variable} timeout -s INT 1 {} echo -l stdio: </dev/null",
            env!("CARGO_BIN_EXE_sinew")
        );
        let run = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_remove("NO_COLOR")
            .output();
        let Ok(run) = run else {
            eprintln!("skipped: script is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(said.contains("ready"), "{said}");
        assert_eq!(said.contains("\u{1b}[32m"), coloured, "{variable}: {said:?}");
    }
}

#[test]
fn a_file_is_rotated_by_sigusr1() {
    let scratch = Scratch::new();
    let (server, _manager) = start(&scratch, &[]);
    let address = address(&scratch);
    server.signal(Signal::SIGUSR1);
    // Each connection is a turn of the loop.
    while !scratch.path("log.1").exists() {
        connect(address);
    }
    server.stop();
    assert!(scratch.read("log.1").contains("ready"), "{}", scratch.read("log.1"));
    assert!(scratch.read("log").contains("stopped"), "{}", scratch.read("log"));
    assert!(!scratch.read("log").contains("ready"));
}

#[test]
fn a_file_that_logrotate_has_moved_is_begun_anew() {
    for signal in [Signal::SIGUSR1, Signal::SIGHUP] {
        let scratch = Scratch::new();
        let (server, _manager) = start(&scratch, &[]);
        let address = address(&scratch);
        fs::rename(scratch.path("log"), scratch.path("log.moved")).unwrap();
        server.signal(signal);
        while !scratch.path("log").exists() {
            connect(address);
        }
        server.stop();
        assert!(scratch.read("log.moved").contains("ready"));
        assert!(scratch.read("log").contains("stopped"), "{signal}: {}", scratch.read("log"));
        assert!(!scratch.path("log.1").exists());
    }
}

#[test]
fn a_file_is_rotated_by_size() {
    let scratch = Scratch::new();
    let (server, manager) = start(&scratch, &["--log-max-size", "200", "--log-keep", "3"]);
    for _ in 0..10 {
        server.signal(Signal::SIGHUP);
        manager.await_message("READY=1");
    }
    server.stop();
    let sizes = ["log", "log.1", "log.2", "log.3"]
        .map(|name| fs::metadata(scratch.path(name)).unwrap().len());
    assert!(sizes.iter().all(|size| *size > 0 && *size <= 200), "{sizes:?}");
    assert!(!scratch.path("log.4").exists());
    assert!(scratch.read("log").contains("stopped"));
}

#[test]
fn the_journal_is_reached_or_the_start_fails() {
    if fs::metadata("/run/systemd/journal/socket").is_ok() {
        eprintln!("skipped: this system has a journal, which a test must not write to");
        return;
    }
    let output = output(&["echo", "-l", "127.0.0.1:0", "--log-format", "journald"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("/run/systemd/journal/socket"),
        "{output:?}"
    );
}
