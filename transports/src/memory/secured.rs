//! TLS connections in memory: [`connect_tls`].

use sinew_reactor::{Reactor, RegisterError};

use super::{Wire, join};
use crate::{
    Connection, Peer, Protocol, StreamConfig,
    stream::layer::{HandshakeResult, NoProtocol},
    tls::TlsRole,
};

/// Like [`connect`](super::connect), with TLS: the wire carries ciphertext, and `connection_made` is called after the handshake. If the
/// handshake fails, the protocol is dropped without a call. Until it is complete, [`Connection::with`] returns `None`.
///
/// # Errors
///
/// If the reactor has no room for another handler.
pub fn connect_tls<P: Protocol>(
    reactor: &Reactor,
    config: StreamConfig,
    side: impl Into<TlsRole>,
    protocol: P,
) -> Result<(Connection<P>, Wire), RegisterError> {
    let (transport, ends) = join::<NoProtocol>(reactor, config, None, Peer::Memory, None)?;
    let when_ready = move |reactor: &Reactor, secured: HandshakeResult<'_>| match secured {
        Ok(transport) => transport.start_with(reactor, protocol),
        Err(reason) => tracing::debug!(%reason, "no connection"),
    };
    transport.wrap_in_layer(reactor, &side.into(), Some(Box::new(when_ready)));
    let wire = Wire::new(reactor, ends, transport.clone());
    Ok((Connection::new(transport), wire))
}
