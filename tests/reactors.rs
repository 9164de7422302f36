//! Several reactors that serve the same ports (`transports::reactors`): how connections are distributed and moved, messages
//! and calls between reactors, their failures and their end. Over loopback, with real threads. Nothing sleeps: every wait is
//! for a byte, an answer or the end of a thread.

#[path = "support/certs.rs"]
#[cfg(feature = "tls")]
#[allow(dead_code, reason = "other tests use the rest")]
mod certs;
#[path = "support/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
#[path = "support/watchdog.rs"]
mod watchdog;

mod reactors {
    mod calling;
    mod ending;
    mod failing;
    mod kit;
    mod messages;
    mod moving;
    mod ports;
    mod refusing;
    #[cfg(feature = "tls")]
    mod secured;
    mod warning;
}
