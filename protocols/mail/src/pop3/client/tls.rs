//! The configuration of STLS.

use sinew_transports::{starttls::ClientTls, tls::TlsClientConfig};

use super::ClientConfig;

impl ClientConfig {
    /// The configuration of STLS. Default: the root certificates of the system.
    pub fn tls(mut self, tls: TlsClientConfig) -> Self {
        self.tls = ClientTls::new(tls);
        self
    }
}
