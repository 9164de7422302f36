//! Messages on their way into the queue: [`QueueSink`], for servers, and `Queue::submit`, for programs. What is received is written to
//! disk in pieces, while the client is held up, so memory does not depend on the length of a message.

use std::{cell::RefCell, fmt, io, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, with_causes};

use super::{
    MessageId, Queue, QueueError, QueuedEnvelope,
    inner::Inner,
    record::{EnvelopeRecord, StateRecord},
    report::message_id,
    spool::{Draft, DraftError, Stored},
};
use crate::smtp::{
    client::text::Text,
    codec::Reply,
    server::{MessageSink, Outcome, Verdict},
};

/// Bytes that are collected before they are written.
const PIECE: usize = 64 * 1024;

/// Takes a message into the queue as it arrives. Made by [`Queue::sink`].
pub struct QueueSink {
    queue: Queue,
    id: MessageId,
    record: EnvelopeRecord,
    buffer: Vec<u8>,
    len: u64,
    /// What was begun on disk, unless it is being written to, or that has failed.
    draft: Rc<RefCell<Option<Draft>>>,
    is_begun: bool,
    reserved: Reserved,
}

/// The place of a message that is being received.
struct Reserved {
    inner: Rc<Inner>,
    recipients: usize,
    bytes: u64,
}

impl Queue {
    /// A place for a message with this envelope, for a [handler](crate::smtp::server::SmtpHandler::data) of a server. The reply to the
    /// message is 250 once it is safe on disk.
    ///
    /// # Errors
    ///
    /// [`QueueError`]: a limit of the queue is reached, there is no recipient, or no agent for one. [`QueueError::reply`] is what a client
    /// is told.
    pub fn sink(&self, envelope: QueuedEnvelope) -> Result<QueueSink, QueueError> {
        let inner = &self.inner;
        let reactor = inner.reactor.upgrade().ok_or(QueueError::Stopped)?;
        if inner.is_stopping.get() {
            return Err(QueueError::Stopped);
        }
        if envelope.recipients.is_empty() {
            return Err(QueueError::NoRecipient);
        }
        let mut agents = envelope.recipients.iter().filter(|to| !to.is_expanded);
        if let Some(to) = agents.find(|to| inner.agent(&to.agent).is_none()) {
            return Err(QueueError::NoAgent(to.agent.to_string()));
        }
        let reserved = Reserved::new(inner, envelope.recipients.len())?;
        let arrived = inner.wall(&reactor);
        let id = MessageId::new(arrived, reactor.random());
        let record = EnvelopeRecord { arrived, envelope };
        let (buffer, draft) = (Vec::new(), Rc::default());
        let (queue, is_begun) = (self.clone(), false);
        Ok(QueueSink { queue, id, record, buffer, len: 0, draft, is_begun, reserved })
    }

    /// Accepts a message of this program. Bare CRs and LFs become CRLF. The deferred is resolved once it is safe on disk; dropping it
    /// before leaves it open whether the message is in the queue.
    ///
    /// # Errors
    ///
    /// [`QueueError`], by the deferred.
    pub fn submit(
        &self,
        envelope: QueuedEnvelope,
        message: impl Into<Bytes>,
    ) -> Deferred<MessageId, QueueError> {
        let reject = |error| {
            let (promise, deferred) = self.inner.reactor.promise();
            promise.reject(error);
            deferred
        };
        let mut sink = match self.sink(envelope) {
            Ok(sink) => sink,
            Err(error) => return reject(error),
        };
        let text = Text::new(message.into()).into_bytes();
        if let Err(error) = sink.count(text.len()) {
            return reject(error);
        }
        sink.commit(text)
    }
}

impl QueueSink {
    /// The name that the message has in the queue once it is accepted.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// A `Message-ID` that no other message has: of the name in the queue, and this host.
    pub(crate) fn message_id(&self) -> String {
        message_id(&self.id, &self.queue.inner.config.hostname.to_string())
    }

