//! A server of XMPP for one domain: [`XmppServer`] is a factory for any port, [`ServerConfig`] its rules and limits.
//!
//! | what | |
//! |---|---|
//! | streams | RFC 6120: STARTTLS or TLS from the start, SASL by `sinew-auth`, resources, XEP-0478 limits |
//! | sessions | stream management with resumption (XEP-0198), carbons (XEP-0280), pings (XEP-0199), the state of clients (XEP-0352) |
//! | RFC 6121 | the roster with versions, subscriptions, presence, messages with priorities |
//! | messages for later | stored with a stamp (XEP-0160, XEP-0203), bounded |
//! | an [`archive`] of messages | XEP-0313 with pages of XEP-0059 and ids of XEP-0359; off by default |
//! | accounts | vCards (XEP-0054), private data (XEP-0049), blocked addresses (XEP-0191), published items (XEP-0163) |
//! | the domain | service discovery (XEP-0030), the version (XEP-0092) |
//! | more domains | a [`Service`] has its own: [`rooms`] (XEP-0045), slots for an [`upload`] (XEP-0363), [`components`] (XEP-0114), others |
//!
//! Left out: connections between servers, so that addresses of other domains are answered with `remote-server-not-found`; archives of
//! rooms (XEP-0313); registration of accounts by clients.

mod account;
mod account_queries;
pub mod archive;
mod archive_queries;
mod archive_routes;
mod archive_work;
mod backlog;
mod blocking;
mod bounce;
mod carbons;
pub mod components;
mod config;
mod connection;
mod domain;
mod held_back;
mod inbound;
mod loading;
mod message_routes;
mod negotiation;
mod pep;
mod pep_queries;
mod presence_routes;
mod questions;
mod report;
pub mod rooms;
mod roster_queries;
mod router;
mod server_queries;
mod service;
mod session;
mod session_life;
mod store;
mod subscription;
mod subscription_routes;
#[cfg(feature = "tls")]
mod tls;
pub mod upload;
mod xmpp_server;

pub use {
    config::ServerConfig,
    connection::XmppServerConnection,
    report::ServerReport,
    router::Router,
    service::Service,
    store::{AccountData, FolderStore, MemoryStore, Store, StoreError},
    xmpp_server::XmppServer,
};
