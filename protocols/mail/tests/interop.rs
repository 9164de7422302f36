//! The server and the client with other programs: swaks, msmtp, Python's smtplib and aiosmtpd, Postfix's smtp-source and smtp-sink,
//! Exim.
//! Skipped, aloud, where they are missing; `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

mod interop {
    mod clients;
    mod program;
    mod queue;
    mod servers;
}
