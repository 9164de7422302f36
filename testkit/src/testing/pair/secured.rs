//! A [`Pair`] that speaks TLS.

use sinew_reactor::Reactor;

use super::{super::seed, End, Pair};
use sinew_transports::{Protocol, StreamConfig, memory, tls::TlsRole};

impl<S: Protocol, C: Protocol> Pair<S, C> {
    /// As [`new`](Self::new), with TLS between the two. Nothing has been moved yet, so the handshake is still to come: neither
    /// has been told that it is connected.
    ///
    /// # Panics
    ///
    /// If a protocol never comes to rest on being connected.
    pub fn over_tls(
        (server_side, server): (impl Into<TlsRole>, S),
        (client_side, client): (impl Into<TlsRole>, C),
    ) -> Self {
        let reactor = Reactor::simulated(seed().unwrap_or(0));
        let config = StreamConfig::default;
        let server = End::joined(server, |protocol| {
            memory::connect_tls(&reactor, config(), server_side, protocol)
        });
        let client = End::joined(client, |protocol| {
            memory::connect_tls(&reactor, config(), client_side, protocol)
        });
        Self::between(reactor, server, client)
    }
}
