//! A recursive resolver: [`RecursiveResolver`] answers questions from the root of DNS on. [`server::Recursive`](crate::server::Recursive)
//! is a name server of it.
//!
//! # How a question goes on
//!
//! It begins at the lowest zone on the way to the name whose servers are known, or else at the root (RFC 1034, section 5.3.3):
//!
//! | state | event | next |
//! |---|---|---|
//! | **asking the servers of a zone** for the name, or for the next part of it | a server names servers of a zone below, at or above the name | the servers of that zone; they are remembered |
//! | | a server says what is at a part of the name, or that there is nothing | the same zone, the next part of the name |
//! | | "no such name", or an error, for a part of the name; no server answers the part | the same zone, the whole name |
//! | | a server says what is at the name | the answer; an alias is a new question of the same work |
//! | | a server is silent, or answers wrongly | the next server, in the order of `upstreams.rs` |
//! | | no server with a known address is left | **looking up a server** |
//! | | nor one without | each server that was silent once more, not for a part of the name |
//! | | none at all | if the zone was remembered, and its servers are not only busy, its parent is asked for its servers again; else [`RecursiveError::Failed`] |
//! | **looking up a server** that the delegation tells no address of | it has addresses | asking them |
//! | | it has none, it waits for this question itself (a loop), or a bound is reached | the next server |
//! | any | the bounds of the question are reached | [`RecursiveError::TooManyQueries`], [`RecursiveError::TimedOut`] |
//!
//! The root servers of the hints are asked who the root servers are now, beside the first question (RFC 8109).
//!
//! # What it believes
//!
//! Only an authoritative response to exactly the question that was asked, and of that only what is about the name and in the zone that the
//! server was asked for. The table is at the head of `response.rs`. Delegations lead to servers and are never part of an answer; records
//! beside the question, of zones beside or above, and addresses of servers outside the zone are ignored. An alias and what it leads to are
//! separate questions. No zone outlives what the zone above has said of it.
//!
//! # What bounds it
//!
//! [`RecursiveConfig`] has every limit: queries and time of a question, servers that are looked up for a zone (NXNSAttack), depth and
//! aliases, different questions at once, queries to one server at once, answers, delegations and servers that are remembered. A question
//! that has failed fails again for a few seconds without a query (RFC 9520).
//!
//! # What it does not do
//!
//! It does not validate by DNSSEC, and never says that an answer is authentic (AD). With DO it passes signatures and proofs on to those who
//! validate themselves. hickory-proto (0.26, feature `dnssec-ring`) verifies the signature of one record set without a runtime, and no more.
//! The chain of trust from the keys of the root, the proofs that names, types and delegations are absent (NSEC, NSEC3), and the bounds
//! on colliding keys and signatures (KeyTrap, CVE-2023-50387) are in the validator of hickory-net. That one asks by itself, through a
//! handle that must be `Send` and `Sync` and name a runtime, which a resolver of one reactor cannot be. Half a validator is worse than
//! none: who needs validated answers lets a validator, such as unbound, ask this server.

mod chain;
mod config;
mod delegation;
mod error;
mod exchanged;
mod exchanges;
mod facts;
mod hints;
mod inner;
mod minimise;
mod resolved;
mod resolver;
mod response;
mod upstreams;
mod work;
mod zone_servers;

pub use config::RecursiveConfig;
pub use error::RecursiveError;
pub use hints::{HintsError, RootHints};
pub use resolved::Resolved;
pub use resolver::{RecursiveResolver, RecursiveStats};
