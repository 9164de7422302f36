//! Discard, RFC 863: [`Discard`].

use sinew_transports::{Protocol, Transport};

/// Receives, and throws away.
///
/// The smallest protocol there is: `data_received` is the only callback that must be written, all others have defaults.
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
