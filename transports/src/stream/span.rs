//! A `tracing` span for a connection, in which its callbacks run: [`in_span`]. Whether anybody wants spans of connections is
//! asked once, when the protocol is installed: if not, the protocol is called as ever.

use sinew_reactor::Token;
use tracing::Span;

use crate::{
    ConnectionId, ConnectionLost, Peer, Protocol, TimerId, Transport, dyn_protocol::DynProtocol,
};

/// A protocol whose callbacks run in a span.
pub(crate) struct Spanned {
    span: Span,
    pub(crate) inner: DynProtocol,
}

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
        false => DynProtocol::in_span(Spanned { span, inner: protocol }),
    }
}

/// Callbacks of the protocol inside, each in the span.
macro_rules! callbacks {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        impl Protocol for Spanned {
            $(fn $name(&mut self, transport: &Transport $(, $argument: $kind)*) $(-> $result)? {
                let _entered = self.span.enter();
                self.inner.get_mut().$name(transport $(, $argument)*)
            })*
        }
    };
}

callbacks! {
    connection_made();
    data_received(data: &[u8]);
    read_closed();
    writing_paused();
    writing_resumed();
    reading_resumed();
    timer_fired(timer: TimerId);
    idle_timeout();
    drain_requested();
    tls_started();
    take_unread() -> bytes::Bytes;
    connection_lost(reason: &ConnectionLost);
}
