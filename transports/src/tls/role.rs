//! The role of one end in a TLS session, [`TlsRole`], and STARTTLS: [`Transport::start_tls`].

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};

use super::{
    HANDSHAKES_PER_TURN, TlsClientConfig, TlsInfo, TlsServerConfig,
    layer::Tls,
    session::{self, Session},
};
use crate::{
    TlsError, Transport,
    disconnect::LayerError,
    stream::{
        layer::driver::{LayerContext, MakeLayer},
        socket::{Socket, StreamSocket},
    },
};

/// The role in a TLS session: server, made from a [`&TlsServerConfig`](TlsServerConfig), or client with the server's
/// name ([`TlsClientConfig::to`]).
#[derive(Clone)]
pub struct TlsRole {
    kind: Kind,
    timeout: Duration,
    per_turn: usize,
}

#[derive(Clone)]
enum Kind {
    Server(Arc<ServerConfig>),
    Client(Arc<ClientConfig>, ServerName<'static>),
}

impl TlsRole {
    pub(super) fn client(config: &TlsClientConfig, name: ServerName<'static>) -> Self {
        let kind = Kind::Client(config.built(), name);
        Self { kind, timeout: config.timeout(), per_turn: HANDSHAKES_PER_TURN }
    }

    fn session(&self) -> Result<Box<dyn Session>, TlsError> {
        match &self.kind {
            Kind::Server(config) => session::server(config.clone()),
            Kind::Client(config, name) => session::client(config.clone(), name.clone()),
        }
    }
}

impl From<&TlsServerConfig> for TlsRole {
    fn from(config: &TlsServerConfig) -> Self {
        let (timeout, per_turn) = config.handshake_limits();
        Self { kind: Kind::Server(config.built()), timeout, per_turn }
    }
}

impl MakeLayer for TlsRole {
    fn make(&self, socket: Socket, context: LayerContext<'_>) -> io::Result<Box<dyn StreamSocket>> {
        let session = self.session().map_err(LayerError::Tls)?;
        Ok(Box::new(Tls::new(session, (self.timeout, self.per_turn), socket, context)))
    }
}

impl fmt::Debug for TlsRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Server(_) => "Server",
            Kind::Client(..) => "Client",
        })
    }
}

/// TLS could not be started on a connection.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// The connection is closed or closing, or its output has been ended.
    #[error("could not start TLS: the connection is closed or closing")]
    Closed,
    /// The connection uses TLS already, or its handshake is in progress.
    #[error("could not start TLS: the connection uses TLS already")]
    AlreadyTls,
    /// The connection is being handed over to another protocol, which has not received its clear-text input yet.
    #[error(
        "could not start TLS: clear-text input waits for the protocol that takes the connection over"
    )]
    HandingOver,
}

sinew_reactor::error_debug!(StartTlsError);

impl Transport {
    /// Starts TLS on an open connection, as with the STARTTLS of SMTP. Data written before is sent in the clear, data written
    /// from now on after the handshake. No input is delivered meanwhile; when the handshake is done,
    /// [`tls_started`](crate::Protocol::tls_started) is called. A failed handshake ends the connection with
    /// [`ConnectionLost::Tls`](crate::ConnectionLost::Tls).
    ///
    /// Call it where the peer is known to send its handshake next: a server after writing its assent, a client after reading
    /// it. Received bytes that were not delivered yet are treated as part of the handshake. Bytes that were delivered already,
    /// including the rest of the slice in the current `data_received`, are clear text that a man in the middle may have injected:
    /// the protocol must refuse them. Those of `sinew-protocols` do.
    ///
    /// # Errors
    ///
    /// [`StartTlsError`]; the connection is unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport, tls::TlsServerConfig};
    ///
    /// struct Server { tls: TlsServerConfig }
    ///
    /// impl Protocol for Server {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         if data == b"STARTTLS\r\n" {
    ///             transport.write(b"220 go ahead\r\n");
    ///             if let Err(error) = transport.start_tls(&self.tls) {
    ///                 transport.fail(error);
    ///             }
    ///         } else {
    ///             transport.fail("unexpected command");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn start_tls(&self, role: impl Into<TlsRole>) -> Result<(), StartTlsError> {
        self.start_tls_with(role.into(), Vec::new()).map_err(|(error, _)| error)
    }

    /// The same, with bytes of the handshake that were received already. The error returns them.
    pub(crate) fn start_tls_with(
        &self,
        role: TlsRole,
        received: Vec<u8>,
    ) -> Result<(), (StartTlsError, Vec<u8>)> {
        let stream = self.inner();
        let reactor = stream.live_reactor().filter(|_| stream.is_open() && stream.takes_output());
        let error = match reactor {
            _ if stream.is_layered() => StartTlsError::AlreadyTls,
            _ if stream.is_handing_over() => StartTlsError::HandingOver,
            None => StartTlsError::Closed,
            Some(reactor) => {
                self.wrap_in_layer(&reactor, &role, received, None);
                stream.ask_flush();
                return Ok(());
            }
        };
        Err((error, received))
    }

    /// The negotiated parameters; `None` without TLS, before the end of the handshake, and after the end of the connection.
    #[must_use]
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.inner().with_layer(|layer| layer.tls_info()).flatten()
    }
}
