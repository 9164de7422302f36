//! The server as a client sees it: whole conversations in memory, with a clock that the test moves.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
mod support;

mod server {
    mod answers;
    mod bodies;
    mod life;
    mod pipelining;
    mod splits;
    mod streams;
    mod upgrades;
}
