//! The load generator as a process: started, released, and its outcome read.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::convention::JOINED_WITHIN;
use bench::outcome::Outcome;

use crate::affinity::{Cpu, spawn_on};
use crate::built;
use crate::case::Case;
use crate::mode::Mode;
use crate::pipe::Lines;

/// The time for opening and warming up, and for the messages of a counted window: tools are slow.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// The path of the load generator.
#[derive(Debug)]
pub(crate) struct LoadBinary(PathBuf);

/// How much is sent in the window, and before it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Window {
    /// For this long, after a fifth of that to warm up.
    Timed { seconds: f64 },
    /// This many messages, without warm-up.
    Counted(u64),
}

/// A load whose connections are open; killed when dropped.
#[derive(Debug)]
pub(crate) struct Load {
    child: Child,
    gate: ChildStdin,
    lines: Lines,
    report_within: Duration,
}

impl LoadBinary {
    pub(crate) fn beside_this_one() -> Result<Self> {
        built::beside_this_one("load", &["--bins"]).map(Self)
    }

    /// Starts the load, and returns when its connections are open and warm.
    pub(crate) fn open(
        &self,
        server: SocketAddr,
        case: &Case,
        window: Window,
        cpu: Option<Cpu>,
    ) -> Result<Load> {
        let mut command = Command::new(&self.0);
        command
            .args([case.mode.kind_of_load(), "--gated"])
            .args(["--connect", &server.to_string()])
            .args(["--connections", &case.connections.to_string()])
            .args(["--size", &case.size.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.args(["--outstanding", &case.outstanding.to_string()]);
        command.args(["--active", &case.active.to_string()]);
        if case.mode == Mode::Scale {
            command.arg("--until-closed");
        }
        let report_within = match window {
            Window::Timed { seconds } => {
                command.args(["--seconds", &seconds.to_string()]);
                command.args(["--warmup", &(seconds / 5.0).to_string()]);
                LOAD_TIMEOUT
                    + Duration::try_from_secs_f64(seconds)
                        .context("--seconds is not a valid duration")?
            }
            Window::Counted(messages) => {
                command.args(["--messages", &messages.to_string()]);
                LOAD_TIMEOUT
            }
        };
        let mut child = spawn_on(cpu, &mut command)?;
        let (gate, output) = (child.stdin.take(), child.stdout.take());
        let mut load = Load {
            child,
            gate: gate.context("the load has no input")?,
            lines: Lines::new(output.context("the load has no output")?),
            report_within,
        };
        let open_within = match case.mode {
            // The load says itself how many have joined if it takes longer.
            Mode::Irc | Mode::IrcIdle => LOAD_TIMEOUT + JOINED_WITHIN,
            _ => LOAD_TIMEOUT,
        };
        let ready = load.lines.next(open_within).context("the load did not become ready")?;
        ensure!(ready == "ready", "the load printed `{ready}`, not `ready`");
        Ok(load)
    }
}

impl Load {
    /// Opens the gate, and returns the outcome of the window. The connections stay open.
    pub(crate) fn run(&mut self) -> Result<Outcome> {
        self.gate.write_all(b"go\n")?;
        let report = self.lines.next(self.report_within).context("the load printed no report")?;
        serde_json::from_str(&report).with_context(|| format!("the load printed `{report}`"))
    }

    /// Waits until the server has closed all connections (scale).
    pub(crate) fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "the load failed: {status}");
        Ok(())
    }

    /// Closes the connections.
    pub(crate) fn close(mut self) -> Result<()> {
        self.gate.write_all(b"end\n")?;
        self.wait()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Fails if it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
