//! The client with servers in memory, on a virtual clock: ours, and scripts that misbehave.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

mod client {
    mod deliveries;
    #[cfg(feature = "dns")]
    mod exchangers;
    mod failures;
    mod logins;
    mod script;
    mod scripted;
    #[cfg(feature = "tls")]
    mod secure;
    mod streams;
}
