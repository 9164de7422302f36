//! IMAP4 (RFC 9051, RFC 3501): a pure [`codec`] and a [`client`].

pub mod client;
pub mod codec;
