//! The configuration of STARTTLS (RFC 6120 5, RFC 7590).

use sinew_transports::{starttls::ClientTls, tls::TlsClientConfig};

use super::XmppConfig;

impl XmppConfig {
    /// The configuration of STARTTLS. The certificate must be for the domain of the account,
    /// unless [`server_name`](TlsClientConfig::server_name) says another name. Default: the root certificates of the system, which are
    /// read from disk for each connection.
    pub fn tls(mut self, tls: TlsClientConfig) -> Self {
        self.tls = ClientTls::new(tls);
        self
    }
}
