//! The server of IMAP with other programs: Python's imaplib, curl, mbsync, fetchmail, mutt; and beside Dovecot, with the same commands.
//! Skipped, aloud, where they are missing; `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "imap_server/support.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

mod imap_interop {
    mod clients;
    mod dovecot;
    mod folder;
}
