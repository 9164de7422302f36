//! The client with servers in memory, on a virtual clock: ours, and scripts that misbehave.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "each test binary uses a part of this")]
#[path = "support/mod.rs"]
mod support;

mod client {
    #[cfg(feature = "compression")]
    mod compression;
    mod feeds;
    mod play;
    mod scripted;
    #[cfg(feature = "tls")]
    mod secure;
    mod sessions;
}
