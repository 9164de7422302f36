//! Tests of transports in memory, in simulated networks, and with lookups on threads, one file per topic. Kernel sockets are tested in the
//! conformance suite of the workspace.

#[path = "../../tests/support/never.rs"]
mod never;
#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

mod transports {
    mod client_service;
    mod datagrams;
    mod endpoints;
    mod happy_eyeballs;
    mod lifecycle_model;
    mod lookups;
    mod own_network;
    mod untrusted_text;
}
