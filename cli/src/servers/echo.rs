//! `sinew echo`: sends back what it receives (RFC 862), over streams and datagrams.

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    protocols::wire,
    transports::Peer,
};

use super::datagrams::{Answer, UdpAddress, UdpService};
use crate::run::{Context, ServerCommand};

/// The arguments of `sinew echo`.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Echo {
    /// Answer datagrams here, too: an IP address and a port, or a port of all IPv4 addresses. May be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) udp: Vec<UdpAddress>,
}

impl ServerCommand for Echo {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let streams = context.serve("tcp:7", |_: &Peer| wire::Echo)?;
        UdpService::beside(streams, &self.udp, Answer::Echo)
    }
}
