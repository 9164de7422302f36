//! `sinew portforward`: connects each client to another server, and relays both ways.

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    prelude::*,
    reactor::with_causes,
    transports::{
        endpoint::ClientEndpoint,
        proxy::{ProxyConfig, ProxyHeader, ProxyVersion, Subnet},
    },
};

use crate::{
    quantity::Interval,
    run::{Context, ServerCommand},
};

/// The arguments of `sinew portforward`.
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortForward {
    /// Where to: a client endpoint, as tcp:host:80, tls:host:443 or unix:/run/x.sock
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) to: String,
    /// Tell the server who the client is, by a header of the PROXY protocol: v1 or v2
    #[arg(long, value_name = "VERSION")]
    pub(crate) send_proxy: Option<String>,
    /// Take the address of each client from a header of the PROXY protocol, if it comes from these addresses, as 127.0.0.1 or
    /// 10.0.0.0/8; others are refused. May be repeated
    #[arg(long, value_name = "SUBNET")]
    #[serde(default)]
    pub(crate) take_proxy: Vec<String>,
    /// How long connecting to the server may take [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) connect_timeout: Option<Interval>,
}

impl PortForward {
    fn client(&self) -> Result<Client, StartError> {
        let version = self.send_proxy.as_deref().map(str::parse::<ProxyVersion>).transpose();
        let mut config = ConnectConfig::default();
        if let Some(Interval(timeout)) = self.connect_timeout {
            config = config.timeout(timeout);
        }
        Ok(Client {
            to: self.to.parse().map_err(StartError::other)?,
            send_proxy: version.map_err(StartError::other)?,
            config,
        })
    }

    fn take_proxy(&self) -> Result<Option<ProxyConfig>, StartError> {
        let subnets: Result<Vec<Subnet>, _> =
            self.take_proxy.iter().map(|text| text.parse()).collect();
        let subnets = subnets.map_err(StartError::other)?;
        Ok((!subnets.is_empty()).then(|| ProxyConfig::default().trust(subnets)))
    }
}

impl ServerCommand for PortForward {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let client = self.client()?;
        let config = ListenConfig::default().proxy(self.take_proxy()?);
        let factory = move |_: &Peer| client.clone();
        context.serve_with("tcp:6666", config, StreamConfig::default(), factory, |_, server| server)
    }
}

/// The client's end. Nothing is read from it before the server is reached, so that backpressure is complete from the start.
#[derive(Clone)]
struct Client {
    to: ClientEndpoint,
    send_proxy: Option<ProxyVersion>,
    config: ConnectConfig,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_reading();
        let Some(reactor) = transport.reactor() else { return };
        let header =
            self.send_proxy.map(|version| ProxyHeader::new(version).on_behalf_of(transport));
        let config = self.config.clone().proxy_header(header);
        let client = transport.clone();
        let outgoing = move |_: &Peer| Server { client: client.clone() };
        let (client, to) = (transport.clone(), self.to.clone());
        self.to.connect_with(&reactor, config, outgoing).then(move |_, connected| {
            if let Err(error) = connected {
                tracing::warn!(client = %client.peer(), %to, error = %with_causes(&error), "the client cannot be forwarded");
                client.abort();
            }
        });
    }

    /// The relay takes all data.
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// The server's end.
struct Server {
    client: Transport,
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        let client = self.client.peer();
        match self.client.relay(transport) {
            Ok(relayed) => {
                tracing::debug!(%client, "forwarded");
                relayed.then(move |_, bytes| {
                    if let Ok(bytes) = bytes {
                        let (sent, received) = (bytes.to_other, bytes.from_other);
                        tracing::info!(%client, sent, received, "a forwarded connection has ended");
                    }
                });
                self.client.resume_reading();
            }
            // The client has gone meanwhile.
            Err(_) => transport.lose_connection(),
        }
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}
