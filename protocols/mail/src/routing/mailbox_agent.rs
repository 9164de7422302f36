//! Delivery to the mailboxes of a store: [`MailboxAgent`].

use std::{fmt, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use crate::{
    queue::{self, Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status},
    smtp::{client::MessageSource, codec::Sender},
    store::{MailboxName, NewMessage, Store, StoreError},
};

/// Delivers into the inbox of the account that a recipient names, behind the lines `Return-Path` and `Delivered-To`.
///
/// A message is delivered twice if this program ends between the moment at which the store has it and the one at which that is written
/// to the queue's disk.
#[derive(Clone)]
pub struct MailboxAgent {
    store: Rc<dyn Store>,
}

impl MailboxAgent {
    /// Delivers to the accounts of this store.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self { store }
    }

    async fn deliver_to(&self, reactor: &Reactor, attempt: &Attempt, to: &QueuedRecipient) -> Fate {
        match self.copy(reactor, attempt, to).await {
            Ok(()) => Fate::Delivered(Status::new(2, 1, 5, "delivered to the mailbox")),
            Err(fate) => fate,
        }
    }

    async fn copy(
        &self,
        reactor: &Reactor,
        attempt: &Attempt,
        to: &QueuedRecipient,
    ) -> Result<(), Fate> {
        let account = self.store.account(reactor, to.argument()).await.map_err(fate)?;
        let delivering = account.deliver(&MailboxName::inbox(), NewMessage::new());
        let mut added = delivering.await.map_err(fate)?;
        added.write(trace(attempt.sender(), to).into()).await.map_err(fate)?;
        let mut message = attempt.message(reactor);
        loop {
            let piece: Option<Bytes> = message.next().await.map_err(|error| {
                Fate::Delayed(Status::new(
                    4,
                    3,
                    0,
                    format!("the message could not be read: {error}"),
                ))
            })?;
            let Some(piece) = piece else { break };
            added.write(piece).await.map_err(fate)?;
        }
        added.finish().await.map(drop).map_err(fate)
    }
}

impl DeliveryAgent for MailboxAgent {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.argument().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let (this, of_task) = (self.clone(), reactor.clone());
        queue::run(reactor, async move {
            let mut fates = Vec::with_capacity(attempt.recipients().len());
            for to in attempt.recipients() {
                fates.push(this.deliver_to(&of_task, &attempt, to).await);
            }
            AttemptResult::new(fates)
        })
    }
}

/// What is put in front of a message.
fn trace(sender: &Sender, to: &QueuedRecipient) -> String {
    let sender = sender.address().map(ToString::to_string).unwrap_or_default();
    format!("Return-Path: <{sender}>\r\nDelivered-To: {}\r\n", to.address())
}

/// How long that is.
pub(super) fn trace_len(sender: &Sender, to: &QueuedRecipient) -> u64 {
    trace(sender, to).len() as u64
}

/// What becomes of a recipient whose store has refused.
fn fate(error: StoreError) -> Fate {
    match &error {
        StoreError::NoSuchAccount { .. }
        | StoreError::UserName { .. }
        | StoreError::NoSuchMailbox { .. } => Fate::Failed(Status::new(5, 1, 1, error)),
        StoreError::OverQuota => Fate::Failed(Status::new(5, 2, 2, error)),
        StoreError::TooLarge { .. } => Fate::Failed(Status::new(5, 3, 4, error)),
        StoreError::TooMany { .. } => Fate::Delayed(Status::new(4, 2, 2, error)),
        _ => Fate::Delayed(Status::new(4, 3, 0, error)),
    }
}

impl fmt::Debug for MailboxAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailboxAgent").finish_non_exhaustive()
    }
}
