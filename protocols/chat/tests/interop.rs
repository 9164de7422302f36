//! The client and the server with other programs: irssi, WeeChat, ngIRCd, and the package `irc` of Python. Skipped, aloud, where they are
//! missing; `.ci/run` installs them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod interop {
    mod clients;
    mod observer;
    mod program;
    mod servers;
    #[cfg(feature = "websocket")]
    mod websockets;
}
