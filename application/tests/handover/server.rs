//! The server of a test: the process that serves now, and those that it has replaced.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

pub(super) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    serving: u32,
    pub(super) addr: SocketAddr,
    pub(super) udp: SocketAddr,
    pub(super) chat: SocketAddr,
}

impl Server {
    pub(super) fn start(name: &str) -> Self {
        Self::start_with("mio", "serve", name)
    }

    pub(super) fn start_on(engine: &str, name: &str) -> Self {
        Self::start_with(engine, "serve", name)
    }

    pub(super) fn start_version(version: &str, name: &str) -> Self {
        Self::start_with("mio", version, name)
    }

    fn start_with(engine: &str, version: &str, name: &str) -> Self {
        let folder = env::temp_dir().join(format!("sinew-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("version"), version).unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["child_process", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("SINEW_TEST_FOLDER", &folder)
            .env("SINEW_TEST_ENGINE", engine)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self {
            serving: child.id(),
            child,
            output,
            folder,
            addr: nowhere,
            udp: nowhere,
            chat: nowhere,
        };
        let line = server.line("serving ");
        let mut words = line.split(' ').skip(1);
        let mut addr = || words.next().unwrap().parse().unwrap();
        (server.addr, server.udp, server.chat) = (addr(), addr(), addr());
        server
    }

    pub(super) fn unix(&self) -> PathBuf {
        self.folder.join("echo.sock")
    }

    pub(super) fn first_pid(&self) -> u32 {
        self.child.id()
    }

    /// The rest of the next line that begins so; others are skipped.
    pub(super) fn line(&mut self, begin: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "no line {begin:?} came");
            let Some(said) = line.trim_end().strip_prefix('@') else { continue };
            if let Some(rest) = said.strip_prefix(begin) {
                return rest.to_owned();
            }
            assert!(!said.starts_with("failed "), "unexpected while waiting for {begin:?}: {said}");
        }
    }

    /// Has the process that serves start this version of itself.
    pub(super) fn upgrade(&self, version: &str) {
        fs::write(self.folder.join("version"), version).unwrap();
        kill(self.serving, libc::SIGUSR2);
    }

    /// Waits until the next version serves, and returns its process id.
    pub(super) fn serving(&mut self) -> u32 {
        let line = self.line("serving ");
        let mut words = line.split(' ');
        self.serving = words.next().unwrap().parse().unwrap();
        let mut addr = || -> SocketAddr { words.next().unwrap().parse().unwrap() };
        assert_eq!((addr(), addr(), addr()), (self.addr, self.udp, self.chat));
        self.serving
    }

    #[allow(clippy::unused_self, reason = "it reads as what is done to the server")]
    pub(super) fn send(&self, pid: &str, signal: i32) {
        kill(pid.parse().unwrap(), signal);
    }

    /// Stops the process that serves, and waits until all have ended.
    pub(super) fn stop(mut self) {
        kill(self.serving, libc::SIGTERM);
        let mut line = String::new();
        // The end of the output: no process has it any more.
        while self.output.read_line(&mut line).unwrap() > 0 {
            line.clear();
        }
        assert!(!self.unix().exists(), "the last one removes the socket file");
        assert!(!self.unix().with_extension("sock.lock").exists(), "and its lock");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What a failed test leaves.
        kill(self.serving, libc::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(super) fn kill(pid: u32, signal: i32) {
    let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}
