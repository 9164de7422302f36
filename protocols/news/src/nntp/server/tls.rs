//! The configuration of STARTTLS.

use sinew_transports::{starttls::ServerTls, tls::TlsServerConfig};

use super::ServerConfig;

impl ServerConfig {
    /// Offers STARTTLS (RFC 4642). For TLS from the start, listen on an endpoint with TLS.
    pub fn starttls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = ServerTls::new(tls);
        self
    }
}
