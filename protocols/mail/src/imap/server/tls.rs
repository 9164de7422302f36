//! STARTTLS of a server: its configuration, if there is one.

use sinew_transports::{Transport, tls::TlsServerConfig};

use super::ServerConfig;

/// TLS on request.
#[derive(Clone, Debug, Default)]
pub(super) struct StartTls(Option<TlsServerConfig>);

impl StartTls {
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
    /// Offers STARTTLS (RFC 3501 6.2.1). For TLS from the start, listen on an endpoint with TLS.
    pub fn starttls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = StartTls(Some(tls));
        self
    }
}
