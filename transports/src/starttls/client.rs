//! TLS that a client starts: [`ClientTls`].

use std::io;

use crate::{
    AsyncStream, Transport,
    tls::{TlsClientConfig, TlsRole},
};

/// The configuration of a client; without one, the root certificates of the system, which are read from disk each time.
#[derive(Clone, Debug, Default)]
pub struct ClientTls(Option<TlsClientConfig>);

impl ClientTls {
    /// TLS with this configuration. Only with the feature `tls`.
    pub fn new(config: TlsClientConfig) -> Self {
        Self(Some(config))
    }

    fn role(&self, name: &str) -> io::Result<TlsRole> {
        let config = match &self.0 {
            Some(config) => config.clone(),
            None => TlsClientConfig::system().map_err(io::Error::other)?,
        };
        config.to(name).map_err(io::Error::other)
    }

    /// Starts TLS with the server of this name, as [`Transport::start_tls`](crate::Transport::start_tls).
    ///
    /// # Errors
    ///
    /// The certificates of the system cannot be read, the name is none, the connection is closed or has TLS, or the feature `tls` is off. The
    /// connection is unchanged.
    pub fn start(&self, transport: &Transport, name: &str) -> io::Result<()> {
        transport.start_tls(self.role(name)?).map_err(io::Error::other)
    }

    /// Starts TLS with the server of this name, and waits for the end of the handshake, as
    /// [`AsyncStream::start_tls`](crate::AsyncStream::start_tls).
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), or the handshake fails.
    pub async fn start_in(&self, stream: &mut AsyncStream, name: &str) -> io::Result<()> {
        stream.start_tls(self.role(name)?).await
    }
}
