//! Timers: a process that times itself, on the server's CPU.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::timings::Timings;

use crate::affinity::spawn_on;
use crate::case::Case;
use crate::contestant::Contestant;
use crate::field::Setup;
use crate::figure::{CANCEL, FIRE, MAKE, RESET};
use crate::pipe::Lines;
use crate::results::Sample;

/// The time for the whole run; a million timers take a second or two.
const RUN_TIMEOUT: Duration = Duration::from_secs(120);

/// One run of one implementation.
pub(crate) fn measure(setup: &Setup, case: &Case, contestant: &Contestant) -> Result<Sample> {
    let mut command = Command::new(&contestant.command[0]);
    command
        .args(&contestant.command[1..])
        .args(["--count", &case.connections.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = spawn_on(setup.places.server, &mut command)?;
    let line = Lines::new(child.stdout.take().context("no output")?).next(RUN_TIMEOUT);
    if line.is_err() {
        // Fails if it has ended already, which is fine.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let line = line.context("it printed nothing")?;
    ensure!(status.success(), "it failed: {status}");
    let timings: Timings =
        serde_json::from_str(&line).with_context(|| format!("it printed `{line}`"))?;
    let Timings { make_ns, reset_ns, cancel_ns, fire_ns } = timings;
    Ok(Sample::of([(MAKE, make_ns), (RESET, reset_ns), (CANCEL, cancel_ns), (FIRE, fire_ns)]))
}
