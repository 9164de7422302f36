//! The configuration of STLS.

use sinew_transports::{starttls::ServerTls, tls::TlsServerConfig};

use super::ServerConfig;

impl ServerConfig {
    /// Offers STLS (RFC 2595). For TLS from the start, listen on an endpoint with TLS.
    pub fn stls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = ServerTls::new(tls);
        self
    }
}
