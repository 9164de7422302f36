//! `sinew discard`: receives and forgets (RFC 863).

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
pub(crate) struct Discard {}

impl ServerCommand for Discard {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        context.serve("tcp:9", |_: &Peer| wire::Discard)
    }
}
