//! Twelve servers x the scenarios of CPython's `Lib/test/test_socketserver.py`, and those that it lacks.
//!
//! Each case serves in a process of its own, which has no other thread unless it asks for one: so servers that fork can be
//! tested, and each process tells at its end whether it has any thread, child or descriptor left. This binary is both sides;
//! it is a plain `main`, since the usual harness runs tests in threads. Nothing here waits by sleeping.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

#[cfg(unix)]
mod servers {
    pub(super) mod client;
    pub(super) mod forks;
    pub(super) mod gate;
    pub(super) mod harness;
    pub(super) mod process;
    pub(super) mod scenarios;
    pub(super) mod served;
    pub(super) mod stopping;
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use servers::{harness, process, served};
    if std::env::var_os(process::SPEC).is_some() {
        served::main();
        return std::process::ExitCode::SUCCESS;
    }
    harness::run(servers::scenarios::SCENARIOS)
}

/// What needs no process of its own is in the documentation's examples, which run everywhere.
#[cfg(not(unix))]
fn main() {}
