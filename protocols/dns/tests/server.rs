//! Servers in a simulated network: connections, transfers, secondary zones, forwarding.

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
#[path = "server/transfers.rs"]
mod transfers;
