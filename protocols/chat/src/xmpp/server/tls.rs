//! The configuration of STARTTLS.

use sinew_transports::{Transport, tls::TlsServerConfig};

use super::ServerConfig;

/// The configuration, if TLS is offered.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Option<TlsServerConfig>);

impl Tls {
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
    /// Offers STARTTLS, with a certificate for the domain. For TLS from the start (XEP-0368, port 5223), listen on an endpoint with TLS,
    /// whose ALPN is `xmpp-client` if it has one.
    pub fn starttls(mut self, tls: TlsServerConfig) -> Self {
        self.tls = Tls(Some(tls));
        self
    }
}
