//! Writes stanzas to connections, without a copy of what is shared.

use sinew_transports::Transport;

use super::codec::encoded::Encoded;

/// Writes a stanza.
pub(in crate::xmpp) fn write(transport: &Transport, stanza: &Encoded) {
    let (start, shared, end) = stanza.parts();
    transport.write(start);
    if !shared.is_empty() {
        transport.write_bytes(shared.clone());
        transport.write(end);
    }
}
