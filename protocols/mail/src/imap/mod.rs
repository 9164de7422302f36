//! IMAP4 (RFC 9051, RFC 3501): a pure [`codec`], what can be told of a [`message`], a [`server`] and a [`client`].

pub mod client;
pub mod codec;
pub mod message;
mod search;
pub mod server;
