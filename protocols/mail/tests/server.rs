//! The server as a client sees it: whole connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
mod support;

mod server {
    mod chunks;
    mod commands;
    mod deadlines;
    mod limits;
    mod lmtp;
    mod logins;
    mod messages;
    mod order;
    mod revoked;
    mod smuggling;
    mod splits;
    mod verdicts;
}
