//! DNS for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`codec`] is the wire format without I/O: messages are bounded before they are decoded, responses are compared with their queries.
//! - [`client`] is a stub resolver and a client: [`client::DnsResolver`] looks up addresses and other records, for connections to names
//!   as well.
//! - [`server`] is name servers: answers from code, authoritative zones, forwarding.
//! - [`testing`] is a name server for tests.
//! - [`zone`] is zone files and zones in memory.

#![forbid(unsafe_code)]

pub mod client;
pub mod codec;
mod random;
pub mod server;
pub mod testing;
pub mod zone;

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
