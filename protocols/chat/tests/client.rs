//! The client as a server sees it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
mod support;

mod client {
    mod commands;
    mod ends;
    mod events;
    mod limits;
    mod logins;
    mod registration;
    mod states;
}
