//! The server as a client sees it: whole connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "each test binary uses a part of this")]
#[path = "support/mod.rs"]
mod support;

mod server {
    mod articles;
    #[cfg(feature = "compression")]
    mod compression;
    mod deadlines;
    mod feeding;
    mod lists;
    mod logins;
    mod order;
    mod posting;
    mod revoked;
    mod splits;
}
