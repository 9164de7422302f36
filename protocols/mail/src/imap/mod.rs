//! IMAP4 (RFC 9051, RFC 3501): a pure [`codec`].

pub mod codec;
