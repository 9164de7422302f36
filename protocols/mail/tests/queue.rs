//! A queue between a program and the next host, in a simulated network: retries, reports, limits, and what is done by hand.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod support;

mod queue {
    mod by_hand;
    mod deliveries;
    mod limits;
    mod reports;
    mod tarpits;
    mod tls;
    mod world;
}
