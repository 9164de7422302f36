//! TLS of the client: its configuration, and TLS on an existing connection, such as a tunnel.

use sinew_transports::{
    ConnectError,
    endpoint::{ClientEndpoint, TcpClient, TlsClient},
    reactor::Deferred,
    tls::TlsClientConfig,
};

use super::{ClientConfig, ClientConnection, RequestError, Upgraded};

/// The configuration for `https`, built on first use.
#[derive(Debug, Default)]
pub(super) struct Tls(Option<TlsClientConfig>);

impl Tls {
    /// The configuration: that of the client, or one with the root certificates of the system.
    fn config(&mut self, client: &ClientConfig) -> Result<TlsClientConfig, RequestError> {
        if let Some(config) = &self.0 {
            return Ok(config.clone());
        }
        let made = match &client.tls {
            Some(config) => Ok(config.clone()),
            None => TlsClientConfig::system(),
        };
        let made = made.map_err(|error| RequestError::Tls { reason: error.to_string() })?;
        self.0 = Some(made.clone());
        Ok(made)
    }

    /// The endpoint that uses this configuration.
    pub(super) fn endpoint(
        &mut self,
        client: &ClientConfig,
        to: TcpClient,
    ) -> Result<ClientEndpoint, RequestError> {
        Ok(ClientEndpoint::new(TlsClient::new(to, self.config(client)?)))
    }

    /// Starts TLS in a tunnel, with the server of this name.
    pub(super) fn start_in_tunnel(
        &mut self,
        client: &ClientConfig,
        tunnel: Upgraded,
        name: &str,
    ) -> Result<Deferred<ClientConnection, RequestError>, RequestError> {
        let role = self.config(client)?.to(name);
        let role = role.map_err(|_| ConnectError::BadServerName(name.to_owned()))?;
        Ok(tunnel.start_tls(role))
    }

    /// Starts TLS on a new connection, with the server of this name.
    pub(super) fn start_on(
        &mut self,
        client: &ClientConfig,
        connection: &ClientConnection,
        name: &str,
    ) -> Result<Deferred<ClientConnection, RequestError>, RequestError> {
        let role = self.config(client)?.to(name);
        let role = role.map_err(|_| ConnectError::BadServerName(name.to_owned()))?;
        Ok(connection.start_tls(role))
    }
}
