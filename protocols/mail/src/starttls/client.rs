//! TLS that a client starts: [`ClientTls`].

use sinew_transports::{AsyncStream, tls::TlsClientConfig};

/// The configuration; without one, the root certificates of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls(Option<TlsClientConfig>);

impl ClientTls {
    pub(crate) fn new(config: TlsClientConfig) -> Self {
        Self(Some(config))
    }

    /// Starts TLS with the server of this name. The error is the reason, as text.
    pub(crate) async fn start(&self, stream: &mut AsyncStream, name: &str) -> Result<(), String> {
        let config = match &self.0 {
            Some(config) => config.clone(),
            None => TlsClientConfig::system().map_err(|error| error.to_string())?,
        };
        let role = config.to(name).map_err(|error| error.to_string())?;
        stream.start_tls(role).await.map_err(|error| error.to_string())
    }
}
