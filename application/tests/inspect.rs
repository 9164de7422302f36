//! A look inside as its clients see it: over a Unix socket and TCP, with requests written by hand.
#![cfg(all(unix, feature = "http"))]

#[path = "../../tests/support/watchdog.rs"]
#[allow(unreachable_pub, reason = "other test binaries include it, too")]
mod watchdog;

mod inspect {
    mod actions;
    mod browser;
    mod client;
    mod pages;
    mod refusals;
    mod schema;
    mod shards;
    mod states;
    mod tracing;
}
