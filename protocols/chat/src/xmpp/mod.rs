//! XMPP (RFC 6120, RFC 6121, RFC 7590, RFC 7622): a pure [`codec`] and a [`client`].

pub mod client;
pub mod codec;
