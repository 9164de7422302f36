//! TLS on a connection that already uses HTTP, or on a tunnel through a proxy: [`Upgraded::start_tls`].

use std::rc::Rc;

use sinew_transports::{reactor::Deferred, tls::TlsRole};

use super::{ClientConnection, RequestError, Upgraded, exchange::Life};

impl Upgraded {
    /// Starts TLS with the server at the other end of the tunnel, and uses HTTP on it from then on. Cancelling closes the
    /// connection.
    ///
    /// Bytes that the proxy has sent after its response are not taken for bytes of the server: the connection is closed then.
    pub fn start_tls(self, role: impl Into<TlsRole>) -> Deferred<ClientConnection, RequestError> {
        let connection = self.connection();
        // This handle no longer closes it.
        let _ = self.into_transport();
        connection.begin_tls(role.into())
    }
}

impl ClientConnection {
    /// Starts TLS on an unused connection.
    pub(super) fn start_tls(&self, role: TlsRole) -> Deferred<Self, RequestError> {
        self.begin_tls(role)
    }

    fn begin_tls(&self, role: TlsRole) -> Deferred<Self, RequestError> {
        let link = self.link();
        let (promise, deferred) = link.weak_reactor().promise();
        let Some(transport) = link.transport() else {
            let reason = "it is closed".to_owned();
            promise.reject(RequestError::Lost { reason, is_stale: false });
            return deferred;
        };
        if let Err(error) = transport.start_tls(role) {
            transport.abort();
            promise.reject(RequestError::Tls { reason: error.to_string() });
            return deferred;
        }
        link.life.set(Life::Handshaking);
        let closing = transport.clone();
        promise.on_cancel(move |_| closing.abort());
        link.secured.set(Some(promise));
        debug_assert!(Rc::strong_count(link) > 1, "the protocol has it, too");
        deferred
    }
}
