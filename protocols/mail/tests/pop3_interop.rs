//! POP3 with other programs: Python's poplib, curl, fetchmail and mpop as clients of our server, Dovecot as a server of our client.
//! Skipped, aloud, where they are missing; `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "pop3_support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod pop3_support;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

mod pop3_interop {
    mod clients;
    mod dovecot;
    mod folder;
}
