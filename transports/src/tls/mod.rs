//! TLS with rustls: [`ReactorTls`] adds `listen_tls` and `connect_tls` to a reactor, and [`Transport::start_tls`] is STARTTLS.
//! TLS is a layer below the protocol, which has the same callbacks and limits as without it.
//!
//! [`Transport::start_tls`]: crate::Transport::start_tls

use std::rc::Rc;

use sinew_reactor::Reactor;

use crate::{
    ConnectConfig, ConnectError, Connecting, Destination, Factory, ListenConfig, ListenError,
    ListeningPort,
    sealed::Sealed,
    tcp::{connect, listen_over},
};

mod certificate;
mod client;
mod der;
mod error;
mod handshake_limiter;
mod identity;
pub(crate) mod info;
mod layer;
mod names;
mod pem;
mod role;
mod server;
mod session;
mod settings;

pub use {
    certificate::{Certificate, CertificateTime, Validity},
    client::TlsClientConfig,
    error::TlsConfigError,
    identity::{Identity, TrustedRoots},
    info::{TlsInfo, TlsVersion},
    role::{StartTlsError, TlsRole},
    server::TlsServerConfig,
};

/// Default of [`TlsServerConfig::handshakes_per_turn`].
const HANDSHAKES_PER_TURN: usize = 16;

/// TLS on a [`Reactor`].
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Peer, Protocol, Transport};
/// use sinew_transports::tls::{Identity, ReactorTls, TlsServerConfig};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let tls = TlsServerConfig::new(Identity::from_pem_files("cert.pem", "key.pem")?);
/// let reactor = Reactor::new()?;
/// reactor.listen_tls("127.0.0.1:8443", &tls, |_: &Peer| Echo)?;
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub trait ReactorTls: Sealed {
    /// As [`listen_tcp`](crate::ReactorTcp::listen_tcp), with TLS. A protocol is built when the handshake of its connection is
    /// done; no protocol is built if it fails.
    ///
    /// # Errors
    ///
    /// As [`listen_tcp`](crate::ReactorTcp::listen_tcp).
    fn listen_tls<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        tls: &TlsServerConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError> {
        self.listen_tls_with(addr, ListenConfig::default(), tls, factory)
    }

    /// The same with a `config`. Connections count towards its limits from when they are accepted.
    ///
    /// # Errors
    ///
    /// As [`listen_tcp`](crate::ReactorTcp::listen_tcp).
    fn listen_tls_with<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        config: ListenConfig,
        tls: &TlsServerConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError>;

    /// As [`connect_tcp`](crate::ReactorTcp::connect_tcp), with TLS. The server's certificate must be for the name or address
    /// connected to. The protocol is built when the handshake is done; if it fails, the error is
    /// [`ConnectError::Tls`].
    fn connect_tls<F: Factory>(
        &self,
        to: impl Into<Destination>,
        tls: &TlsClientConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        self.connect_tls_with(to, ConnectConfig::default(), tls, factory)
    }

    /// The same with a `config`.
    fn connect_tls_with<F: Factory>(
        &self,
        to: impl Into<Destination>,
        config: ConnectConfig,
        tls: &TlsClientConfig,
        factory: F,
    ) -> Connecting<F::Protocol>;
}

impl ReactorTls for Reactor {
    fn listen_tls_with<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        config: ListenConfig,
        tls: &TlsServerConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError> {
        listen_over(self, addr.into(), config, Some(Rc::new(TlsRole::from(tls))), factory)
    }

    fn connect_tls_with<F: Factory>(
        &self,
        to: impl Into<Destination>,
        config: ConnectConfig,
        tls: &TlsClientConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        let to = to.into();
        let error = match (tls.role_for(&to), to) {
            (_, Destination::Bad(text)) => ConnectError::BadDestination(text),
            (Ok(role), to) => {
                return connect(self, to, config, Some(Rc::new(role)), factory);
            }
            (Err(_), Destination::Name(host, _)) => ConnectError::BadServerName(host),
            (Err(_), to) => ConnectError::BadServerName(to.to_string()),
        };
        self.defer_drop(factory);
        Connecting::failed(self, error)
    }
}
