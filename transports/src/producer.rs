//! Pull producers: data that is made when there is room for it.
//!
//! A user's [`Producer`] writes to the transport, and what it writes is queued. What is ours is a [`Feed`], which may also put its
//! bytes straight into the socket, and then has to say when that is full.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use sinew_reactor::Reactor;

use crate::Transport;

/// Makes data for a transport, piece by piece, whenever there is room: [`Transport::stream`].
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
    note = "what is there already is written by `write` or `write_bytes`, and a file is sent by `send_file`"
)]
pub trait Producer: 'static {
    /// Write the next piece, from a few bytes to some 64 KiB. Called by the loop while the queue is at or below its low
    /// watermark.
    fn produce(&mut self, transport: &Transport) -> Production;
}

/// What a producer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub enum Production {
    /// More; ask again when there is room.
    More,
    /// Nothing for now; ask again after [`Transport::resume_producing`].
    Waiting,
    /// Nothing, ever; the producer is dropped.
    Done,
}

/// What is asked for output while there is room for it.
pub(crate) trait Feed {
    fn feed(&mut self, reactor: &Reactor, transport: &Transport) -> FeedStatus;
}

/// What came of asking a [`Feed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedStatus {
    /// A piece is queued, and there is more.
    More,
    /// Nothing for now; ask again after `resume_producing`.
    Waiting,
    /// Nothing, ever.
    Done,
    /// A round's share has gone straight into the socket, and there is more.
    Sent,
    /// The socket is full, or what is queued has to go first.
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

/// The producers of a connection, in the order in which they were given.
#[derive(Default)]
pub(crate) struct Producers {
    queue: RefCell<VecDeque<Box<dyn Feed>>>,
    /// The one in front has nothing for now.
    waiting: Cell<bool>,
    /// `resume_producing` was called since the one in front was asked.
    resumed: Cell<bool>,
    /// The one in front has bytes for which there is no room, and which are not queued.
    full: Cell<bool>,
}

impl Producers {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Whether bytes wait for room without being queued.
    pub(crate) fn want_room(&self) -> bool {
        self.full.get()
    }

    pub(crate) fn push(&self, producer: Box<dyn Feed>) {
        self.queue.borrow_mut().push_back(producer);
    }

    /// The one to ask, unless it waits. It is out of the queue while it is asked, for it may call the transport.
    pub(crate) fn ask_front(&self) -> Option<Asked<'_>> {
        if self.waiting.get() {
            return None;
        }
        self.resumed.set(false);
        let producer = self.queue.borrow_mut().pop_front()?;
        Some(Asked { producers: self, producer: Some(producer) })
    }

    pub(crate) fn resume(&self) {
        self.waiting.set(false);
        self.resumed.set(true);
    }

    /// All of them, to be dropped. None waits for room any more.
    pub(crate) fn take(&self) -> VecDeque<Box<dyn Feed>> {
        self.full.set(false);
        self.queue.take()
    }
}

/// A producer that is being asked. Whatever becomes of that, it is in its place again afterwards, unless it is done: one
/// that panics is not dropped by the unwinding, in which another panic would end the process.
pub(crate) struct Asked<'a> {
    producers: &'a Producers,
    producer: Option<Box<dyn Feed>>,
}

impl Asked<'_> {
    pub(crate) fn producer(&mut self) -> &mut dyn Feed {
        &mut **self.producer.as_mut().expect("it has not answered yet")
    }

    pub(crate) fn answered(mut self, fed: FeedStatus) {
        let Producers { waiting, resumed, full, .. } = self.producers;
        waiting.set(fed == FeedStatus::Waiting && !resumed.get());
        full.set(fed == FeedStatus::Full);
        if fed == FeedStatus::Done {
            drop(self.producer.take());
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            self.producers.queue.borrow_mut().push_front(producer);
        }
    }
}
