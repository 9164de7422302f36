//! `sinew echo`: sends back what it receives (RFC 862).

use serde::Deserialize;
use sinew::{
    application::{Service, StartError},
    protocols::wire,
    transports::Peer,
};

use crate::run::{Context, ServerCommand};

/// It has no options of its own.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Echo {}

impl ServerCommand for Echo {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        context.serve("tcp:7", |_: &Peer| wire::Echo)
    }
}
