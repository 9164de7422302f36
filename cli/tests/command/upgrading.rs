//! Upgrades: SIGUSR2 and `sinew upgrade`. That no connection is lost by them is tested with the handover itself; here, that the command
//! does it: the same command line, the pid file, the manager, the background, and an old process that goes on when the new one fails.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream, process::ExitStatusExt},
    process::Command,
};

use nix::sys::signal::Signal;

use super::{
    kit::{
        Scratch, Server, assert_echoes, await_unlocked, clean_environment, connect, is_root,
        output, send, sinew,
    },
    systemd::Manager,
};

/// The process id in the pid file.
fn pid(scratch: &Scratch) -> u32 {
    scratch.read("pid").trim().parse().expect("a number in the pid file")
}

/// Upgrades a server in the foreground. The next version writes to the same log. Waits until the old process has ended.
fn upgrade(scratch: &Scratch, mut server: Server) -> (Server, u32) {
    let before = pid(scratch);
    send(before, Signal::SIGUSR2);
    server.all_lines(&["upgraded: that process serves", " stopped", " ready"]);
    let after = pid(scratch);
    assert_ne!(before, after);
    (server, after)
}

/// Stops the last of several versions, whose log this is.
fn stop(scratch: &Scratch, server: Server) {
    send(pid(scratch), Signal::SIGTERM);
    let (status, log) = server.end();
    // The first one has ended by itself.
    assert!(status.success(), "{status}\n{log}");
    assert!(!scratch.path("pid").exists(), "{log}");
}

#[test]
fn the_next_version_serves_on_the_same_sockets() {
    for reactors in ["1", "3"] {
        let scratch = Scratch::new();
        let (pidfile, unix) = (scratch.text("pid"), format!("unix:{}", scratch.text("echo.sock")));
        let mut server = Server::start(&[
            "echo",
            "-l",
            "127.0.0.1:0",
            "-l",
            &unix,
            "--pidfile",
            &pidfile,
            "--reactors",
            reactors,
        ]);
        let address = server.address();
        for _ in 0..3 {
            (server, _) = upgrade(&scratch, server);
            for _ in 0..8 {
                connect(address);
                assert_echoes(
                    &mut UnixStream::connect(scratch.path("echo.sock")).unwrap(),
                    "by a file",
                );
            }
        }
        stop(&scratch, server);
        assert!(!scratch.path("echo.sock").exists());
    }
}

#[test]
fn a_file_is_read_by_the_next_version() {
    let scratch = Scratch::new();
    let services = |more: &str| {
        format!(
            "[process]\npidfile = \"{}\"\n[services.echo]\nlisten = \"127.0.0.1:0\"\n{more}",
            scratch.text("pid")
        )
    };
    let path = scratch.write("file.toml", &services(""));
    let server = Server::start(&["run", &path]);
    let address = server.address();
    scratch.write(
        "file.toml",
        &services("[services.discard]\nlisten = \"127.0.0.1:0\"\n[reactor]\nreactors = 2\n"),
    );
    let (server, _) = upgrade(&scratch, server);
    connect(address);
    assert!(server.lines.iter().any(|line| line.contains("service=discard")), "{:?}", server.lines);
    stop(&scratch, server);
}

#[test]
fn with_a_broken_file_the_old_version_goes_on() {
    let scratch = Scratch::new();
    let good = format!(
        "[process]\npidfile = \"{}\"\n[services.echo]\nlisten = \"127.0.0.1:0\"\n",
        scratch.text("pid")
    );
    let path = scratch.write("file.toml", &good);
    let mut server = Server::start(&["run", &path]);
    let mut stream = connect(server.address());
    let before = pid(&scratch);
    scratch.write("file.toml", "[services.echo]\nlisten = 5\n");
    server.signal(Signal::SIGUSR2);
    let line = server.line("not upgraded; this process goes on");
    assert!(line.contains("an endpoint in quotes is expected"), "{line}");
    assert_eq!(pid(&scratch), before);
    assert_echoes(&mut stream, "as before");
    connect(server.address());
    // And with a good one it is upgraded.
    scratch.write("file.toml", &good);
    drop(stream);
    let (server, _) = upgrade(&scratch, server);
    stop(&scratch, server);
}

/// The command as a file of the scratch directory: it can be replaced, and other users can execute it wherever the build is.
fn copy(scratch: &Scratch) -> Command {
    let program = scratch.path("sinew");
    // A process of its own writes it: what another test starts meanwhile would inherit a file open for writing, which cannot be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_sinew")).arg(&program).status();
    assert!(copied.expect("cp can be started").success());
    let mut command = Command::new(&program);
    clean_environment(&mut command);
    command
}

/// A server whose program can be replaced.
fn replaceable(scratch: &Scratch) -> Server {
    let mut command = copy(scratch);
    command.args(["echo", "-l", "127.0.0.1:0", "--pidfile", &scratch.text("pid")]);
    Server::spawn(&mut command)
}

