//! Reports and other mail of this host by the same way as what is received: [`Reroute`].

use std::{
    cell::RefCell,
    fmt,
    rc::{Rc, Weak},
};

use sinew_protocols::basic::Word;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{RouteError, Router};
use crate::{
    queue::{
        self, Agents, Attempt, AttemptResult, DeliveryAgent, Fate, Inner, Queue, QueuedEnvelope,
        QueuedRecipient, Status,
    },
    smtp::client::MessageSource,
};

/// The name of the agent for mail of this host, for [`QueueConfig::report_agent`](crate::queue::QueueConfig::report_agent).
pub const REROUTE_AGENT: Word = Word::from_static("reroute");

/// Follows an address when the message is delivered, not when it is accepted: for reports to senders, who may be users of this host.
///
/// An address that leads to one recipient is delivered to by that one's agent. One that leads to several is accepted again, as a message
/// of its own to all of them.
#[derive(Clone)]
pub struct Reroute {
    router: Router,
    agents: Agents,
    queue: Rc<RefCell<Weak<Inner>>>,
}

impl Reroute {
    /// Follows addresses with this router, to these agents, which must be those of the queue.
    #[must_use]
    pub fn new(router: Router, agents: Agents) -> Self {
        Self { router, agents, queue: Rc::default() }
    }

    /// The queue that messages to several recipients are accepted into. Until it is known they wait.
    pub fn set_queue(&self, queue: &Queue) {
        self.queue.replace(Rc::downgrade(&queue.inner));
    }

    async fn run(self, reactor: Reactor, attempt: Attempt) -> AttemptResult {
        let mut fates = Vec::with_capacity(attempt.recipients().len());
        for to in attempt.recipients() {
            fates.push(self.deliver_to(&reactor, &attempt, to).await);
        }
        AttemptResult::new(fates)
    }

    async fn deliver_to(&self, reactor: &Reactor, attempt: &Attempt, to: &QueuedRecipient) -> Fate {
        let found = self.router.route(reactor, to.recipient(), attempt.sender()).await;
        let found = match found {
            Ok(found) => found,
            Err(error @ RouteError::Unavailable(_)) => {
                return Fate::Delayed(Status::new(4, 3, 0, error));
            }
            Err(error) => return Fate::Failed(Status::new(5, 1, 1, error)),
        };
        if let [only] = &found[..] {
            let Some(agent) = self.agents.find(only.agent()) else {
                return Fate::Delayed(Status::new(4, 3, 5, "there is no agent for the recipient"));
            };
            let result = agent.deliver(reactor, attempt.to_one(only.clone())).await;
            let lost = |error| Fate::Delayed(Status::new(4, 3, 0, error));
            return match result {
                Ok(result) => {
                    result.fates().first().cloned().unwrap_or_else(|| lost("no result".to_owned()))
                }
                Err(failure) => lost(failure.to_string()),
            };
        }
        match self.accept(reactor, attempt, found).await {
            Ok(()) => Fate::Delivered(Status::new(2, 0, 0, "accepted for several recipients")),
            Err(error) => Fate::Delayed(Status::new(4, 3, 0, error)),
        }
    }

    /// Accepts a copy of the message to these recipients.
    async fn accept(
        &self,
        reactor: &Reactor,
        attempt: &Attempt,
        found: Vec<QueuedRecipient>,
    ) -> Result<(), String> {
        let inner = self.queue.borrow().upgrade().ok_or("the queue is not open")?;
        let envelope = QueuedEnvelope::new(attempt.sender().clone()).with_routed(found);
        let mut sink = Queue { inner }.sink(envelope).map_err(|error| error.to_string())?;
        let mut message = attempt.message(reactor);
        while let Some(piece) = message.next().await.map_err(|error| error.to_string())? {
            sink.push(&piece).await.map_err(|error| error.to_string())?;
        }
        sink.end().await.map(drop).map_err(|error| error.to_string())
    }
}

impl DeliveryAgent for Reroute {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.address().domain().to_ascii_lowercase()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        queue::run(reactor, self.clone().run(reactor.clone(), attempt))
    }
}

impl fmt::Debug for Reroute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reroute").field("router", &self.router).finish_non_exhaustive()
    }
}
