//! What the tests share: a scratch directory, a server that runs, and what it says.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::watchdog::watch_this_test;

/// A directory of this test's own, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        watch_this_test();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sinew-cli-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As text, for arguments.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().expect("a path of plain letters")
    }

    pub(crate) fn write(&self, name: &str, contents: &str) -> String {
        fs::write(self.path(name), contents).expect("a file in the scratch directory");
        self.text(name)
    }

    /// The files of a new certificate for localhost, and of its key.
    pub(crate) fn certificate(&self) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("a certificate can be made");
        (
            self.write("cert.pem", &made.cert.pem()),
            self.write("key.pem", &made.signing_key.serialize_pem()),
        )
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| format!("{name}: {error}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command, with nothing of the environment that would change what it does.
pub(crate) fn sinew(arguments: &[&str]) -> Command {
    watch_this_test();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    command.args(arguments).stdin(Stdio::null());
    clean_environment(&mut command);
    command
}

pub(crate) fn clean_environment(command: &mut Command) {
    for name in [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "NO_COLOR",
    ] {
        command.env_remove(name);
    }
}

/// Runs the command to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    sinew(arguments).output().expect("the command can be started")
}

/// The exit code, and what was printed to standard error.
pub(crate) fn failure(arguments: &[&str]) -> (i32, String) {
    let output = output(arguments);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A server in the foreground, whose log is read here.
pub(crate) struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    /// The addresses at which it has said to listen.
    pub(crate) addresses: Vec<String>,
    /// All lines so far.
    pub(crate) lines: Vec<String>,
}

impl Server {
    /// Starts one, and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut sinew(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut this = Self::begin(command);
        this.line("ready");
        this
    }

    /// Without waiting.
    pub(crate) fn begin(command: &mut Command) -> Self {
        // An output that a test leaves behind would keep the pipe of the test's own output open.
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command can be started");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, log, addresses: Vec::new(), lines: Vec::new() }
    }

    /// Waits for a line with this text.
    pub(crate) fn line(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a log of text");
            assert_ne!(read, 0, "the log has ended without {text:?}:\n{}", self.lines.concat());
            if let Some((_, rest)) = line.split_once("listening on ") {
                self.addresses.push(rest.split(' ').next().unwrap_or_default().trim().to_owned());
            }
            self.lines.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for lines with these texts, in any order.
    pub(crate) fn all_lines(&mut self, texts: &[&str]) {
        let from = self.lines.len();
        while !texts.iter().all(|text| self.lines[from..].iter().any(|line| line.contains(text))) {
            self.line("");
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// The address at which it listens first.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0].parse().expect("an address and a port")
    }

    /// Waits for the end, and returns the rest of the log.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let _ = self.log.read_to_string(&mut rest);
        (self.child.wait().expect("a child"), self.lines.concat() + &rest)
    }

    /// Stops it by SIGTERM, and makes sure that it ends by that.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let (status, log) = self.end();
        assert_eq!(status.signal(), Some(15), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).expect("the process is there");
}

/// Sends a text to an echo server, and receives it.
pub(crate) fn assert_echoes(stream: &mut (impl Read + Write), text: &str) {
    stream.write_all(text.as_bytes()).expect("a connection that can be written");
    let mut received = vec![0; text.len()];
    stream.read_exact(&mut received).expect("an echo");
    assert_eq!(String::from_utf8_lossy(&received), text);
}

/// A new connection that is served.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server that listens");
    assert_echoes(&mut stream, "hello");
    stream
}

/// Whether the connection has ended on the other side.
pub(crate) fn has_ended(stream: &mut TcpStream) -> bool {
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_ok()
}

/// Waits until no process holds the lock of a pid file.
pub(crate) fn await_unlocked(path: &Path) {
    use rustix::fs::{FlockOperation, flock};
    let Ok(file) = fs::File::open(path) else { return };
    flock(&file, FlockOperation::LockExclusive).expect("a lock");
}

pub(crate) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}