/// Puts another program at the path, as an installation does: the running one keeps its file.
fn install(scratch: &Scratch, script: &str) {
    let new = scratch.path("new");
    fs::write(&new, script).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, scratch.path("sinew")).unwrap();
}

#[test]
fn a_next_version_that_crashes_or_is_missing_changes_nothing() {
    let scratch = Scratch::new();
    let mut server = replaceable(&scratch);
    let mut stream = connect(server.address());
    let before = pid(&scratch);
    for script in ["#!/bin/sh\nexit 3\n", "#!/bin/sh\nkill -SEGV $$\n", "#!/no/such/interpreter\n"]
    {
        install(&scratch, script);
        server.signal(Signal::SIGUSR2);
        server.line("not upgraded; this process goes on");
        assert_echoes(&mut stream, "as before");
        connect(server.address());
        assert_eq!(pid(&scratch), before);
    }
    fs::remove_file(scratch.path("sinew")).unwrap();
    server.signal(Signal::SIGUSR2);
    server.line("not upgraded; this process goes on");
    // The path counts, not the file that runs: so a new version there is taken.
    fs::copy(env!("CARGO_BIN_EXE_sinew"), scratch.path("sinew")).unwrap();
    drop(stream);
    let (server, _) = upgrade(&scratch, server);
    stop(&scratch, server);
}

#[test]
fn a_stop_during_an_upgrade_stops_both() {
    let scratch = Scratch::new();
    let mut server = replaceable(&scratch);
    // One that hangs: it never says that it is ready.
    install(&scratch, "#!/bin/sh\necho hanging >&2\nexec cat /dev/zero >/dev/null\n");
    server.signal(Signal::SIGUSR2);
    server.line("hanging");
    server.signal(Signal::SIGTERM);
    // The end of the log is the end of both processes, which have it open.
    let (status, log) = server.end();
    assert_eq!(status.signal(), Some(15), "{log}");
    assert!(!scratch.path("pid").exists());
}

#[test]
fn the_manager_learns_of_the_new_process() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch);
    let pidfile = scratch.text("pid");
    let mut command = sinew(&["echo", "-l", "127.0.0.1:0", "--pidfile", &pidfile]);
    let server = Server::spawn(manager.environment(&mut command));
    let (server, after) = upgrade(&scratch, server);
    let mut messages = String::new();
    while !messages.contains("MAINPID=") {
        messages += &manager.message();
        messages.push('\n');
    }
    assert!(messages.contains(&format!("MAINPID={after}\n")), "{messages}");
    assert!(!messages.contains("STOPPING"), "the service does not stop: {messages}");
    stop(&scratch, server);
    manager.await_message("STOPPING=1");
}

#[test]
fn a_server_in_the_background_is_upgraded_by_a_command() {
    let scratch = Scratch::new();
    let (pidfile, log) = (scratch.text("pid"), scratch.text("log"));
    let unix = format!("unix:{}:mode=600", scratch.text("echo.sock"));
    let mut arguments =
        vec!["echo", "-l", &unix, "--daemon", "--pidfile", &pidfile, "--log-file", &log];
    if is_root() {
        arguments.extend(["--user", "65534", "--group", "65534"]);
    } else {
        eprintln!("skipped: without root, the user is not changed in this test");
    }
    let started = copy(&scratch).args(&arguments).output().expect("the command can be started");
    assert!(started.status.success(), "{started:?}");
    for _ in 0..2 {
        let before = pid(&scratch);
        let upgraded = output(&["upgrade", "--pidfile", &pidfile]);
        assert!(upgraded.status.success(), "{upgraded:?}\n{}", scratch.read("log"));
        let after = pid(&scratch);
        let said = String::from_utf8_lossy(&upgraded.stdout).into_owned();
        assert_eq!(said, format!("process {before} was replaced by process {after}\n"));
        assert_echoes(&mut UnixStream::connect(scratch.path("echo.sock")).unwrap(), "on and on");
    }
    send(pid(&scratch), Signal::SIGTERM);
    await_unlocked(&scratch.path("pid"));
    assert!(scratch.read("log").contains("stopped"));
}

#[test]
fn the_command_says_what_hinders_an_upgrade() {
    let scratch = Scratch::new();
    let missing = scratch.text("missing");
    let stale = scratch.write("stale", "1\n");
    for (path, code, text) in
        [(&missing, 66, "cannot read the pid file"), (&stale, 69, "no server runs")]
    {
        let output = output(&["upgrade", "--pidfile", path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(text), "{said}");
    }
    let server = replaceable(&scratch);
    install(&scratch, "#!/bin/sh\nexit 1\n");
    let output = output(&["upgrade", "--pidfile", &scratch.text("pid"), "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("was not replaced within 1s"),
        "{output:?}"
    );
    server.stop();
}
