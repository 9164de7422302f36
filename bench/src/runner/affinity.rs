//! CPU affinity: one CPU for the server, one for the load.

use std::fmt;
use std::io;
use std::process::{Child, Command};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The number of a CPU, as used by the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cpu(usize);

/// The CPUs of the server and the load; `None` if there is only one CPU, and nothing is pinned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) server: Option<Cpu>,
    pub(crate) load: Option<Cpu>,
}

/// The CPUs that this process may use.
pub(crate) fn allowed() -> Result<Vec<Cpu>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(Cpu).collect())
}

impl Places {
    /// The given CPUs, by default the first and the last that this process may use.
    pub(crate) fn choose(server: Option<Cpu>, load: Option<Cpu>) -> Result<Self> {
        let allowed = allowed()?;
        for cpu in [server, load].into_iter().flatten() {
            ensure!(allowed.contains(&cpu), "CPU {cpu} may not be used");
        }
        if allowed.len() < 2 {
            eprintln!("only one CPU: server and load share it, so the figures mean little");
            return Ok(Self { server: None, load: None });
        }
        let places = Self {
            server: server.or(allowed.first().copied()),
            load: load.or(allowed.last().copied()),
        };
        ensure!(places.server != places.load, "server and load need different CPUs");
        Ok(places)
    }
}

/// Starts a process that runs on this CPU alone. It inherits the affinity of the calling thread, whose own is restored
/// afterwards.
pub(crate) fn spawn_on(cpu: Option<Cpu>, command: &mut Command) -> Result<Child> {
    let Some(Cpu(cpu)) = cpu else {
        return Ok(command.spawn()?);
    };
    let own = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).with_context(|| format!("cannot use CPU {cpu}"))?;
    let child: io::Result<Child> = command.spawn();
    sched_setaffinity(None, &own)?;
    Ok(child?)
}

impl FromStr for Cpu {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(cpu) if cpu < CpuSet::MAX_CPU => Ok(Self(cpu)),
            _ => Err(format!("not the number of a CPU (it must be below {})", CpuSet::MAX_CPU)),
        }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
