//! TLS that a server starts when it is asked to: [`ServerTls`].

use sinew_transports::{Transport, tls::TlsServerConfig};

/// The configuration, if TLS is offered.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTls(Option<TlsServerConfig>);

impl ServerTls {
    pub(crate) fn new(config: TlsServerConfig) -> Self {
        Self(Some(config))
    }

    pub(crate) fn is_offered(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn start(&self, transport: &Transport) {
        if let Some(config) = &self.0
            && let Err(error) = transport.start_tls(config)
        {
            transport.fail(error);
        }
    }
}
