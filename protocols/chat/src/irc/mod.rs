//! Internet Relay Chat (RFC 1459, RFC 2812, and the extensions of IRCv3): a pure [`codec`], a [`client`] and a [`server`].

pub mod client;
pub mod codec;
pub mod server;
