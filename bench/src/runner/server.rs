//! A server as a process: started, its address read, ended by SIGTERM.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::convention;
use rustix::process::{Pid, Signal, kill_process};

use crate::affinity::{Cpu, spawn_on};
use crate::contestant::Contestant;
use crate::pipe::Lines;
use crate::tool::Wrapper;

/// The time from the start to the line with the address; valgrind takes a while.
const ANNOUNCE_WITHIN: Duration = Duration::from_secs(30);

/// The time from SIGTERM to the end, including the writing of profiles.
const END_WITHIN: Duration = Duration::from_secs(20);

/// How often a server that does not end is connected to, so that a system call of it returns.
const NUDGE_EVERY: Duration = Duration::from_secs(2);

const END_CHECK_EVERY: Duration = Duration::from_millis(2);

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The server's own process, which is a grandchild under a tool that forks.
    pub(crate) pid: Pid,
    pub(crate) address: SocketAddr,
    lines: Option<Lines>,
}

impl Server {
    pub(crate) fn start(
        contestant: &Contestant,
        wrapper: &Wrapper,
        cpu: Option<Cpu>,
    ) -> Result<Self> {
        let words = [wrapper.words.as_slice(), &contestant.command].concat();
        Self::launch(&words, wrapper.forks, cpu, Stdio::inherit())
            .with_context(|| format!("cannot start {}", words.join(" ")))
    }

    /// Checks that it starts and ends; if it does not, the reason is its last line on standard error.
    pub(crate) fn probe(contestant: &Contestant, cpu: Option<Cpu>) -> Result<()> {
        Self::launch(&contestant.command, false, cpu, Stdio::piped())?.stop()
    }

    fn launch(words: &[String], forks: bool, cpu: Option<Cpu>, stderr: Stdio) -> Result<Self> {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let child = spawn_on(cpu, &mut command)?;
        let mut server = Self {
            pid: Pid::from_child(&child),
            child,
            address: SocketAddr::from(([0; 4], 0)),
            lines: None,
        };
        let output = server.child.stdout.take();
        let mut lines = Lines::new(output.context("no output")?);
        let line = match lines.next(ANNOUNCE_WITHIN) {
            Err(_) => bail!(server.last_error().unwrap_or("it announced no address".to_owned())),
            Ok(line) => line,
        };
        server.address = convention::announced(&line)
            .with_context(|| format!("its first line is `{line}`, not `listening on ADDR:PORT`"))?;
        server.lines = Some(lines);
        if forks {
            server.pid = only_child(server.pid)?;
        }
        Ok(server)
    }

    /// The last line that a failed server has printed on standard error, if that is captured.
    fn last_error(&mut self) -> Option<String> {
        let mut stderr = self.child.stderr.take()?;
        // Fails if it has ended already, which is fine.
        let _ = self.child.kill();
        let mut text = String::new();
        stderr.read_to_string(&mut text).ok()?;
        text.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned)
    }

    /// Asks the server to end, and waits for it and its tool.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(self.pid, Signal::TERM).context("the server ended before SIGTERM")?;
        let began = Instant::now();
        let mut nudge_at = NUDGE_EVERY;
        while self.child.try_wait()?.is_none() {
            if began.elapsed() >= END_WITHIN {
                bail!("the server has not ended within {END_WITHIN:?} of SIGTERM");
            }
            if began.elapsed() >= nudge_at {
                nudge_at += NUDGE_EVERY;
                // A tool may defer the signal until the server makes a system call that can be interrupted,
                // such as that of a reply. Fails if the server does not listen any more, which is fine.
                let _ = TcpStream::connect(self.address).and_then(|mut nudge| nudge.write(b"\n"));
            }
            thread::sleep(END_CHECK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // The server before its tool, which would abandon it. Either may have ended already.
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn only_child(parent: Pid) -> Result<Pid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    children
        .trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .with_context(|| format!("{path} should list one child, not `{}`", children.trim()))
}
