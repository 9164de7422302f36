//! The load generator as a process: opened, let go, asked for its outcome.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::outcome::Outcome;

use crate::affinity::{Cpu, spawn_on};
use crate::built;
use crate::case::Case;
use crate::mode::Mode;
use crate::pipe::Lines;

/// For opening and warming up, and for the messages of a counted window: tools are slow.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where the load generator is.
#[derive(Debug)]
pub(crate) struct LoadBinary(PathBuf);

/// How much is sent in the window, and before it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Window {
    /// So many seconds, after a fifth of that to warm up.
    Timed { seconds: f64 },
    /// So many messages, and no warm-up.
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
                PATIENCE
                    + Duration::try_from_secs_f64(seconds).context("--seconds makes no sense")?
            }
            Window::Counted(messages) => {
                command.args(["--messages", &messages.to_string()]);
                PATIENCE
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
        let ready = load.lines.next(PATIENCE).context("the load did not get ready")?;
        ensure!(ready == "ready", "the load said `{ready}`, not `ready`");
        Ok(load)
    }
}

impl Load {
    /// Opens the gate, and returns what the window came to. The connections stay open.
    pub(crate) fn run(&mut self) -> Result<Outcome> {
        self.gate.write_all(b"go\n")?;
        let report = self.lines.next(self.report_within).context("the load gave no report")?;
        serde_json::from_str(&report).with_context(|| format!("the load said `{report}`"))
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
        // It may have ended by itself: no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
