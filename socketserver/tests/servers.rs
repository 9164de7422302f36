//! Twelve servers × the scenarios of CPython's `Lib/test/test_socketserver.py`, and additional ones.
//!
//! Each case serves in a process of its own, which has no other thread unless it starts one: so forking servers can be
//! tested, and each process reports at its end whether any thread, child or descriptor is left. This binary is both sides;
//! it has a plain `main`, since the usual harness runs tests in threads. Nothing here waits by sleeping.
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

/// Tests that need no process of their own are in the documentation's examples, which run everywhere.
#[cfg(not(unix))]
fn main() {}
