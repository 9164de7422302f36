//! The Network News Transfer Protocol (RFC 3977): a pure [`codec`], a [`server`] and a [`client`].
//!
//! | RFC | what of it |
//! |---|---|
//! | 3977 | all commands |
//! | 4642 | STARTTLS |
//! | 4643 | AUTHINFO USER and PASS, AUTHINFO SASL by `sinew-auth` |
//! | 4644 | MODE STREAM, CHECK, TAKETHIS |
//! | 5536, 5537 | heads of articles; what an injecting and a relaying server does with them |
//! | 6048 | LIST COUNTS |
//! | 8054 | COMPRESS DEFLATE, with the feature `compression` |
//!
//! Control messages (`newgroup`, `cancel`) are stored as other articles are, not carried out.

pub mod client;
pub mod codec;
#[cfg(feature = "compression")]
mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_missing.rs"]
mod compression;
pub mod server;
mod stream;
