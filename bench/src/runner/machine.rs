//! The machine, the versions and the date of a run.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::affinity::Places;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// The commit of the product; with a plus if there were uncommitted changes.
    pub(crate) commit: String,
    /// Year, month, day; UTC.
    pub(crate) date: String,
    pub(crate) server_on: String,
    pub(crate) load_on: String,
}

impl Machine {
    pub(crate) fn here(places: Places) -> Self {
        let place = |cpu: Option<_>| cpu.map_or("any CPU".to_owned(), |cpu| format!("CPU {cpu}"));
        let changed = !output_of("git", &["status", "--porcelain", "-uno"]).is_empty();
        let commit = output_of("git", &["rev-parse", "--short=10", "HEAD"]);
        Self {
            cpu: cpu_model(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease"),
            rustc: output_of("rustc", &["--version"]),
            commit: if changed { format!("{commit}+") } else { commit },
            date: output_of("date", &["--utc", "+%Y-%m-%d"]),
            server_on: place(places.server),
            load_on: place(places.load),
        }
    }

    /// All of it, on one line.
    pub(crate) fn line(&self) -> String {
        let Self { cpu, cpus, kernel, rustc, commit, date, server_on, load_on } = self;
        format!(
            "{date}; commit {commit}; {cpu}, {cpus} CPUs, Linux {kernel}; {rustc}; \
             server on {server_on}, load on {load_on}"
        )
    }
}

pub(crate) fn cpu_model() -> String {
    let cpus = read("/proc/cpuinfo");
    cpus.lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| rest.trim_start_matches([' ', '\t', ':']))
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The output of a command; empty if it cannot be run, since reports work without it.
pub(crate) fn output_of(command: &str, words: &[&str]) -> String {
    let output = Command::new(command).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}
