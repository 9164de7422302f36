//! XMPP (RFC 6120, RFC 6121, RFC 7590, RFC 7622): a pure [`codec`], a [`client`], a [`server`] of one domain, and a [`component`] of a
//! server.

pub mod client;
pub mod codec;
pub mod component;
mod copies;
mod iq_request;
mod output;
pub mod server;
mod stream_management;
