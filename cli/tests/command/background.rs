//! `--daemon`: the way into the background, and what the process that was started reports.

use std::{fs, net::TcpListener, os::unix::net::UnixStream};

use nix::sys::signal::Signal;

use super::kit::{Scratch, assert_echoes, await_unlocked, failure, output, send};

/// A server in the background, and the arguments that started it.
struct Daemon {
    scratch: Scratch,
    pid: u32,
}

impl Daemon {
    fn start(more: &[&str]) -> Self {
        let scratch = Scratch::new();
        let unix = format!("unix:{}:mode=600", scratch.text("echo.sock"));
        let (pidfile, log) = (scratch.text("pid"), scratch.text("log"));
        let common = ["echo", "-l", &unix, "--daemon", "--pidfile", &pidfile, "--log-file", &log];
        let output = output(&[&common, more].concat());
        assert!(output.status.success(), "{output:?}\n{}", scratch.read("log"));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        let pid = scratch.read("pid").trim().parse().expect("a number in the pid file");
        Self { scratch, pid }
    }

    /// The field of /proc/PID/stat, counted as proc_pid_stat(5) does.
    fn stat(&self, field: usize) -> i32 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        // The name, in parentheses, may have blanks.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().nth(field - 3).unwrap().parse().unwrap()
    }

    fn stop(&self) {
        send(self.pid, Signal::SIGTERM);
        await_unlocked(&self.scratch.path("pid"));
    }
}

#[test]
fn returns_when_it_serves_and_serves_on() {
    let daemon = Daemon::start(&[]);
    let mut stream = UnixStream::connect(daemon.scratch.path("echo.sock")).unwrap();
    assert_echoes(&mut stream, "in the background");
    // A session of its own, of which it is not the leader: it can never get a terminal.
    let (session, terminal) = (daemon.stat(6), daemon.stat(7));
    assert_ne!(session, daemon.pid.cast_signed());
    assert_eq!(terminal, 0);
    for descriptor in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{descriptor}", daemon.pid)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid)).unwrap();
    assert!(status.contains("Umask:\t0077"), "{status}");
    drop(stream);
    daemon.stop();
    assert!(!daemon.scratch.path("pid").exists());
    assert!(daemon.scratch.read("log").contains("stopped"));
}

#[test]
fn the_umask_can_be_chosen() {
    let daemon = Daemon::start(&["--umask", "027", "--chdir", "/"]);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid)).unwrap();
    assert!(status.contains("Umask:\t0027"), "{status}");
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", daemon.pid)).unwrap().to_str(), Some("/"));
    daemon.stop();
}

#[test]
fn failures_are_reported_with_cause_and_code() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = scratch.text("");
    let pidfile = scratch.text("pid");
    for (arguments, code, text) in [
        (&["-l", &address][..], 69, "could not listen on"),
        (&["-l", "127.0.0.1:0", "--log-file", &directory], 73, "cannot open the log file"),
        (&["-l", "unix:/no/such/directory/x"], 69, "/no/such/directory/x"),
        (&["-l", "127.0.0.1:0", "--chroot", "/no/such/directory"], 66, "root directory"),
    ] {
        let common = ["echo", "--daemon", "--pidfile", &pidfile];
        let (found, said) = failure(&[&common, arguments].concat());
        assert_eq!(found, code, "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
        assert!(!scratch.path("pid").exists(), "{arguments:?}");
    }
}
