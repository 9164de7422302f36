//! Quote of the day, RFC 865: [`Qotd`].

use bytes::Bytes;
use sinew_transports::{Protocol, Transport};

/// Says a quote and closes.
///
/// Closing right behind a write is safe: [`lose_connection`](Transport::lose_connection) sends what is queued first.
///
/// The quote is [`Bytes`], which share their content when they are cloned: a factory clones one quote for each
/// connection, and there is still one text.
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
    /// Says `quote`, which should be less than 512 characters of printable ASCII and line ends (RFC 865).
    #[must_use]
    pub fn new(quote: impl Into<Bytes>) -> Self {
        Self { quote: quote.into() }
    }
}

impl Default for Qotd {
    /// What Twisted says.
    fn default() -> Self {
        Self::new("An apple a day keeps the doctor away.\r\n")
    }
}

impl Protocol for Qotd {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write_bytes(self.quote.clone());
        transport.lose_connection();
    }

    /// RFC 865: what is received is thrown away.
    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}
