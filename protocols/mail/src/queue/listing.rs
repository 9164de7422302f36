//! A queue as it is looked at: [`QueuedMessage`], [`QueueStats`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{DeliveryStage, MessageId, Progress, QueuedRecipient, ledger::Entry};
use crate::smtp::codec::Sender;

/// A message of the queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueuedMessage {
    /// Its name.
    pub id: MessageId,
    /// When it was accepted.
    pub arrived: SystemTime,
    /// Its length in bytes.
    pub len: u64,
    /// The sender.
    pub sender: Sender,
    /// The recipients, and how far the message has come for each.
    pub recipients: Vec<(QueuedRecipient, Progress)>,
    /// It is not tried.
    pub is_held: bool,
    /// It is being tried.
    pub is_active: bool,
    /// When it is tried next, unless its destination is down for longer; `None` if it is held, or nothing is left to try.
    pub next: Option<SystemTime>,
}

/// Numbers about a queue; those of events, since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that are there.
    pub messages: usize,
    /// Their recipients.
    pub recipients: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// Attempts that go on.
    pub active: usize,
    /// Destinations that could not be reached.
    pub destinations_down: usize,
    /// Messages that were accepted, reports too.
    pub accepted: u64,
    /// Attempts that have ended.
    pub attempts: u64,
    /// Recipients who have their message, or for whom another host is responsible.
    pub delivered: u64,
    /// Recipients who were given up.
    pub failed: u64,
    /// Reports that were written.
    pub reports: u64,
    /// Messages that were put aside when the queue was opened, since their files were damaged.
    pub damaged: usize,
}

impl QueuedMessage {
    pub(super) fn of(entry: &Entry) -> Self {
        let stored = &entry.stored;
        let recipients = stored.envelope.recipients.iter().cloned();
        let progress = entry.state.progress.iter();
        let next = progress.filter(|progress| progress.stage == DeliveryStage::Pending);
        let next = next.map(|progress| time(progress.next)).min();
        Self {
            id: stored.id.clone(),
            arrived: time(stored.arrived),
            len: stored.trailer.facts.len(),
            sender: stored.envelope.sender.clone(),
            recipients: recipients.zip(entry.state.progress.iter().cloned()).collect(),
            is_held: entry.state.is_held,
            is_active: entry.active > 0,
            next: next.filter(|_| !entry.state.is_held),
        }
    }
}

fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}
