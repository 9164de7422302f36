//! The client of IMAP with servers in memory that follow a script, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod imap_client {
    mod commands;
    #[cfg(feature = "compression")]
    mod compressed;
    mod events;
    mod failures;
    mod opening;
    mod script;
    #[cfg(feature = "tls")]
    mod secure;
    mod streams;
    mod syncs;
}
