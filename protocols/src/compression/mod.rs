//! Compressed data, both ways and piece by piece: [`Inflate`] with a budget that holds while it inflates, and [`Deflate`]. Pure: neither
//! knows a transport. The feature `compression`.

mod deflate;
mod inflate;
#[cfg(test)]
mod tests;

pub use deflate::{Deflate, Flush};
pub use inflate::{Inflate, InflateError, Inflated};

/// How compressed data are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// With a header and a checksum (RFC 1952): `gzip` of HTTP. There may be several, one behind the other.
    Gzip,
    /// With a short header and a checksum (RFC 1950): `deflate` of HTTP.
    Zlib,
    /// Nothing but the data (RFC 1951): `permessage-deflate` of WebSocket.
    Raw,
}

/// How much comes out at once, at most: of a bomb, so much is made before its budget is looked at.
const STEP: usize = 16 * 1024;

/// The largest window there is: 32 KiB.
const WINDOW_BITS: u8 = 15;
