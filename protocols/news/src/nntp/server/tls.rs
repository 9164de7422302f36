//! STARTTLS of a server: its configuration, if there is one.

use std::io;

use sinew_transports::{AsyncStream, tls::TlsServerConfig};

use super::ServerConfig;

/// TLS on request.
#[derive(Clone, Debug, Default)]
pub(super) struct StartTls(Option<TlsServerConfig>);

impl StartTls {
    pub(super) fn is_offered(&self) -> bool {
        self.0.is_some()
    }

    /// What was received behind the command is taken for a part of the handshake, and makes it fail.
    pub(super) async fn start(&self, stream: &mut AsyncStream) -> io::Result<()> {
        match &self.0 {
            Some(config) => stream.start_tls(config).await,
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl ServerConfig {
    /// Offers STARTTLS (RFC 4642). For TLS from the start, listen on an endpoint with TLS.
    pub fn starttls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = StartTls(Some(tls));
        self
    }
}
