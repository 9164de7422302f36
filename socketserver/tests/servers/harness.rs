//! A minimal test harness: runs the table of scenarios, and prints the usual report. Supports filters and `--list`.

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use super::process::{SERVERS, ServerName};
use crate::watchdog::Watchdog;

/// A scenario: its name, the servers that it applies to, and its code.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) applies: fn(&ServerName) -> bool,
    pub(crate) run: fn(&ServerName),
}

pub(crate) fn run(scenarios: &[Scenario]) -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let is_list = args.iter().any(|arg| arg == "--list");
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let mut cases = Vec::new();
    for scenario in scenarios {
        for server in SERVERS.iter().filter(|server| (scenario.applies)(server)) {
            let name = format!("{}::{}", scenario.name, server.name);
            if filters.is_empty() || filters.iter().any(|filter| name.contains(*filter)) {
                cases.push((name, scenario, server));
            }
        }
    }
    if is_list {
        cases.iter().for_each(|(name, ..)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", cases.len());
    let mut failed = Vec::new();
    for (name, scenario, server) in &cases {
        let _watchdog = Watchdog::new(name);
        let ended = panic::catch_unwind(AssertUnwindSafe(|| (scenario.run)(server)));
        println!("test {name} ... {}", if ended.is_ok() { "ok" } else { "FAILED" });
        if ended.is_err() {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        println!("\nfailures:");
        failed.iter().for_each(|name| println!("    {name}"));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        cases.len() - failed.len(),
        failed.len(),
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}
