//! The client as a server sees it: whole conversations in memory, with a clock that the test moves.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod client {
    mod connection;
    mod pool;
    mod responses;
    mod server;
    mod splits;
    mod upgrades;
}
