//! A server process of the tests, and its output: [`Process`].

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{client::Client, gate::Gate};

/// How long anything may take before a test fails.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The environment variable that makes this binary a server, with its name and options.
pub(crate) const SPEC: &str = "SINEW_SOCKETSERVER_TEST";

/// How a server runs its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    InPlace,
    Threading,
    Forking,
}

/// The family of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Tcp,
    Udp,
    UnixStream,
    UnixDatagram,
}

/// One of the twelve servers.
#[derive(Debug)]
pub(crate) struct ServerName {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) mode: Mode,
}

impl ServerName {
    const fn new(name: &'static str, family: Family, mode: Mode) -> Self {
        Self { name, family, mode }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.family, Family::Tcp | Family::UnixStream)
    }
}

pub(crate) const SERVERS: [ServerName; 12] = [
    ServerName::new("TcpServer", Family::Tcp, Mode::InPlace),
    ServerName::new("UdpServer", Family::Udp, Mode::InPlace),
    ServerName::new("UnixStreamServer", Family::UnixStream, Mode::InPlace),
    ServerName::new("UnixDatagramServer", Family::UnixDatagram, Mode::InPlace),
    ServerName::new("ThreadingTcpServer", Family::Tcp, Mode::Threading),
    ServerName::new("ThreadingUdpServer", Family::Udp, Mode::Threading),
    ServerName::new("ThreadingUnixStreamServer", Family::UnixStream, Mode::Threading),
    ServerName::new("ThreadingUnixDatagramServer", Family::UnixDatagram, Mode::Threading),
    ServerName::new("ForkingTcpServer", Family::Tcp, Mode::Forking),
    ServerName::new("ForkingUdpServer", Family::Udp, Mode::Forking),
    ServerName::new("ForkingUnixStreamServer", Family::UnixStream, Mode::Forking),
    ServerName::new("ForkingUnixDatagramServer", Family::UnixDatagram, Mode::Forking),
];

/// A process that serves. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    output: Receiver<String>,
    folder: PathBuf,
    pub(crate) gate: Gate,
    family: Family,
    address: String,
}

impl Process {
    /// Starts a server with these options, and waits until it serves.
    pub(crate) fn serve(server: &ServerName, options: &str) -> Self {
        let mut process = Self::start(server, options);
        process.address = process.expect("address ");
        process.expect("ready");
        process
    }

    /// The same, without waiting, for a server that may fail.
    pub(crate) fn start(server: &ServerName, options: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("sinew-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let gate = Gate::open();
        let mut child = Command::new(env::current_exe().unwrap())
            .env(SPEC, format!("{} {options}", server.name))
            .env("SINEW_FOLDER", &folder)
            .env("SINEW_GATE", gate.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, output) = channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, output, folder, gate, family: server.family, address: String::new() }
    }

    /// The next line of output.
    pub(crate) fn line(&self) -> String {
        self.output.recv_timeout(TEST_TIMEOUT).expect("the server prints another line")
    }

    /// The rest of the next line of output, which must start like this.
    pub(crate) fn expect(&self, start: &str) -> String {
        let line = self.line();
        line.strip_prefix(start)
            .unwrap_or_else(|| panic!("{line:?} instead of {start:?}"))
            .to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.family, &self.address, &self.folder)
    }

    /// Connects until the connection is refused.
    pub(crate) fn until_refused(&self) {
        let end = Instant::now() + TEST_TIMEOUT;
        while Client::can_connect(self.family, &self.address) {
            assert!(Instant::now() < end, "the address is still served");
            thread::yield_now();
        }
    }

    /// Sends a question and checks the reply.
    pub(crate) fn ask(&self, question: &str, answer: &str) {
        assert_eq!(self.client().ask(question), answer);
    }

    /// Writes a line to its standard input.
    pub(crate) fn command(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it with a signal, and checks that nothing is left.
    pub(crate) fn finish(self) {
        self.signal(Signal::INT);
        self.ended_well();
    }

    /// Checks that it has stopped serving, has closed, and has nothing left.
    pub(crate) fn ended_well(self) {
        self.expect("served Ok(())");
        self.expect("closed Ok(())");
        self.has_nothing_left();
    }

    pub(crate) fn has_nothing_left(mut self) {
        self.expect("left threads 0, children 0, descriptors 0, files 0");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
