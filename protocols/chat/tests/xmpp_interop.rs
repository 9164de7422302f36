//! The client, the component and the rooms of XMPP with Prosody and ejabberd, which run from temporary folders with configurations of their
//! own. Skipped, aloud, where they are missing; `.ci/run` installs Prosody, and `.ci/peers` has ejabberd.

#![cfg(all(unix, feature = "tls"))]

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod xmpp_interop {
    mod archive;
    mod component;
    mod ejabberd;
    mod prosody;
    mod rooms;
    mod talk;
    mod upload;
}
