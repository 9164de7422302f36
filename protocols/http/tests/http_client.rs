//! The client for URLs, with servers in a simulated network: its time and its randomness are the test's.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

mod http_client {
    mod basics;
    mod compression;
    mod cookies;
    mod logins;
    mod proxies;
    mod redirects;
    mod retries;
    #[cfg(feature = "tls")]
    mod secure;
    mod timeouts;
    mod world;
}
