//! The server of IMAP as a client sees it: whole connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod imap_server {
    mod ahead;
    mod appends;
    mod clients;
    #[cfg(feature = "compression")]
    mod compression;
    mod deadlines;
    mod fetches;
    mod limits;
    mod logins;
    mod mailboxes;
    mod order;
    mod pieces;
    mod quick;
    mod revoked;
    mod searches;
    mod sessions;
    #[cfg(feature = "tls")]
    mod starttls;
    mod support;
    mod texts;
}
