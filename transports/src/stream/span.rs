//! A `tracing` span for a connection, in which its callbacks run: [`in_span`]. Whether anybody wants spans of connections is
//! asked once, when the protocol is installed: if not, the protocol is called as ever.

use sinew_reactor::Token;

use crate::{ConnectionId, Peer, dyn_protocol::DynProtocol};

/// The protocol, with a span around its callbacks if a subscriber wants it: `connection`, at debug level, with the fields
/// `peer`, `id` and `protocol`.
#[inline]
pub(super) fn in_span(
    protocol: DynProtocol,
    token: Token,
    peer: impl FnOnce() -> Peer,
) -> DynProtocol {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return protocol;
    }
    wrapped(protocol, token, &peer())
}

#[cold]
fn wrapped(protocol: DynProtocol, token: Token, peer: &Peer) -> DynProtocol {
    let (id, name) = (ConnectionId::of(token), protocol.real_name());
    let span = tracing::debug_span!("connection", %peer, %id, protocol = name);
    match span.is_disabled() {
        true => protocol,
        false => protocol.in_span(span),
    }
}
