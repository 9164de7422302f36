//! POP3: the server as a client sees it, and the client with servers, ours and scripts that misbehave. All in memory, on a virtual clock.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "pop3_support/mod.rs"]
mod pop3_support;

mod pop3 {
    mod ahead;
    mod client;
    mod commands;
    mod deadlines;
    mod deletes;
    mod fetching;
    mod logins;
    mod order;
    mod revoked;
    mod scripted;
    #[cfg(feature = "tls")]
    mod secure;
    mod stored;
    mod transfers;
}
