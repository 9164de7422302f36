//! Tests of the public API: exchanges of both ends, hostile messages, limits in virtual time, checkers, other implementations.

mod auth {
    mod at_once;
    mod exchanges;
    #[cfg(feature = "password-file")]
    mod folder;
    mod hostile;
    mod interop;
    mod limits;
    mod login_log;
    #[cfg(feature = "password-file")]
    mod password_file;
    #[cfg(unix)]
    mod program;
    mod support;
    #[cfg(feature = "tls")]
    mod tls;
}

#[path = "../../../tests/support/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;
