//! The CPU usage of a process, as counted by the kernel in `/proc`.

use std::fs;
use std::ops::Sub;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;

/// A process that has used no CPU for this long is idle.
const QUIET: Duration = Duration::from_millis(10);

/// How often a process that does not become idle is checked.
const CHECKS_MAX: usize = 200;

/// The sum over all threads of a process and of its children since they started, without threads that have ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Usage {
    /// Time on a CPU, user and system, in nanoseconds rather than the ticks of `stat`.
    pub(crate) cpu: Duration,
    /// Voluntary context switches: the process went to sleep.
    pub(crate) switches_voluntary: u64,
    /// Involuntary context switches: another process used its CPU, which distorts the figures.
    pub(crate) switches_forced: u64,
}

impl Usage {
    fn of(process: Pid) -> Result<Self> {
        let mut usage = Self::default();
        usage.add_process(&process.to_string())?;
        Ok(usage)
    }

    /// Adds a process, and those that it has started: the server may be one of them.
    fn add_process(&mut self, process: &str) -> Result<()> {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?.path();
            let time = fs::read_to_string(thread.join("schedstat"));
            let status = fs::read_to_string(thread.join("status"));
            // A thread may have ended meanwhile.
            if let (Ok(time), Ok(status)) = (time, status) {
                self.add(&time, &status)?;
            }
            let children = fs::read_to_string(thread.join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                // So may a child.
                let _ = self.add_process(child);
            }
        }
        Ok(())
    }

    /// The usage when the process has become idle, so that no work is left out.
    pub(crate) fn at_rest(process: Pid) -> Result<Self> {
        Self::settle(process).context("cannot read the server's CPU usage")
    }

    fn settle(process: Pid) -> Result<Self> {
        let mut usage = Self::of(process)?;
        for _ in 0..CHECKS_MAX {
            thread::sleep(QUIET);
            let before = std::mem::replace(&mut usage, Self::of(process)?);
            if usage == before {
                break;
            }
        }
        Ok(usage)
    }

    fn add(&mut self, time: &str, status: &str) -> Result<()> {
        let nanos = time.split_whitespace().next().and_then(|word| word.parse().ok());
        self.cpu += Duration::from_nanos(nanos.context("schedstat has no time")?);
        self.switches_voluntary += field(status, "voluntary_ctxt_switches")?;
        self.switches_forced += field(status, "nonvoluntary_ctxt_switches")?;
        Ok(())
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            switches_voluntary: self.switches_voluntary.saturating_sub(earlier.switches_voluntary),
            switches_forced: self.switches_forced.saturating_sub(earlier.switches_forced),
        }
    }
}

/// The number on the line `name: number` of a file in `/proc`.
pub(crate) fn field(text: &str, name: &str) -> Result<u64> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.split_whitespace().next())
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "Name:\techo\nnonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t12\nRss:  300 kB\n";
        let cases = [
            ("voluntary_ctxt_switches", Some(12)),
            ("nonvoluntary_ctxt_switches", Some(7)),
            ("Rss", Some(300)),
            ("Name", None),
            ("switches", None),
        ];
        for (name, expected) in cases {
            assert_eq!(field(text, name).ok(), expected, "{name}");
        }
    }

    #[test]
    fn the_usage_of_threads_is_summed() -> Result<()> {
        let status = "voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t1\n";
        let mut usage = Usage::default();
        usage.add("1500 20 3\n", status)?;
        usage.add("500 20 3\n", status)?;
        let expected =
            Usage { cpu: Duration::from_nanos(2000), switches_voluntary: 6, switches_forced: 2 };
        assert_eq!(usage, expected);
        Ok(())
    }
}
