//! Streams, listeners, datagrams and frames for tasks: on every engine over every kind of connection, in memory step by step, and in
//! the simulated network. And tasks with the channels, locks and combinators of other crates.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/certs.rs"]
mod certs;
#[path = "support/watchdog.rs"]
mod watchdog;

mod async_io {
    mod cancelling;
    mod datagrams;
    mod foreign_futures;
    mod frames;
    mod handing;
    mod kinds;
    mod limits;
    mod listening;
    mod simulated;
    mod starting_tls;
    mod steps;
    mod streams;
}
