//! Tests of the public API: exchanges of both ends, hostile messages, limits in virtual time, checkers, other implementations.

mod auth {
    mod checkers;
    mod exchanges;
    mod folder;
    mod hostile;
    mod interop;
    mod limits;
    mod password_file;
    mod support;
    #[cfg(feature = "tls")]
    mod tls;
}

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;
