//! A [`Pair`] connected over TLS.

use sinew_reactor::Reactor;

use super::{super::seed, End, Pair};
use sinew_transports::{Protocol, StreamConfig, memory, tls::TlsRole};

impl<S: Protocol, C: Protocol> Pair<S, C> {
    /// Like [`new`](Self::new), over TLS. Nothing has been moved yet, so the handshake has not started, and
    /// `connection_made` has not been called.
    ///
    /// # Panics
    ///
    /// If a protocol never becomes idle after connecting.
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
