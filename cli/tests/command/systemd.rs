//! What the command tells a service manager, and the sockets that it gets from one.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use super::kit::{Scratch, Server, clean_environment, connect, sinew};

/// A service manager that only listens.
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        let path = scratch.path("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        // As that of systemd: services without privileges send to it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        Self { socket, path }
    }

    pub(crate) fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", &self.path)
    }

    /// The next message.
    pub(crate) fn message(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for a message with this line.
    pub(crate) fn await_message(&self, line: &str) -> String {
        loop {
            let message = self.message();
            if message.lines().any(|found| found == line) {
                return message;
            }
        }
    }
}

#[test]
fn tells_that_it_is_ready_reloads_and_stops() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch);
    let server = Server::spawn(manager.environment(&mut sinew(&["echo", "-l", "127.0.0.1:0"])));
    assert!(manager.message().starts_with("READY=1"));
    server.signal(Signal::SIGHUP);
    let message = manager.message();
    assert!(message.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{message}");
    assert!(manager.message().starts_with("READY=1"));
    server.signal(Signal::SIGTERM);
    assert!(manager.message().starts_with("STOPPING=1"));
    server.end();
}

#[test]
fn shows_signs_of_life_to_the_watchdog() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch);
    let mut command = sinew(&["echo", "-l", "127.0.0.1:0", "--reactors", "2"]);
    manager.environment(&mut command).env("WATCHDOG_USEC", "20000");
    let server = Server::spawn(&mut command);
    for _ in 0..3 {
        manager.await_message("WATCHDOG=1");
    }
    server.stop();
}

#[test]
fn a_watchdog_of_another_process_is_not_its_business() {
    let scratch = Scratch::new();
    let manager = Manager::new(&scratch);
    let mut command = sinew(&["echo", "-l", "127.0.0.1:0"]);
    manager.environment(&mut command).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let server = Server::spawn(&mut command);
    server.signal(Signal::SIGTERM);
    let mut messages = String::new();
    while !messages.contains("STOPPING=1") {
        messages += &manager.message();
    }
    assert!(!messages.contains("WATCHDOG=1"), "{messages}");
    server.end();
}

#[test]
fn a_manager_that_is_gone_is_no_reason_not_to_serve() {
    let scratch = Scratch::new();
    let mut command = sinew(&["echo", "-l", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", scratch.path("nobody.sock")).env("WATCHDOG_USEC", "1000");
    let server = Server::spawn(&mut command);
    connect(server.address());
    server.stop();
}

/// A shell moves the sockets to the numbers that the protocol wants, as systemd would.
fn activated(socket: TcpListener, script: &str) -> Command {
    let mut command = Command::new("sh");
    clean_environment(&mut command);
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_sinew")]);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
    command
}

#[test]
fn serves_on_sockets_of_the_manager() {
    let scratch = Scratch::new();
    for (endpoint, reactors) in [
        ("systemd:index=0", "1"),
        ("systemd:name=web", "1"),
        ("systemd:name=web", "2"),
        ("fd:3", "1"),
    ] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let script = format!(
            "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web
            exec \"$1\" echo --listen {endpoint} --reactors {reactors}"
        );
        let server = Server::spawn(&mut activated(socket, &script));
        for _ in 0..4 {
            connect(address);
        }
        server.stop();
    }
    drop(scratch);
}

#[test]
fn says_which_socket_of_the_manager_is_missing() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$1\" echo --listen systemd:index=4";
    let output = activated(socket, script).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("systemd"), "{output:?}");
}
