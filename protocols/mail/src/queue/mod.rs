//! A queue of mail on disk, and its delivery: [`Queue`].
//!
//! | part | what |
//! |---|---|
//! | [`Spool`] | keeps messages and how far they have come, safely: what was acknowledged survives a kill or a loss of power |
//! | [`Queue`] | accepts messages from a server ([`Queue::sink`]) or a program ([`Queue::submit`]), and tries them again until they are delivered or too old |
//! | [`DeliveryAgent`] | delivers: [`Relay`] to other hosts; users write their own |
//! | [`report`] | tells senders what has become of their messages (RFC 3464) |
//!
//! All work with files is done by threads of the pool of the reactor.

mod addresses;
mod admission;
mod agent;
mod attempts;
mod config;
mod connections;
mod envelope;
mod error;
mod flush;
mod hosts;
mod id;
mod inner;
mod ledger;
mod listing;
#[allow(clippy::module_inception, reason = "the noun of the module")]
mod queue;
pub mod record;
mod relay;
pub mod report;
mod schedule;
mod slowness;
mod spool;
mod status;

use std::{cell::RefCell, rc::Rc};

use sinew_protocols::basic::Word;
use sinew_transports::reactor::{Deferred, Failure, Reactor, Task};

pub use {
    admission::QueueSink,
    agent::{Attempt, AttemptResult, DeliveryAgent, Fate, StoredMessage},
    config::QueueConfig,
    envelope::{DeliveryStage, Progress, QueuedEnvelope, QueuedRecipient},
    error::QueueError,
    id::{MessageId, NotAMessageId},
    inner::Agents,
    listing::{QueueStats, QueuedMessage},
    queue::Queue,
    relay::Relay,
    spool::{MemoryFiles, Spool, SpoolFile, SpoolFiles},
    status::Status,
};
pub(crate) use {inner::Inner, spool::sync_folder};

/// The name of the agent that sends mail to other hosts.
pub const SMTP_AGENT: Word = Word::from_static("smtp");

/// Runs a future as a task, which ends when its deferred is dropped.
pub(crate) fn run<T: 'static>(
    reactor: &Reactor,
    future: impl Future<Output = T> + 'static,
) -> Deferred<T> {
    let (promise, deferred) = reactor.promise::<T, Failure>();
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let running = Rc::clone(&place);
    promise.on_cancel(move |_| drop(running.take()));
    let task = reactor.spawn(async move { promise.resolve(future.await) });
    place.replace(Some(task));
    deferred
}
