//! Echo, RFC 862: [`Echo`].

use sinew_transports::{Protocol, Transport};

/// Answers with what it receives.
///
/// `write` never waits: what the peer does not take yet is queued. So a peer that sends without ever reading would fill
/// the memory, if it were not for the transport, which stops reading by itself while more is queued than its high
/// watermark. Nothing has to be done about that here.
///
/// When the peer has sent its last byte, the default [`read_closed`](Protocol::read_closed) closes the connection, but
/// only after every byte has been echoed.
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
