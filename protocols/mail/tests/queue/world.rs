//! Two hosts: `relay` has the queue, `next` notes what it receives.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::{
    queue::{
        Agents, MemoryFiles, MessageId, Queue, QueueConfig, QueueError, QueuedEnvelope,
        QueuedRecipient, Relay, SMTP_AGENT, Spool,
    },
    smtp::{
        client::{ClientConfig, Security},
        codec::{Recipient, Sender},
    },
};
use sinew_testkit::sim::{Host, Network};
use sinew_transports::ReactorTcp;

use crate::support::{self, Mail, Notes, Shared};

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) relay: Host,
    pub(crate) next: Host,
    pub(crate) files: MemoryFiles,
    pub(crate) notes: Shared,
    queue: Rc<RefCell<Option<Queue>>>,
}

pub(crate) fn config() -> QueueConfig {
    QueueConfig::new("relay.example").unwrap()
}

pub(crate) fn relay() -> Relay {
    let config = ClientConfig::new("relay.example").unwrap().security(Security::None);
    Relay::new(config).smart_host("next:25")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config(), relay)
    }

    pub(crate) fn with(config: QueueConfig, relay: impl Fn() -> Relay + 'static) -> Self {
        crate::watchdog::watch_this_test();
        let network = Network::new(1);
        let notes: Shared = Rc::new(RefCell::new(Notes::default()));
        let (host, next) = (network.host("relay"), network.host("next"));
        let of_next = Rc::clone(&notes);
        next.boot(move |reactor| {
            let server = support::server(support::config(), &of_next);
            drop(reactor.listen_tcp("0.0.0.0:25", server).unwrap());
        });
        let (files, queue) = (MemoryFiles::default(), Rc::<RefCell<Option<Queue>>>::default());
        let (disk, place) = (files.clone(), Rc::clone(&queue));
        host.boot(move |reactor| {
            disk.lose_process();
            let agents = Agents::default().with(SMTP_AGENT, relay());
            let opening = Queue::open(reactor, Spool::on(disk.clone()), config.clone(), agents);
            let place = Rc::clone(&place);
            opening.then(move |_, queue| {
                place.replace(Some(queue.unwrap()));
            });
        });
        let world = Self { network, relay: host, next, files, notes, queue };
        world.run(Duration::from_secs(1));
        world
    }

    pub(crate) fn run(&self, time: Duration) {
        self.network.run_for(time).unwrap();
    }

    pub(crate) fn minutes(&self, minutes: u64) {
        self.run(Duration::from_secs(60 * minutes));
    }

    pub(crate) fn queue(&self) -> Queue {
        self.queue.borrow().clone().expect("it is open")
    }

    /// Ends the process of the queue, and starts another.
    pub(crate) fn restart(&self) {
        self.queue.take();
        self.relay.restart();
        self.run(Duration::from_secs(1));
    }

    pub(crate) fn submit(&self, envelope: QueuedEnvelope) -> MessageId {
        self.try_submit(envelope, "Subject: x\n\nHello\n").unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_submit(
        &self,
        envelope: QueuedEnvelope,
        text: &str,
    ) -> Result<MessageId, QueueError> {
        let submitted = self.queue().submit(envelope, text.to_owned());
        self.run(Duration::from_secs(1));
        submitted.take().expect("it is done")
    }

    /// What the next host has received, with the sender in front.
    pub(crate) fn received(&self) -> Vec<Mail> {
        self.notes.borrow().mails.clone()
    }

    pub(crate) fn routes(&self) -> Vec<(String, String)> {
        let mails = self.received();
        mails.into_iter().map(|mail| (mail.from, mail.to.join(" "))).collect()
    }
}

pub(crate) fn to(text: &str) -> Recipient {
    Recipient::new(text.parse().unwrap())
}

/// A message of Ann's.
pub(crate) fn envelope(recipients: &[&str]) -> QueuedEnvelope {
    let sender = Sender::new(Some("ann@example.net".parse().unwrap()));
    let to = recipients.iter().map(|address| QueuedRecipient::remote(to(address)));
    to.fold(QueuedEnvelope::new(sender), QueuedEnvelope::with)
}

pub(crate) fn route(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}
