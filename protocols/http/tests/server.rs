//! The server as a client sees it: whole connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
mod support;

mod server {
    mod answers;
    mod bodies;
    mod framing;
    mod lifecycle;
    mod pipelining;
    mod splits;
    mod streams;
    mod upgrades;
}
