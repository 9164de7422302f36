//! Pid files: of a running, a dead, and no server.

use std::{fs, os::unix::fs::symlink};

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, failure};

fn echo(pidfile: &str) -> [&str; 5] {
    ["echo", "-l", "127.0.0.1:0", "--pidfile", pidfile]
}

#[test]
fn is_written_and_removed() {
    let scratch = Scratch::new();
    let path = scratch.text("pid");
    let server = Server::start(&echo(&path));
    assert_eq!(scratch.read("pid"), format!("{}\n", server.pid()));
    server.stop();
    assert!(!scratch.path("pid").exists());
}

#[test]
fn a_running_server_is_named_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.text("pid");
    let server = Server::start(&echo(&path));
    let (code, said) = failure(&echo(&path));
    assert_eq!(code, 69, "{said}");
    assert!(said.contains(&format!("already running as process {}", server.pid())), "{said}");
    let (code, said) = failure(&["echo", "-l", "127.0.0.1:0", "--daemon", "--pidfile", &path]);
    assert_eq!(code, 69, "{said}");
    assert_eq!(scratch.read("pid"), format!("{}\n", server.pid()));
    server.stop();
}

#[test]
fn a_file_that_a_dead_server_left_is_taken_over() {
    let scratch = Scratch::new();
    let path = scratch.text("pid");
    let killed = Server::start(&echo(&path));
    let pid = killed.pid();
    killed.signal(Signal::SIGKILL);
    killed.end();
    assert_eq!(scratch.read("pid"), format!("{pid}\n"), "it is left behind");
    // The number of a process that lives says nothing: it may be another's by now.
    for contents in
        [format!("{pid}\n"), format!("{}\n", std::process::id()), String::new(), "1".to_owned()]
    {
        fs::write(&path, contents).unwrap();
        let server = Server::start(&echo(&path));
        assert_eq!(scratch.read("pid"), format!("{}\n", server.pid()));
        server.stop();
    }
}

#[test]
fn what_is_no_pid_file_is_not_touched() {
    let scratch = Scratch::new();
    for contents in ["root:x:0:0:root:/root:/bin/sh\n", "-5\n", "12 34\n", "\u{1b}[31m\n"] {
        let path = scratch.write("junk", contents);
        let (code, said) = failure(&echo(&path));
        assert_eq!(code, 73, "{said}");
        assert!(said.contains("is not a pid file") && !said.contains('\u{1b}'), "{said}");
        assert_eq!(scratch.read("junk"), contents);
    }
    let target = scratch.write("target", "1\n");
    symlink(target, scratch.path("link")).unwrap();
    fs::create_dir(scratch.path("directory")).unwrap();
    for name in ["link", "directory", "missing/pid"] {
        let (code, said) = failure(&echo(&scratch.text(name)));
        assert_eq!(code, 73, "{name}: {said}");
    }
    assert_eq!(scratch.read("target"), "1\n");
}

#[test]
fn is_removed_when_the_start_fails() {
    let scratch = Scratch::new();
    let path = scratch.text("pid");
    let (code, _) = failure(&["echo", "-l", "unix:/no/such/directory/x", "--pidfile", &path]);
    assert_ne!(code, 0);
    assert!(!scratch.path("pid").exists());
}
