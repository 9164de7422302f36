//! Pull producers: output that is made when there is room for it (backpressure).
//!
//! A user's [`Producer`] writes to the transport, which queues the data. The crate's own [`Feed`]s may also write past the queue,
//! straight into the socket, and report when that is full.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use sinew_reactor::Reactor;

use crate::Transport;

/// Makes output for a transport, piece by piece, whenever there is room: [`Transport::stream`].
///
/// # Examples
///
/// ```
/// use sinew_transports::{Producer, Production, Transport};
///
/// /// Counts to a million without ever queueing more than a few kilobytes.
/// struct Count(u32);
///
/// impl Producer for Count {
///     fn produce(&mut self, transport: &Transport) -> Production {
///         transport.write(format!("{}\r\n", self.0).as_bytes());
///         self.0 += 1;
///         if self.0 > 1_000_000 { Production::Done } else { Production::More }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not produce output",
    label = "not a `Producer`",
    note = "implement `Producer` for a type: `produce` writes the next piece and says whether there is more",
    note = "data in memory is written by `write` or `write_bytes`, and a file is sent by `send_file`"
)]
pub trait Producer: 'static {
    /// Write the next piece, from a few bytes to some 64 KiB. Called by the loop while the queue is at or below its low
    /// watermark.
    fn produce(&mut self, transport: &Transport) -> Production;
}

/// Result of [`Producer::produce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub enum Production {
    /// There is more; call again when there is room.
    More,
    /// Nothing now; call again after [`Transport::resume_producing`].
    Waiting,
    /// Nothing more; the producer is dropped.
    Done,
}

/// A source of output that the stream calls while there is room.
pub(crate) trait Feed {
    fn feed(&mut self, reactor: &Reactor, transport: &Transport) -> FeedStatus;
}

/// Result of [`Feed::feed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedStatus {
    /// A piece is queued, and there is more.
    More,
    /// Nothing now; call again after `resume_producing`.
    Waiting,
    /// Nothing more.
    Done,
    /// One round's share went straight into the socket, and there is more.
    Sent,
    /// The socket is full, or queued data goes first.
    Full,
}

impl<P: Producer> Feed for P {
    fn feed(&mut self, _: &Reactor, transport: &Transport) -> FeedStatus {
        match self.produce(transport) {
            Production::More => FeedStatus::More,
            Production::Waiting => FeedStatus::Waiting,
            Production::Done => FeedStatus::Done,
        }
    }
}

/// Producers for which an empty list keeps room.
const LIST_LEN: usize = 4;

/// The producers of a connection, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Producers {
    queue: RefCell<VecDeque<Box<dyn Feed>>>,
    /// The first producer has nothing now.
    waiting: Cell<bool>,
    /// `resume_producing` was called since the first producer was called.
    resumed: Cell<bool>,
    /// The first producer waits for a writable socket, with bytes that are not queued.
    full: Cell<bool>,
}

impl Producers {
    /// Whether there is no producer.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Whether a producer waits for a writable socket, with bytes that are not queued.
    pub(crate) fn waits_for_writable(&self) -> bool {
        self.full.get()
    }

    /// Frees the room of a long list that has become short.
    pub(crate) fn shrink(&self) {
        self.queue.borrow_mut().shrink_to(LIST_LEN);
    }

    pub(crate) fn push(&self, producer: Box<dyn Feed>) {
        self.queue.borrow_mut().push_back(producer);
    }

    /// Takes the first producer, unless it waits. It is out of the queue during the call, because it may call the transport.
    pub(crate) fn take_front(&self) -> Option<RunningProducer<'_>> {
        if self.waiting.get() {
            return None;
        }
        self.resumed.set(false);
        let producer = self.queue.borrow_mut().pop_front()?;
        Some(RunningProducer { producers: self, producer: Some(producer) })
    }

    pub(crate) fn resume(&self) {
        self.waiting.set(false);
        self.resumed.set(true);
    }

    /// Takes all producers, so that the caller can drop them.
    pub(crate) fn take(&self) -> VecDeque<Box<dyn Feed>> {
        self.full.set(false);
        self.queue.take()
    }
}

/// A producer during its call. It goes back to its place on drop, unless it is done, so that unwinding does not drop a producer
/// that panicked: a second panic in its drop would abort the process.
pub(crate) struct RunningProducer<'a> {
    producers: &'a Producers,
    producer: Option<Box<dyn Feed>>,
}

impl RunningProducer<'_> {
    pub(crate) fn producer(&mut self) -> &mut dyn Feed {
        &mut **self.producer.as_mut().expect("present until `finish`")
    }

    pub(crate) fn finish(mut self, fed: FeedStatus) {
        let Producers { waiting, resumed, full, .. } = self.producers;
        waiting.set(fed == FeedStatus::Waiting && !resumed.get());
        full.set(fed == FeedStatus::Full);
        if fed == FeedStatus::Done {
            drop(self.producer.take());
        }
    }
}

impl Drop for RunningProducer<'_> {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            self.producers.queue.borrow_mut().push_front(producer);
        }
    }
}
