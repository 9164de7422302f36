//! The client and the component of XMPP with Prosody, which runs from a temporary folder with a configuration of its own. Skipped, aloud, where it is
//! missing; `.ci/run` installs it.

#![cfg(all(unix, feature = "tls"))]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod xmpp_interop {
    mod component;
    mod prosody;
    mod rooms;
}
