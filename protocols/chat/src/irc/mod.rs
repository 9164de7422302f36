//! Internet Relay Chat (RFC 1459, RFC 2812, and the extensions of IRCv3): a pure [`codec`] and a [`client`].

pub mod client;
pub mod codec;
