//! IMAP4 (RFC 9051, RFC 3501): a pure [`codec`], what can be told of a [`message`], and a [`server`].

pub mod codec;
pub mod message;
mod search;
pub mod server;
