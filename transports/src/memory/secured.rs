//! In-memory connections with TLS: [`connect_tls`].

use sinew_reactor::{Reactor, RegisterError};

use super::{Wire, join};
use crate::{
    Connection, Peer, Protocol, StreamConfig,
    stream::layer::{HandshakeResult, driver::NoProtocol},
    tls::TlsRole,
};

/// As [`connect`](super::connect), with TLS: the [`Wire`] carries ciphertext, and `connection_made` is called after the
/// handshake. If the handshake fails, the protocol is dropped without any callback; until it is done,
/// [`Connection::with`] returns `None`.
///
/// # Errors
///
/// If the reactor's slab of handlers is full.
pub fn connect_tls<P: Protocol>(
    reactor: &Reactor,
    config: StreamConfig,
    role: impl Into<TlsRole>,
    protocol: P,
) -> Result<(Connection<P>, Wire), RegisterError> {
    let (transport, ends) = join::<NoProtocol>(reactor, config, None, Peer::Memory, None)?;
    let when_ready = move |reactor: &Reactor, result: HandshakeResult<'_>| match result {
        Ok(transport) => transport.start_with(reactor, protocol),
        Err(reason) => tracing::debug!(%reason, "the handshake failed"),
    };
    transport.wrap_in_layer(reactor, &role.into(), Vec::new(), Some(Box::new(when_ready)));
    let wire = Wire::new(reactor, ends, transport.clone());
    Ok((Connection::new(transport), wire))
}
