//! Name servers: [`DnsServer`] answers over UDP, TCP and TLS by a [`Handler`].
//!
//! | handler | answers |
//! |---|---|
//! | a closure, [`answer_async`] | from code |
//! | [`Zones`] | zones, authoritatively; whole zones to other servers, if they are allowed |
//! | [`Overrides`] | fixed addresses, names that are blocked |
//! | [`Secondary`] | nothing: it receives zones from other servers into [`Zones`], and their notifications |
//! | [`Forward`] | by asking other servers, for clients that are allowed |
//! | [`Recursive`] | by asking the servers that are responsible, from the root on, for clients that are allowed |
//! | [`Chain`] | by the first of several that does not pass |
//!
//! Limits are in [`ServerConfig`], counters in [`ServerStats`].

mod acl;
mod config;
mod connection;
mod cookies;
mod dns_server;
mod edns;
mod encode;
mod engine;
mod forward;
mod handler;
mod head;
mod overrides;
mod query;
mod rate_limit;
mod recursive;
mod response;
mod response_code;
mod secondary;
mod signature;
mod stats;
mod transfer;
mod udp;
mod unix_time;
mod zones;

#[cfg(test)]
mod tests;

pub use acl::Acl;
pub use config::ServerConfig;
pub use connection::{DnsConnection, DnsProtocol};
pub use dns_server::{DnsListenError, DnsPorts, DnsServer};
pub use forward::Forward;
pub use handler::{Chain, Handled, Handler, answer_async};
pub use overrides::Overrides;
pub use query::{OwnedQuery, Query};
pub use recursive::Recursive;
pub use response::Response;
pub use secondary::{Secondary, SecondaryConfig, SecondaryError, SecondaryState, StoreError};
pub use stats::ServerStats;
pub use transfer::Changes;
pub use udp::DnsDatagrams;
pub use zones::{TransferAccess, Zones};
