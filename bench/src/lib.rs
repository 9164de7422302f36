//! Code shared by the runner, the load generator and the servers. Not a library for others.

pub mod convention;
pub mod descriptors;
pub mod dns;
pub mod engine;
pub mod http;
pub mod mail;
pub mod other;
pub mod outcome;
pub mod timings;
pub mod tls;
pub mod websocket;
