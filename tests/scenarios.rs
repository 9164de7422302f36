//! Deterministic simulation with fault injection, swept over seeds: servers and clients on a simulated, failing
//! network. After every event: the callback contract of every protocol, data integrity, and resource limits; at the
//! end: no leaks.
//!
//! `.ci/sweep 10000` is the nightly sweep. `SINEW_SEED=n cargo test --test scenarios <name>` reproduces a run.

use std::{ops::Range, time::Duration};

#[path = "support/certs.rs"]
#[allow(dead_code, reason = "the tests of TLS use the rest")]
mod certs;
#[path = "../examples/chat_server/main.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod chat_server;
#[path = "../examples/portforward.rs"]
#[allow(dead_code, reason = "its main is not called")]
#[allow(clippy::duplicate_mod, reason = "each example brings its command line along")]
mod portforward;
#[path = "support/watchdog.rs"]
mod watchdog;

mod scenarios {
    mod accepting;
    mod answering;
    mod chat;
    mod datagrams;
    mod downloading;
    mod draining;
    #[cfg(feature = "http")]
    mod fetching;
    mod fixture;
    mod forwarding;
    mod handshaking;
    #[cfg(feature = "http")]
    mod messaging;
    mod panicking;
    mod parties;
    mod reconnecting;
    mod regressions;
    #[cfg(feature = "dns")]
    mod resolving;
    #[cfg(feature = "http")]
    mod serving;
    mod talking;
    mod timing;
    mod watch;
    mod watched;
}

/// The seeds of each scenario: those of `SINEW_SEEDS`, or a few.
fn seeds() -> Range<u64> {
    sinew::testing::seeds(0..if cfg!(debug_assertions) { 2 } else { 100 })
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
