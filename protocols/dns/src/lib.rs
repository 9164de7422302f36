//! DNS for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`codec`] is the wire format without I/O: messages are bounded before they are decoded, responses are compared with their queries.
//! - [`client`] is a stub resolver and a client: [`client::DnsResolver`] looks up addresses and other records, for connections to names
//!   as well.
//! - [`recursive`] is a recursive resolver, from the root of DNS on.
//! - [`server`] is name servers: answers from code, authoritative zones, forwarding, recursion.
//! - [`testing`] is a name server for tests.
//! - [`zone`] is zone files and zones in memory.
//!
//! # Examples
//!
//! ```
//! use sinew_dns::{client::{DnsConfig, DnsResolver}, testing::TestServer};
//! use sinew_transports::reactor::Reactor;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let server = TestServer::new().addr("www.example", [192, 0, 2, 7]);
//! let at = server.listen(&reactor, "127.0.0.1:0".parse()?)?;
//! let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([at]));
//! let found = reactor.run_until(resolver.addresses("www.example"))??;
//! assert_eq!(found[0].ip().to_string(), "192.0.2.7");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `idna` | names in other scripts than ASCII |
//! | `tls` | DNS over TLS |

#![forbid(unsafe_code)]

pub mod client;
pub mod codec;
mod counter;
mod random;
pub mod recursive;
pub mod server;
pub mod testing;
pub mod zone;

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
