//! A running example: [`Example`].

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use super::peer::Peer;
use crate::PATIENCE;

/// A running example, killed on drop.
pub(crate) struct Example {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// The address that it listens on.
    pub(crate) addr: SocketAddr,
}

/// The result of an example that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Its remaining output.
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Example {
    /// Starts it without waiting. The library logs errors only: warnings about slow callbacks depend on the machine.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        Self::run(name, Command::new(path(name)).args(args).stdin(Stdio::piped()))
    }

    /// The same with variables of the environment.
    #[cfg(feature = "mail")]
    pub(crate) fn start_with(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(path(name));
        command.args(args).envs(variables.iter().copied()).stdin(Stdio::piped());
        Self::run(name, &mut command)
    }

    /// Starts it with an inherited descriptor 3 named "web", as by systemd.
    #[cfg(unix)]
    pub(crate) fn handed(fd: std::os::fd::OwnedFd, name: &str, args: &[&str]) -> Self {
        // A shell moves the descriptor and sets the process id before exec.
        let script = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$; exec \"$0\" \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(path(name)).args(args).stdin(fd);
        Self::run(name, &mut shell)
    }

    /// Starts it with a descriptor as standard input, as inetd does.
    #[cfg(unix)]
    pub(crate) fn on_socket(fd: std::os::fd::OwnedFd, name: &str, args: &[&str]) -> Self {
        Self::run(name, Command::new(path(name)).args(args).stdin(fd))
    }

    fn run(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} could not be started ({error}); has `cargo build --examples` run?")
            });
        Self {
            stdout: lines(child.stdout.take().expect("standard output is piped")),
            stderr: lines(child.stderr.take().expect("standard error is piped")),
            addr: SocketAddr::from(([0, 0, 0, 0], 0)),
            child,
        }
    }

    /// Starts a server on a free port, and waits until it prints its address.
    pub(crate) fn serve(name: &str, engine: &str, args: &[&str]) -> Self {
        let mut all = vec!["--listen", "127.0.0.1:0", "--engine", engine];
        all.extend(args);
        let mut example = Self::start(name, &all);
        example.addr = listening(&example.line()).parse().expect("an address and a port");
        example
    }

    /// Its process id.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output.
    pub(crate) fn line(&self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("no further line; on standard error: {:?}", self.stderr.try_recv()),
        }
    }

    /// Closes its standard output pipe.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = channel().1;
    }

    /// Connects to it.
    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.addr)
    }

    /// Writes to its standard input.
    pub(crate) fn input(&mut self, input: &[u8]) {
        self.child.stdin.as_mut().expect("standard input is open").write_all(input).unwrap();
    }

    /// Closes its standard input.
    pub(crate) fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// Sends SIGINT or SIGTERM.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process has a number"), signal).unwrap();
    }

    /// Waits for its exit.
    pub(crate) fn wait(mut self) -> Ended {
        self.end_input();
        self.wait_with_input_open()
    }

    /// Waits for its exit, with its standard input open.
    pub(crate) fn wait_with_input_open(mut self) -> Ended {
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        // `Child::wait` would close its standard input; but with both outputs closed, it has ended.
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout, stderr }
    }

    /// Stops a server, and checks that it reported no errors.
    pub(crate) fn finish(self) {
        #[cfg(unix)]
        {
            self.signal(rustix::process::Signal::TERM);
            let ended = self.wait();
            assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]), "{ended:?}");
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text after `listening on`.
pub(crate) fn listening(line: &str) -> &str {
    line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"))
}

/// The examples are in the folder beside the test binary's.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a test lies in `deps`");
    profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// Reads lines until EOF, or until the receiver is dropped; then closes the pipe.
fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn rest(lines: &Receiver<String>) -> Vec<String> {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest.push(line),
            Err(Disconnected) => return rest,
            Err(Timeout) => panic!("it does not end; so far it said {rest:?}"),
        }
    }
}
