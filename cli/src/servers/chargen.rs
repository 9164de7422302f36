//! `sinew chargen`: sends characters without end (RFC 864), over streams and datagrams.

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    protocols::wire,
    transports::Peer,
};

use super::datagrams::{Answer, UdpAddress, UdpService};
use crate::run::{Context, ServerCommand};

/// The arguments of `sinew chargen`.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Chargen {
    /// Answer datagrams here, too: an IP address and a port, or a port of all IPv4 addresses. May be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) udp: Vec<UdpAddress>,
}

impl ServerCommand for Chargen {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        let streams = context.serve("tcp:19", |_: &Peer| wire::Chargen::default())?;
        UdpService::beside(streams, &self.udp, Answer::Characters)
    }
}
