//! The server of XMPP as clients see it: connections in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod xmpp_server {
    mod accounts;
    mod adversaries;
    mod archive;
    mod archive_clients;
    mod archive_stores;
    mod backlog;
    mod client_state;
    mod clients;
    mod hostile;
    #[cfg(unix)]
    mod killed;
    mod kit;
    mod leaks;
    mod logins;
    mod messages;
    mod presence;
    mod published;
    mod questions;
    mod revoked;
    #[cfg(feature = "tls")]
    mod secure;
    mod services;
    mod sessions;
    mod states;
    mod stopping;
    mod stores;
}
