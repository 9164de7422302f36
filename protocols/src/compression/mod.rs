//! Streaming compression and decompression: [`Inflate`], with limits against decompression bombs, and [`Deflate`].
//! Pure: knows no transport. Feature `compression`.

mod deflate;
mod inflate;
#[cfg(test)]
mod tests;

pub use deflate::{Deflate, Flush};
pub use inflate::{Inflate, InflateError, Inflated};

/// The container format of compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// With a header and a checksum (RFC 1952): `gzip` in HTTP. Several members may be concatenated.
    Gzip,
    /// With a short header and a checksum (RFC 1950): `deflate` in HTTP.
    Zlib,
    /// Raw data without a header (RFC 1951): `permessage-deflate` in WebSocket.
    Raw,
}

/// Maximum output per step. A decompression bomb produces this much before the limit is checked.
const STEP: usize = 16 * 1024;

/// The largest window size: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// The smallest window size that the library supports: 512 bytes.
const WINDOW_BITS_MIN: u8 = 9;
