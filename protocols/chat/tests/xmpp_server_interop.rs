//! The server of XMPP with the package `slixmpp` of Python. Skipped, aloud, where it is missing; `.ci/peers` installs it.

#![cfg(all(unix, feature = "tls"))]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "interop/program.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod program;

mod xmpp_server_interop {
    mod archive;
    mod services;
    mod slixmpp;
}
