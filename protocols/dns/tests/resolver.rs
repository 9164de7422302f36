//! The stub resolver in a simulated network: which server is asked when, what is believed, what is cached.

#[path = "support/mod.rs"]
mod support;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "resolver/addresses.rs"]
mod addresses;
#[path = "resolver/caching.rs"]
mod caching;
#[path = "resolver/files.rs"]
mod files;
#[path = "resolver/forged.rs"]
mod forged;
#[path = "resolver/runs.rs"]
mod runs;
#[path = "resolver/servers.rs"]
mod servers;
#[path = "resolver/tcp.rs"]
mod tcp;
