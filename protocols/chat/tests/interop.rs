//! The client and the server with other programs: irssi, WeeChat, ngIRCd, InspIRCd, and the package `irc` of Python. Skipped, aloud,
//! where they are missing; `.ci/run` and `.ci/peers` install them.

#![cfg(unix)]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod interop {
    mod clients;
    mod dcc;
    mod observer;
    mod program;
    mod servers;
    #[cfg(feature = "websocket")]
    mod websockets;
}
