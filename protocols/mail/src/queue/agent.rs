//! Who delivers: the trait [`DeliveryAgent`], what it is given, an [`Attempt`], and what it returns, a [`Fate`] for each recipient.

use std::{fmt, io, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::{
    MessageId, QueuedRecipient, Status,
    spool::{Reader, Spool, Stored},
};
use crate::smtp::{
    client::MessageSource,
    codec::{MessageFacts, Sender},
};

/// Bytes of a message that are read from disk at once.
const PIECE: usize = 64 * 1024;

/// Delivers messages: to other hosts, to mailboxes, to whatever a program of a user needs. Only the loop calls it.
///
/// # Examples
///
/// An agent that counts what it is given:
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use sinew_mail::queue::{Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status};
/// use sinew_transports::reactor::{Deferred, Reactor};
///
/// struct Counter(Rc<Cell<u64>>);
///
/// impl DeliveryAgent for Counter {
///     fn destination(&self, _: &QueuedRecipient) -> String {
///         "the counter".to_owned()
///     }
///
///     fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
///         self.0.set(self.0.get() + attempt.facts().len());
///         let fate = Fate::Delivered(Status::new(2, 0, 0, "counted"));
///         Deferred::ready_on(reactor, AttemptResult::same(&attempt, fate))
///     }
/// }
/// ```
pub trait DeliveryAgent: 'static {
    /// Where a recipient is: all with the same text are attempted together, limited together, and left alone together when the
    /// destination cannot be reached. For other hosts, the domain.
    fn destination(&self, to: &QueuedRecipient) -> String;

    /// Tries to deliver a message to recipients at one destination, which all have the same sender.
    ///
    /// The attempt is repeated later for each recipient whose fate is [`Fate::Delayed`], and for all if the deferred fails. It is cancelled
    /// when its time is over or the queue stops: then it must not be delivered any more, or it will be delivered twice.
    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult>;
}

/// A message and the recipients to whom it is to be delivered now.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) spool: Spool,
    pub(crate) stored: Rc<Stored>,
    pub(crate) sender: Sender,
    pub(crate) recipients: Vec<QueuedRecipient>,
}

/// What has become of each recipient of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptResult {
    pub(crate) fates: Vec<Fate>,
    pub(crate) reached: Option<bool>,
}

/// What has become of a recipient in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It has arrived where it is read.
    Delivered(Status),
    /// Another host is responsible from now on.
    Relayed {
        /// What it has said.
        status: Status,
        /// It was told which reports are wanted, and sends them.
        sends_reports: bool,
    },
    /// Not now: it is tried again.
    Delayed(Status),
    /// Never: the sender is told.
    Failed(Status),
}

impl Attempt {
    /// The name of the message.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        &self.stored.id
    }

    /// The sender, with what it wants of reports.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The recipients, at least one.
    #[must_use]
    pub fn recipients(&self) -> &[QueuedRecipient] {
        &self.recipients
    }

    /// The length of the message, and what it needs.
    #[must_use]
    pub fn facts(&self) -> MessageFacts {
        self.stored.trailer.facts
    }

    /// When the message was accepted, in milliseconds since 1970.
    pub(crate) fn arrived(&self) -> u64 {
        self.stored.arrived
    }

    /// The same for one recipient, by another way.
    pub(crate) fn to_one(&self, to: QueuedRecipient) -> Self {
        Self { recipients: vec![to], ..self.clone() }
    }

    /// The pieces of the message, for a thread of the pool: they are read while it waits.
    pub(crate) fn reader(&self) -> impl FnMut() -> io::Result<Option<Vec<u8>>> + Send + use<> {
        let (spool, stored) = (self.spool.clone(), (*self.stored).clone());
        let mut reader = None;
        move || {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(spool.open(&stored)?),
            };
            reader.next(PIECE)
        }
    }

    /// The message, to be read from its beginning, piece by piece, from the pool of threads.
    #[must_use]
    pub fn message(&self, reactor: &Reactor) -> StoredMessage {
        let open = Opened::Not(self.spool.clone(), Rc::clone(&self.stored));
        StoredMessage { reactor: reactor.clone(), facts: self.facts(), open }
    }
}

impl AttemptResult {
    /// A fate for each recipient, in their order. Those that are missing are delayed.
    #[must_use]
    pub fn new(fates: Vec<Fate>) -> Self {
        Self { fates, reached: Some(true) }
    }

    /// The same fate for all recipients.
    #[must_use]
    pub fn same(attempt: &Attempt, fate: Fate) -> Self {
        Self::new(vec![fate; attempt.recipients.len()])
    }

    /// The destination as a whole could not be reached: other messages need not be tried now.
    #[must_use]
    pub fn unreachable(attempt: &Attempt, status: Status) -> Self {
        Self { reached: Some(false), ..Self::same(attempt, Fate::Delayed(status)) }
    }

    /// The fates of the recipients, in their order.
    #[must_use]
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// It is not known whether the destination could have been reached.
    pub(crate) fn unknown(attempt: &Attempt, status: Status) -> Self {
        Self { reached: None, ..Self::same(attempt, Fate::Delayed(status)) }
    }
}

/// A message of the queue that is being read.
pub struct StoredMessage {
    reactor: Reactor,
    facts: MessageFacts,
    open: Opened,
}

enum Opened {
    Not(Spool, Rc<Stored>),
    At(Reader),
    /// A read was given up, or has failed.
    Lost,
}

impl MessageSource for StoredMessage {
    fn facts(&self) -> MessageFacts {
        self.facts
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let open = std::mem::replace(&mut self.open, Opened::Lost);
        let read = match open {
            Opened::Lost => return Err(io::Error::other("an earlier piece could not be read")),
            Opened::At(mut reader) => self.reactor.defer_to_thread(move || {
                let piece = reader.next(PIECE);
                (Some(reader), piece)
            }),
            Opened::Not(spool, stored) => {
                let stored = (*stored).clone();
                self.reactor.defer_to_thread(move || match spool.open(&stored) {
                    Ok(mut reader) => {
                        let piece = reader.next(PIECE);
                        (Some(reader), piece)
                    }
                    Err(error) => (None, Err(error)),
                })
            }
        };
        let (reader, piece) = read.await.map_err(|failure: Failure| io::Error::other(failure))?;
        let piece = piece?;
        if let Some(reader) = reader {
            self.open = Opened::At(reader);
        }
        Ok(piece.map(Bytes::from))
    }
}

impl fmt::Debug for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessage").field("facts", &self.facts).finish_non_exhaustive()
    }
}
