//! Proxies between clients and backends, all in memory on one simulated reactor.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod support;

mod proxy {
    mod backend;
    mod bodies;
    mod choosing;
    mod failing;
    mod forward;
    mod passing;
    mod smuggling;
    mod tunnels;
}
