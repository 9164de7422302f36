//! Quote of the day, RFC 865: [`Qotd`].

use bytes::Bytes;
use sinew_transports::{Protocol, Transport};

/// Sends a quote and closes.
///
/// Closing right after a write is safe: [`lose_connection`](Transport::lose_connection) sends what is queued first.
///
/// The quote is stored as [`Bytes`], whose clones share their content: a factory clones the quote for each connection
/// without copying the text.
///
/// # Examples
///
/// ```
/// use sinew_protocols::wire::Qotd;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Qotd::new("Events, dear boy, events.\r\n").connection_made(&transport);
/// assert_eq!(wire.sent(), b"Events, dear boy, events.\r\n");
/// assert!(wire.is_closing());
/// ```
#[derive(Debug, Clone)]
pub struct Qotd {
    quote: Bytes,
}

impl Qotd {
    /// Sends `quote`, which should be less than 512 characters of printable ASCII and line ends (RFC 865).
    #[must_use]
    pub fn new(quote: impl Into<Bytes>) -> Self {
        Self { quote: quote.into() }
    }
}

impl Default for Qotd {
    /// The quote that Twisted uses.
    fn default() -> Self {
        Self::new("An apple a day keeps the doctor away.\r\n")
    }
}

impl Protocol for Qotd {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write_bytes(self.quote.clone());
        transport.lose_connection();
    }

    /// Discards the input (RFC 865).
    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}
