//! Connections in memory that speak TLS: [`connect_tls`].

use sinew_reactor::{Reactor, RegisterError};

use super::{Wire, join};
use crate::{
    Connection, Peer, Protocol, StreamConfig,
    stream::layer::{HandshakeResult, NoProtocol},
    tls::TlsRole,
};

/// As [`connect`](super::connect), with TLS: what goes over the wire is ciphertext, and the protocol is told `connection_made`
/// after the handshake. If that fails, the protocol is dropped and told nothing; until it is done,
/// [`Connection::with`] finds nobody.
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
