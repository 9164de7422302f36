//! Servers in a simulated network: connections, transfers, secondary zones, forwarding, DNS over TLS.

#[path = "support/mod.rs"]
mod support;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "server/connections.rs"]
mod connections;
#[path = "server/forwarding.rs"]
mod forwarding;
#[path = "server/secondaries.rs"]
mod secondaries;
#[path = "server/serving.rs"]
mod serving;
#[cfg(feature = "tls")]
#[path = "server/tls.rs"]
mod tls;
#[path = "server/transfers.rs"]
mod transfers;
