//! Discard, RFC 863: [`Discard`].

use sinew_transports::{Protocol, Transport};

/// Receives data and discards it.
///
/// The smallest possible protocol: `data_received` is the only required callback, all others have defaults.
///
/// # Examples
///
/// ```
/// use sinew_protocols::wire::Discard;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Discard.data_received(&transport, b"hello");
/// assert_eq!(wire.sent(), b"");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl Protocol for Discard {
    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}
