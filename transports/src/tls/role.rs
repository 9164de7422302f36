//! One side of a TLS session to be, [`TlsRole`], and how a connection gets to it in mid-stream: [`Transport::start_tls`].

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
        layer::{LayerContext, MakeLayer},
        socket::{Socket, StreamSocket},
    },
};

/// One side of a TLS session: a server's, made from a [`&TlsServerConfig`](TlsServerConfig), or a client's, which knows the
/// server's name ([`TlsClientConfig::to`]).
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

/// TLS cannot be started on a connection.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// It is over or closing, or its output has been ended.
    #[error("the connection is over or closing")]
    Closed,
    /// It speaks TLS already, or is about to.
    #[error("the connection speaks TLS already")]
    AlreadyTls,
    /// It is on its way to another protocol, which has yet to be given what came in the clear.
    #[error("the connection is on its way to another protocol, with input that came in the clear")]
    HandingOver,
}

sinew_reactor::error_debug!(StartTlsError);

impl Transport {
    /// Goes over to TLS in mid-stream, as with the STARTTLS of SMTP. What was written so far goes out in the clear, what is
    /// written from now on after the handshake. No input is delivered meanwhile;
    /// [`tls_started`](crate::Protocol::tls_started) tells when it goes on. A handshake that fails ends the connection with
    /// [`ConnectionLost::Tls`](crate::ConnectionLost::Tls).
    ///
    /// Call it where the peer is known to speak TLS next: a server when it has written its assent, a client when it has read
    /// it. Whatever the peer has sent behind that and was not delivered yet is part of the handshake, or ends it; but what the
    /// protocol has been given already, the rest of the very bytes at hand included, is the protocol's to refuse. Those of
    /// `sinew-protocols` do.
    ///
    /// # Errors
    ///
    /// [`StartTlsError`]; then nothing has changed.
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
    ///             transport.fail("a command too many");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn start_tls(&self, side: impl Into<TlsRole>) -> Result<(), StartTlsError> {
        let stream = self.inner();
        if stream.is_layered() {
            return Err(StartTlsError::AlreadyTls);
        }
        if stream.is_handing_over() {
            return Err(StartTlsError::HandingOver);
        }
        let reactor = stream.live_reactor().filter(|_| stream.is_open() && stream.takes_output());
        let reactor = reactor.ok_or(StartTlsError::Closed)?;
        self.wrap_in_layer(&reactor, &side.into(), None);
        stream.ask_flush();
        Ok(())
    }

    /// What the two ends have settled; `None` without TLS, before the end of its handshake, and after the end of the connection.
    #[must_use]
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.inner().with_layer(|layer| layer.tls_info()).flatten()
    }
}