    /// Takes the next piece, whose lines end in CRLF. The next one should wait until the deferred is resolved.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Deferred<(), QueueError> {
        let (promise, deferred) = self.queue.inner.reactor.promise();
        match self.count(piece.len()) {
            Err(error) => promise.reject(error),
            Ok(()) => {
                self.buffer.extend_from_slice(piece);
                match self.buffer.len() < PIECE {
                    true => promise.resolve(()),
                    false => promise.follow(self.flush()),
                }
            }
        }
        deferred
    }

    /// Ends the message.
    pub(crate) fn end(self) -> Deferred<MessageId, QueueError> {
        self.commit(Bytes::new())
    }

    /// Counts bytes that have arrived.
    fn count(&mut self, bytes: usize) -> Result<(), QueueError> {
        self.len += bytes as u64;
        let max = self.queue.inner.config.size_max;
        if self.len > max {
            return Err(QueueError::TooLarge { max });
        }
        self.reserved.grow(bytes as u64)
    }

    /// What a thread calls for the message on disk, as far as it was written.
    fn begin(&mut self) -> impl FnOnce() -> io::Result<Draft> + Send + use<> {
        let (draft, spool) = (self.draft.take(), self.queue.inner.spool.clone());
        let (id, record) = (self.id.clone(), self.record.clone());
        let was_begun = std::mem::replace(&mut self.is_begun, true);
        move || match draft {
            Some(draft) => Ok(draft),
            // What was written of it is lost: the rest is no message.
            None if was_begun => Err(io::Error::other("an earlier piece was not written")),
            None => spool.begin(&id, &record),
        }
    }

    /// Writes what was collected.
    fn flush(&mut self) -> Deferred<(), QueueError> {
        let piece = std::mem::take(&mut self.buffer);
        let begin = self.begin();
        let reactor = &self.queue.inner.reactor;
        let Some(reactor) = reactor.upgrade() else {
            let (promise, deferred) = reactor.promise();
            promise.reject(QueueError::Stopped);
            return deferred;
        };
        let place = Rc::clone(&self.draft);
        let job = move || {
            let mut draft = begin()?;
            draft.append(&piece).map(|()| draft)
        };
        reactor.defer_to_thread(job).map(move |written| {
            place.replace(Some(written??));
            Ok(())
        })
    }

    /// Writes the rest, and makes all of it safe.
    fn commit(mut self, rest: Bytes) -> Deferred<MessageId, QueueError> {
        let weak = self.queue.inner.reactor.clone();
        let Some(reactor) = weak.upgrade() else {
            let (promise, deferred) = weak.promise();
            promise.reject(QueueError::Stopped);
            return deferred;
        };
        let buffer = std::mem::take(&mut self.buffer);
        let begin = self.begin();
        let job = move || -> Result<Stored, DraftError> {
            let mut draft = begin()?;
            draft.append(&buffer)?;
            draft.append(&rest)?;
            draft.commit()
        };
        let (promise, deferred) = reactor.promise();
        let inner = Rc::clone(&self.queue.inner);
        inner.saving.set(inner.saving.get() + 1);
        // It is not cancelled: what is on disk is in the queue, whether somebody waits or not.
        reactor.defer_to_thread(job).then(move |_, stored| {
            // Its place is free: from here on the message counts itself.
            drop(self);
            inner.saving.set(inner.saving.get() - 1);
            promise.settle(stored.map_err(QueueError::from).and_then(|stored| {
                let stored = stored?;
                let id = stored.id.clone();
                tracing::info!(%id, len = stored.trailer.facts.len(), "a message was accepted");
                let state = StateRecord::fresh(&stored.envelope, stored.arrived);
                inner.stats.borrow_mut().accepted += 1;
                inner.insert(stored, state);
                Ok(id)
            }));
            inner.check_stopped();
        });
        deferred
    }
}

impl MessageSink for QueueSink {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        if let Err(error) = self.count(piece.len()) {
            return Verdict::refuse(error.reply());
        }
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() < PIECE {
            return Verdict::accept();
        }
        let written = self.flush();
        Verdict::later(written.map(|written| written.map_err(|error| error.reply())))
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        self.finish_with(Bytes::new())
    }
}

impl QueueSink {
    /// Takes the rest of the message, and ends it.
    pub(crate) fn finish_with(mut self, rest: Bytes) -> Verdict<Outcome> {
        if let Err(error) = self.count(rest.len()) {
            return Verdict::refuse(error.reply());
        }
        let committed = self.commit(rest);
        Verdict::later(committed.map(|committed| match committed {
            Ok(id) => Ok(Outcome::All(Reply::of_checked(250, format!("2.0.0 Queued as {id}")))),
            Err(error) => Err(error.reply()),
        }))
    }
}

impl Drop for QueueSink {
    /// A message that was begun on disk is removed there by a thread.
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take()
            && let Some(reactor) = self.queue.inner.reactor.upgrade()
        {
            reactor.defer_to_thread(move || drop(draft)).detach();
        }
    }
}

impl Reserved {
    fn new(inner: &Rc<Inner>, recipients: usize) -> Result<Self, QueueError> {
        let (messages, others, bytes) = inner.reserved.get();
        let (ledger, config) = (inner.ledger.borrow(), &inner.config);
        if ledger.entries.len() + messages >= config.messages_max {
            return Err(QueueError::Full { what: "the number of its messages" });
        }
        if ledger.recipients + others + recipients > config.recipients_max {
            return Err(QueueError::Full { what: "the number of its recipients" });
        }
        inner.reserved.set((messages + 1, others + recipients, bytes));
        let mut reserved = Self { inner: Rc::clone(inner), recipients, bytes: 0 };
        drop(ledger);
        reserved.grow(0)?;
        Ok(reserved)
    }

    fn grow(&mut self, more: u64) -> Result<(), QueueError> {
        let (messages, recipients, bytes) = self.inner.reserved.get();
        self.bytes += more;
        self.inner.reserved.set((messages, recipients, bytes + more));
        if self.inner.ledger.borrow().bytes + bytes + more > self.inner.config.bytes_max {
            return Err(QueueError::Full { what: "the bytes of its messages" });
        }
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let (messages, recipients, bytes) = self.inner.reserved.get();
        self.inner.reserved.set((messages - 1, recipients - self.recipients, bytes - self.bytes));
    }
}

impl QueueError {
    /// What a client of SMTP is told.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Full { .. } => Reply::fixed(452, "4.3.1 The queue is full, try again later"),
            Self::TooLarge { .. } => Reply::fixed(552, "5.3.4 The message is too large"),
            Self::NoRecipient => Reply::fixed(554, "5.5.1 There is no recipient"),
            Self::Envelope => Reply::fixed(501, "5.5.4 The envelope has a parameter that is none"),
            Self::BareLineEnd => Reply::fixed(554, "5.6.0 The message has a bare CR or LF"),
            Self::Stopped => Reply::fixed(421, "4.3.2 The server stops"),
            _ => {
                tracing::error!(error = %with_causes(self), "a message could not be queued");
                Reply::try_later()
            }
        }
    }
}

impl From<DraftError> for QueueError {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::BareLineEnd => Self::BareLineEnd,
            DraftError::Io(error) if error.kind() == io::ErrorKind::InvalidInput => Self::Envelope,
            DraftError::Io(source) => {
                Self::Spool { what: "a message could not be written", source }
            }
        }
    }
}

impl From<QueueError> for Reply {
    fn from(error: QueueError) -> Self {
        error.reply()
    }
}

impl fmt::Debug for QueueSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSink")
            .field("id", &self.id)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
