//! WebSockets at both ends: by themselves, with each other, and with other implementations.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod support;

mod websocket {
    mod autobahn;
    mod browser;
    mod client_messages;
    mod client_opening;
    mod compressed;
    pub(crate) mod ends;
    mod interop;
    mod parts;
    mod queue;
    pub(crate) mod server;
    mod simulation;
    mod splits;
    mod streams;
}

use websocket::{ends, server};
