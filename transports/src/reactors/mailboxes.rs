//! Messages between reactors: [`Mailboxes`], a bounded mailbox of values for each.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::{Arc, OnceLock},
};

use sinew_reactor::{Handler, Reactor, Ready, RegisterError, Token};

use crate::mailbox::{Inbox, Mailbox, NotQueued};

/// Messages that one reactor handles in a turn, so that its connections get their share of the turn.
const MESSAGES_PER_TURN: usize = 1_024;

/// A bounded mailbox of values for each of several [`Reactors`](super::Reactors). Cheap to clone, `Send + Sync`: any thread may
/// send. [`Reactors::receive`](super::Reactors::receive) says what happens with the messages.
///
/// # Order
///
/// Messages of one thread to one reactor arrive in the order in which they were sent. That is all: messages of two threads
/// are not ordered, so two reactors may receive them in different orders; nor are messages ordered with connections, or with
/// [calls](super::ReactorsHandle::call). Where everybody must see the same order, send everything to one reactor, and let
/// that one send it on.
///
/// A reactor that sends to itself receives the message in its next turn, as any other.
///
/// # Bounds
///
/// A mailbox holds `capacity` messages. At the limit the message is returned: drop it, try again later, or stop reading what
/// causes messages. A reactor takes 1,024 messages in a turn at most. Messages in the mailbox of a reactor that ends or fails
/// are dropped.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::mpsc;
/// use sinew_transports::reactors::{Mailboxes, Reactors, Shard};
///
/// let words = Mailboxes::<&str>::new(1_024);
/// let (sender, receiver) = mpsc::channel();
/// let reactors = Reactors::new(2)
///     .receive(&words, move |shard: &Shard| {
///         let (index, sender) = (shard.index(), sender.clone());
///         move |_, word| drop(sender.send((index, word)))
///     })
///     .start()?;
/// words.send(1, "hello")?;
/// assert_eq!(receiver.recv()?, (1, "hello"));
/// reactors.stop()?;
/// reactors.join()?;
/// assert!(words.send(1, "nobody is there").is_err());
/// # Ok(())
/// # }
/// ```
pub struct Mailboxes<M> {
    inner: Arc<Inner<M>>,
}

struct Inner<M> {
    capacity: usize,
    /// One for each reactor, from when their number is known.
    each: OnceLock<Box<[Arc<Mailbox<M>>]>>,
}

/// A message was not sent. The error returns it.
#[derive(PartialEq, Eq)]
pub struct MailboxError<M> {
    /// The message.
    pub message: M,
    /// Why it was not sent.
    pub reason: NotSent,
}

/// Why a message was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The reactor has stopped, has failed and not been restarted yet, or was not started.
    #[error("reactor {shard} does not run")]
    Stopped {
        /// Its index.
        shard: usize,
    },
    /// As many messages wait as the mailbox holds.
    #[error("the mailbox of reactor {shard} is full ({limit} messages)")]
    Full {
        /// Its index.
        shard: usize,
        /// The capacity.
        limit: usize,
    },
    /// There is no reactor with this index.
    #[error("there is no reactor {shard} among {shards}")]
    NoSuchShard {
        /// The index.
        shard: usize,
        /// The number of reactors.
        shards: usize,
    },
}

impl<M> fmt::Display for MailboxError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<M> std::error::Error for MailboxError<M> {}

impl<M> fmt::Debug for MailboxError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

sinew_reactor::error_debug!(NotSent);

impl<M: Send + 'static> Mailboxes<M> {
    /// Mailboxes for `capacity` messages each, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { inner: Arc::new(Inner { capacity: capacity.max(1), each: OnceLock::new() }) }
    }

    /// How many messages each holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity
    }

    /// Makes the mailboxes, for as many reactors.
    pub(super) fn connect(&self, shards: usize) {
        let capacity = self.inner.capacity;
        self.inner
            .each
            .get_or_init(|| (0..shards).map(|_| Arc::new(Mailbox::new(capacity))).collect());
    }

    fn each(&self) -> &[Arc<Mailbox<M>>] {
        self.inner.each.get().map_or(&[], |each| each)
    }

    /// Sends a message to one reactor. Does not block.
    ///
    /// # Errors
    ///
    /// [`MailboxError`], which returns the message.
    pub fn send(&self, shard: usize, message: M) -> Result<(), MailboxError<M>> {
        let Some(mailbox) = self.each().get(shard) else {
            let reason = match self.each().len() {
                0 => NotSent::Stopped { shard },
                shards => NotSent::NoSuchShard { shard, shards },
            };
            return Err(MailboxError { message, reason });
        };
        mailbox.send(message).map_err(|(message, reason)| {
            let reason = match reason {
                NotQueued::Closed => NotSent::Stopped { shard },
                NotQueued::Full => NotSent::Full { shard, limit: mailbox.capacity() },
            };
            MailboxError { message, reason }
        })
    }

    /// Sends clones of a message to all reactors but one, usually the sender's own. Returns an error for each that did not get
    /// it.
    pub fn send_to_others(&self, own: usize, message: &M) -> Vec<MailboxError<M>>
    where
        M: Clone,
    {
        let others = (0..self.each().len()).filter(|shard| *shard != own);
        others.filter_map(|shard| self.send(shard, message.clone()).err()).collect()
    }

    /// Has the handler called on this reactor for each message to it.
    pub(super) fn receive(
        &self,
        reactor: &Reactor,
        shard: usize,
        call: impl FnMut(&Reactor, M) + 'static,
    ) -> Result<(), RegisterError> {
        let Some(mailbox) = self.each().get(shard) else { return Ok(()) };
        let token = reactor.reserve()?;
        let inbox = mailbox.open(reactor, token);
        let receiver = Receiver { token, inbox, call: RefCell::new(call) };
        reactor.bind(token, Rc::new(receiver));
        Ok(())
    }
}

impl<M> Clone for Mailboxes<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<M> fmt::Debug for Mailboxes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailboxes")
            .field("capacity", &self.inner.capacity)
            .field("reactors", &self.inner.each.get().map(|each| each.len()))
            .finish()
    }
}

/// Receives the messages to one reactor. Only the loop borrows `call`.
struct Receiver<M, F> {
    token: Token,
    inbox: Inbox<M>,
    call: RefCell<F>,
}

impl<M: Send + 'static, F: FnMut(&Reactor, M) + 'static> Handler for Receiver<M, F> {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.inbox.begin();
        let what = || format!("the handler of {}", std::any::type_name::<M>());
        for _ in 0..MESSAGES_PER_TURN {
            let Some(message) = self.inbox.take() else { return };
            // A panic concerns this message only.
            let _ = reactor.guard(what, || (*self.call.borrow_mut())(reactor, message));
        }
        if !self.inbox.is_empty() {
            reactor.reschedule(self.token);
        }
    }

    fn describe(&self) -> String {
        format!("the mailbox of {}", std::any::type_name::<M>())
    }
}
