//! The configuration of STARTTLS.

use sinew_transports::{starttls::ServerTls, tls::TlsServerConfig};

use super::ServerConfig;

impl ServerConfig {
    /// Offers STARTTLS, with a certificate for the domain. For TLS from the start (XEP-0368, port 5223), listen on an endpoint with TLS,
    /// whose ALPN is `xmpp-client` if it has one.
    pub fn starttls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = ServerTls::new(tls);
        self
    }
}
