//! The server as clients see it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/log.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod log;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod server {
    mod accounts;
    mod capabilities;
    mod channels;
    mod files;
    mod floods;
    mod hidden;
    mod hostile;
    mod ircv3;
    mod messages;
    mod modes;
    mod network;
    mod operators;
    mod queries;
    mod registration;
    mod revoked;
    mod states;
    #[cfg(feature = "websocket")]
    mod websocket;
}
