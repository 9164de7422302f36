//! The client beyond lookups: transfers, updates, notifications, services by their SRV records, DNS over TLS.

#[path = "support/mod.rs"]
mod support;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "client/services.rs"]
mod services;
#[cfg(feature = "tls")]
#[path = "client/tls.rs"]
mod tls;
#[path = "client/transfers.rs"]
mod transfers;
#[path = "client/updates.rs"]
mod updates;
