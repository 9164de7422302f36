//! IMAP4rev1 (RFC 3501), with extensions and what IMAP4rev2 (RFC 9051) has in common with it.
//!
//! [`message`] reads what IMAP tells of a message.

pub mod message;
