//! What the server tells about its queue: JSON, the same for the server and for `sinew mailq`. No logic but the conversion.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sinew::mail::queue::{DeliveryStage, Progress, QueuedMessage, QueuedRecipient};

/// Some messages of the queue, in the order in which they were accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<QueuedReport>,
    /// Whether there are more behind the last.
    pub(crate) has_more: bool,
    /// Of the whole queue.
    pub(crate) total: usize,
    pub(crate) bytes: u64,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct QueuedReport {
    pub(crate) id: String,
    pub(crate) age_ms: u64,
    pub(crate) bytes: u64,
    /// Empty for the null path.
    pub(crate) sender: String,
    /// `held`, `active` or `waiting`.
    pub(crate) state: String,
    /// When it is tried next, if it is.
    pub(crate) next_in_ms: Option<u64>,
    pub(crate) recipients: Vec<RecipientReport>,
}

/// A recipient, and how far the message has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecipientReport {
    pub(crate) address: String,
    /// `waiting`, `delivered`, `failed` or `expanded`.
    pub(crate) state: String,
    pub(crate) tries: u32,
    /// What was said at the last attempt.
    pub(crate) status: Option<String>,
}

impl QueuedReport {
    pub(super) fn of(message: &QueuedMessage, now: SystemTime) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let age = now.duration_since(message.arrived).unwrap_or_default();
        let next = message.next.map(|next| next.duration_since(now).unwrap_or_default());
        let sender = message.sender.address().map(ToString::to_string).unwrap_or_default();
        let state = match () {
            () if message.is_held => "held",
            () if message.is_active => "active",
            () => "waiting",
        };
        Self {
            id: message.id.to_string(),
            age_ms: millis(age),
            bytes: message.len,
            sender,
            state: state.to_owned(),
            next_in_ms: next.map(millis),
            recipients: message.recipients.iter().map(recipient).collect(),
        }
    }
}

fn recipient((to, progress): &(QueuedRecipient, Progress)) -> RecipientReport {
    let state = match progress.stage() {
        DeliveryStage::Pending => "waiting",
        DeliveryStage::Failed => "failed",
        DeliveryStage::Expanded => "expanded",
        _ => "delivered",
    };
    RecipientReport {
        address: to.address().to_string(),
        state: state.to_owned(),
        tries: progress.tries(),
        status: progress.status().map(ToString::to_string),
    }
}
