//! TLS of a client: its configuration, and STARTTLS (RFC 6120 5, RFC 7590).

use sinew_transports::{Transport, tls::TlsClientConfig};

use super::{XmppConfig, XmppError};

/// The configuration; without one, the root certificates of the system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Option<TlsClientConfig>);

impl Tls {
    pub(super) fn config(&self) -> Result<TlsClientConfig, XmppError> {
        match &self.0 {
            Some(config) => Ok(config.clone()),
            None => TlsClientConfig::system().map_err(failed),
        }
    }

    /// Starts TLS. The certificate must be for the domain of the account (RFC 6120 13.7.2.1), whatever host serves it.
    pub(super) fn start(&self, transport: &Transport, domain: &str) -> Result<(), XmppError> {
        let role = self.config()?.to(domain).map_err(failed)?;
        transport.start_tls(role).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> XmppError {
    XmppError::Tls { reason: error.to_string() }
}

impl XmppConfig {
    /// The configuration of STARTTLS. The certificate must be for the domain of the account,
    /// unless [`server_name`](TlsClientConfig::server_name) says another name. Default: the root certificates of the system, which are
    /// read from disk for each connection.
    pub fn tls(mut self, tls: TlsClientConfig) -> Self {
        self.tls = Tls(Some(tls));
        self
    }
}
