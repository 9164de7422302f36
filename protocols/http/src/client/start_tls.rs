//! TLS on a connection that speaks HTTP already, or that is a tunnel of a proxy: [`Upgraded::start_tls`].

use std::rc::Rc;

use sinew_transports::{reactor::Deferred, tls::TlsRole};

use super::{ClientConnection, RequestError, Upgraded, link::Life};

impl Upgraded {
    /// Starts TLS with the server at the other end of the tunnel, and speaks HTTP with it from then on. Cancelled, the connection is
    /// closed.
    ///
    /// What the proxy has sent behind its response is not taken for something that the server said: the connection is closed then.
    pub fn start_tls(self, role: impl Into<TlsRole>) -> Deferred<ClientConnection, RequestError> {
        let connection = self.connection();
        // It is no longer this handle's to close.
        let _ = self.into_transport();
        connection.begin_tls(role.into())
    }
}

impl ClientConnection {
    /// Starts TLS on a connection on which nothing was sent yet.
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
        link.life.set(Life::Securing);
        let closing = transport.clone();
        promise.on_cancel(move |_| closing.abort());
        link.secured.set(Some(promise));
        debug_assert!(Rc::strong_count(link) > 1, "the protocol has it, too");
        deferred
    }
}
