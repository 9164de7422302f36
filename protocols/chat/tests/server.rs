//! The server as clients see it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod server {
    mod accounts;
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
