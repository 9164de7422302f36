//! TLS of a client: its configuration, and STARTTLS.

use sinew_transports::{AsyncStream, tls::TlsClientConfig};

use super::{ClientConfig, ImapError};

/// The configuration for STARTTLS; without one, the root certificates of the system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Option<TlsClientConfig>);

impl Tls {
    /// Starts TLS with the server of this name.
    pub(super) async fn start(
        &self,
        stream: &mut AsyncStream,
        name: &str,
    ) -> Result<(), ImapError> {
        let failed = |reason: String| ImapError::Tls { reason };
        let config = match &self.0 {
            Some(config) => config.clone(),
            None => TlsClientConfig::system().map_err(|error| failed(error.to_string()))?,
        };
        let role = config.to(name).map_err(|error| failed(error.to_string()))?;
        stream.start_tls(role).await.map_err(|error| failed(error.to_string()))
    }
}

impl ClientConfig {
    /// The configuration of STARTTLS. Default: the root certificates of the system.
    pub fn tls(mut self, tls: TlsClientConfig) -> Self {
        self.tls = Tls(Some(tls));
        self
    }
}
