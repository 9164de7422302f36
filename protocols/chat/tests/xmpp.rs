//! The client of XMPP as a server sees it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/never.rs"]
mod never;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "xmpp_support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod xmpp_support;

mod xmpp {
    mod archive;
    mod attempts;
    mod hostile;
    mod login;
    mod meddling;
    mod questions;
    mod rooms;
    #[cfg(feature = "tls")]
    mod secure;
    mod sessions;
    mod stanzas;
    mod states;
    mod upload;
}
