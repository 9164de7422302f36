//! Whether the mailboxes that a message is for have room for it: [`Room`], asked while its sender can still be refused, so that nothing
//! has to be sent back later, to an address that may be forged.

use std::{fmt, rc::Rc};

use sinew_transports::reactor::Reactor;

use super::{MAILBOX_AGENT, mailbox_agent::trace_len};
use crate::{
    queue::QueuedRecipient,
    smtp::{
        codec::{Reply, Sender},
        server::{MessageSink, Outcome, Verdict},
    },
    store::Store,
};

/// Asks the accounts of a store.
#[derive(Clone)]
pub(super) struct Room {
    store: Rc<dyn Store>,
}

impl Room {
    pub(super) fn new(store: Rc<dyn Store>) -> Self {
        Self { store }
    }

    /// Whether all that recipients lead to is mailboxes that have no room for a message of so many bytes. Who cannot be asked has room:
    /// the queue tries it again.
    pub(super) async fn is_missing(
        &self,
        reactor: &Reactor,
        sender: &Sender,
        found: &[QueuedRecipient],
        len: u64,
    ) -> bool {
        let mut is_missing = false;
        for to in found.iter().filter(|to| !to.is_expanded()) {
            if *to.agent() != MAILBOX_AGENT {
                return false;
            }
            let Ok(account) = self.store.account(reactor, to.argument()).await else {
                return false;
            };
            let len = len.saturating_add(trace_len(sender, to));
            match account.has_room(len, 1).await {
                Ok(false) => is_missing = true,
                Ok(true) | Err(_) => return false,
            }
        }
        is_missing
    }
}

/// What a client is told: as other servers say it (RFC 5321 4.2.2, RFC 3463 3.3).
pub(super) fn mailbox_full() -> Reply {
    Reply::fixed(552, "5.2.2 The mailbox is full")
}

/// A message on its way into the queue, which is refused at its end if there is no room for it: not every client says its size before.
pub(super) struct Checked {
    pub(super) sink: Box<dyn MessageSink>,
    pub(super) room: Room,
    pub(super) reactor: Reactor,
    pub(super) sender: Sender,
    pub(super) found: Vec<QueuedRecipient>,
    pub(super) len: u64,
}

impl MessageSink for Checked {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        self.len += piece.len() as u64;
        self.sink.write(piece)
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        let Self { sink, room, reactor, sender, found, len } = *self;
        let of_task = reactor.clone();
        Verdict::later(super::run(&reactor, async move {
            if room.is_missing(&of_task, &sender, &found, len).await {
                return Err(mailbox_full());
            }
            sink.finish().decided(&of_task).await
        }))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}
