//! The client as a server sees it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/never.rs"]
mod never;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
mod support;

mod client {
    mod attempts;
    mod commands;
    mod dcc;
    mod ends;
    mod events;
    mod hostile;
    mod limits;
    mod logins;
    mod reentrant;
    mod registration;
    mod states;
}
