//! The server of IMAP with other programs: Python's imaplib, curl, mbsync, fetchmail, mutt; and beside Dovecot, with the same commands.
//! Skipped, aloud, where they are missing; `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod imap_server {
    #[allow(dead_code, reason = "each test binary uses a part of this")]
    pub(crate) mod support;
}

mod interop {
    #[allow(dead_code, reason = "each test binary uses a part of this")]
    pub(crate) mod program;
}

mod imap_interop {
    mod clients;
    mod dovecot;
    mod folder;
}
