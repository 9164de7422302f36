//! The Post Office Protocol, version 3 (RFC 1939): a pure [`codec`], a [`server`] and a [`client`].
//!
//! | RFC | what of it |
//! |---|---|
//! | 1939 | all commands, with the optional TOP, UIDL, USER, PASS; APOP where it is switched on |
//! | 2449 | CAPA, RESP-CODES, PIPELINING, LOGIN-DELAY as a response code |
//! | 2595 | STLS; TLS from the start is a matter of the endpoint |
//! | 3206 | AUTH-RESP-CODE: `[AUTH]`, `[SYS/TEMP]`, `[SYS/PERM]` |
//! | 5034 | AUTH, by `sinew-auth` |
//! | 6856 | UTF8 with USER; messages are sent as they are stored, in either mode, and LANG is not there |
//! | 1460 | LAST, which later versions do not have |

pub mod client;
pub mod codec;
pub mod server;
