//! What is known about a connection: [`Session`].

use std::{fmt, net::SocketAddr};

use sinew_auth::Identity;
use sinew_transports::{Peer, Transport};

use super::Access;

/// A connection of a client, as a handler sees it.
pub struct Session {
    transport: Transport,
    pub(super) identity: Option<Identity>,
    pub(super) access: Access,
}

impl Session {
    pub(super) fn new(transport: &Transport) -> Self {
        Self { transport: transport.clone(), identity: None, access: Access::none() }
    }

    /// The client.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.transport.peer()
    }

    /// The address that the client has connected to.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.transport.local()
    }

    /// The connection, for its reactor, its TLS, or to end it.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }

    /// Who has logged in.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer())
            .field("identity", &self.identity)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
