//! The server of XMPP as clients see it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod xmpp_server {
    mod kit;
    mod services;
}
