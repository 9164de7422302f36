//! What each of several reactors is to do when it starts, once or again: [`Plan`]. Made by `builder.rs`, carried out by
//! `thread.rs`.

use std::{sync::Arc, time::Duration};

use sinew_reactor::Builder;

use super::{OnFailure, Shard, ShardError, ShardFailure};
use crate::{
    Address, ListenError, ListeningPort,
    sharing::{Distribution, Share, SharedPort},
};

/// Opens one port on one reactor.
pub(super) type Listen =
    Box<dyn Fn(&Shard, Share) -> Result<ListeningPort<Address>, ListenError> + Send + Sync>;

/// Sets one reactor up.
pub(super) type Setup = Box<dyn Fn(&Shard) -> Result<(), ShardError> + Send + Sync>;

/// A step of the start of a reactor.
pub(super) enum Step {
    Listen(Arc<SharedPort>, Listen),
    Setup(Setup),
}

pub(super) struct Plan {
    pub(super) shards: usize,
    pub(super) builder: Box<dyn Fn(usize) -> Builder + Send + Sync>,
    pub(super) steps: Vec<Step>,
    pub(super) distribution: Distribution,
    pub(super) stop_signals: bool,
    pub(super) pin: bool,
    pub(super) drain: Duration,
    pub(super) on_failure: OnFailure,
    pub(super) report: Box<dyn Fn(&ShardFailure) + Send + Sync>,
}
