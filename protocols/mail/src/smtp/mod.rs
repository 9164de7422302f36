//! The Simple Mail Transfer Protocol (RFC 5321) and LMTP (RFC 2033): a pure [`codec`], a [`server`] and a [`client`].
//!
//! | RFC | what of it |
//! |---|---|
//! | 5321 | commands, replies, addresses, limits; lines end in CRLF only |
//! | 1870, 2920, 6152, 2034, 3030 | SIZE, PIPELINING, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING (without BINARYMIME) |
//! | 6531, 3461 | SMTPUTF8; the parameters of DSN |
//! | 4954 | AUTH, by `sinew-auth` |
//! | 3207, 8314 | STARTTLS, and TLS from the start |
//! | 2033 | LMTP |
//! | 7505 | null MX |
//!
//! DANE (RFC 7672) and MTA-STS (RFC 8461) are not there: a client that must not be led to plaintext is told so, with
//! [`client::Security::Required`].

pub mod client;
pub mod codec;
pub mod server;
