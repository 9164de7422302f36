//! Echo, RFC 862: [`Echo`].

use sinew_transports::{Protocol, Transport};

/// Sends back what it receives.
///
/// `write` never blocks: what the peer does not read yet is queued. A peer that sends without reading would fill the
/// memory, but the transport applies backpressure: it stops reading while the send queue is above its high watermark.
/// Nothing has to be done about that here.
///
/// When the peer half-closes, the default [`read_closed`](Protocol::read_closed) closes the connection, but only
/// after every byte has been echoed.
///
/// # Examples
///
/// ```
/// use sinew_protocols::wire::Echo;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Echo.data_received(&transport, b"hello");
/// assert_eq!(wire.sent(), b"hello");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}
