//! STLS of a server: its configuration, if there is one.

use sinew_transports::{Transport, tls::TlsServerConfig};

use super::ServerConfig;

/// TLS on request.
#[derive(Clone, Debug, Default)]
pub(super) struct Stls(Option<TlsServerConfig>);

impl Stls {
    pub(super) fn is_offered(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn start(&self, transport: &Transport) {
        if let Some(config) = &self.0
            && let Err(error) = transport.start_tls(config)
        {
            transport.fail(error);
        }
    }
}

impl ServerConfig {
    /// Offers STLS (RFC 2595). For TLS from the start, listen on an endpoint with TLS.
    pub fn stls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = Stls(Some(tls));
        self
    }
}
