//! TLS that a server starts when it is asked to: [`ServerTls`].

use std::io;

use crate::{AsyncStream, Transport, tls::TlsServerConfig};

/// The configuration of a server, if it offers TLS. Default: it does not.
#[derive(Clone, Debug, Default)]
pub struct ServerTls(Option<TlsServerConfig>);

impl ServerTls {
    /// TLS with this configuration. Only with the feature `tls`.
    pub fn new(config: TlsServerConfig) -> Self {
        Self(Some(config))
    }

    /// Whether TLS is offered.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.0.is_some()
    }

    /// Starts TLS, behind the assent that was written, as [`Transport::start_tls`](crate::Transport::start_tls). Where it cannot be started
    /// or is not offered, the connection fails.
    pub fn start(&self, transport: &Transport) {
        match &self.0 {
            Some(config) => {
                if let Err(error) = transport.start_tls(config) {
                    transport.fail(error);
                }
            }
            None => transport.fail(NOT_OFFERED),
        }
    }

    /// Starts TLS, behind the assent that was written, and waits for the end of the handshake, as
    /// [`AsyncStream::start_tls`](crate::AsyncStream::start_tls).
    ///
    /// # Errors
    ///
    /// TLS is not offered, it cannot be started, or the handshake fails.
    pub async fn start_in(&self, stream: &mut AsyncStream) -> io::Result<()> {
        match &self.0 {
            Some(config) => stream.start_tls(config).await,
            None => Err(io::Error::new(io::ErrorKind::Unsupported, NOT_OFFERED)),
        }
    }
}

const NOT_OFFERED: &str = "TLS was started and is not offered";
