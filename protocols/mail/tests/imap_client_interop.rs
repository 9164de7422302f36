//! The client of IMAP with Dovecot, which runs in a folder of its own, on a Unix socket. Skipped, aloud, where it is missing; `.ci/run`
//! installs it.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

mod imap_client_interop {
    mod dovecot;
    mod ours;
    mod session;
}
