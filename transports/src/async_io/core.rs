//! What the protocol behind a stream of tasks and the halves of that stream share: [`Core`]. The protocol puts received bytes and
//! events in, the halves take them out.

use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt, io,
    task::{Context, Poll, Waker},
};

use sinew_reactor::{Deferred, Promise};

use super::Unread;
use crate::{ConnectionLost, Transport, stream::Awaited, waiters::push_waiter};

/// Received bytes that are kept for a task that reads slower than they arrive. Beyond it reading is paused, so that at most one
/// further read of 64 KiB is added.
pub const READ_LIMIT: usize = 64 * 1024;

/// State shared by the protocol and the halves of a stream.
pub(super) struct Core {
    pub(super) transport: Transport,
    /// Received bytes. `None` if there are none, so that an idle stream owns no buffer.
    unread: Cell<Option<Box<Unread>>>,
    /// The task that waits for bytes, or for the end of a TLS handshake, or that did so last.
    reader: Cell<Option<Waker>>,
    flags: Cell<u8>,
    /// What few streams need, and none for most of its life.
    rare: OnceCell<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    end: OnceCell<End>,
    when_draining: RefCell<Vec<Promise<()>>>,
}

/// Why a connection is over.
pub(super) struct End {
    is_clean: bool,
    kind: io::ErrorKind,
    text: Box<str>,
}

/// A task waits for bytes, or was woken for them and has not run yet.
pub(super) const READING: u8 = 1;
/// Reading is paused, because no task reads.
pub(super) const PAUSED: u8 = 2;
/// The peer has ended its side.
pub(super) const ENDED: u8 = 4;
/// The reading half was dropped.
pub(super) const READER_DROPPED: u8 = 8;
/// The writing half was dropped.
pub(super) const WRITER_DROPPED: u8 = 16;
/// The connection was given to a protocol, so that drops of the halves do nothing.
pub(super) const GIVEN_AWAY: u8 = 32;
/// The server is being drained.
pub(super) const DRAINING: u8 = 64;
/// The handshake of `start_tls` is complete.
pub(super) const TLS_STARTED: u8 = 128;

impl Core {
    pub(super) fn new(transport: Transport, flags: u8) -> Self {
        Self {
            transport,
            unread: Cell::default(),
            reader: Cell::default(),
            flags: Cell::new(flags),
            rare: OnceCell::new(),
        }
    }

    #[inline]
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    pub(super) fn set(&self, flag: u8) {
        self.flags.set(self.flags.get() | flag);
    }

    #[inline]
    pub(super) fn clear(&self, flag: u8) {
        self.flags.set(self.flags.get() & !flag);
    }

    // ---- called by the protocol ----

    pub(super) fn received(&self, data: &[u8]) {
        if self.has(READER_DROPPED) {
            return self.pause();
        }
        let stored = self.unread.take();
        let mut unread = stored.unwrap_or_else(|| self.transport.inner().buffers().take_unread());
        unread.push(data);
        let is_full = unread.len() >= READ_LIMIT;
        self.unread.set(Some(unread));
        if is_full || !self.has(READING) {
            self.pause();
        }
        self.wake_reader();
    }

    fn pause(&self) {
        self.set(PAUSED);
        self.transport.pause_reading();
    }

    /// The waker stays, since the same task waits again most often.
    #[inline]
    pub(super) fn wake_reader(&self) {
        if !self.has(READING) {
            return;
        }
        if let Some(waker) = self.reader.take() {
            waker.wake_by_ref();
            self.reader.set(Some(waker));
        }
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// The connection is over, or is being closed for this reason. Only the first counts.
    pub(super) fn ended(&self, reason: &ConnectionLost) {
        let error = io::Error::from(reason);
        let end =
            End { is_clean: reason.is_clean(), kind: error.kind(), text: error.to_string().into() };
        let _ = self.rare().end.set(end);
        self.wake_reader();
    }

    pub(super) fn drain_requested(&self) {
        self.set(DRAINING);
        if let Some(rare) = self.rare.get() {
            rare.when_draining.take().into_iter().for_each(|promise| promise.resolve(()));
        }
    }

    // ---- called by the halves ----

    pub(super) fn end(&self) -> Option<&End> {
        self.rare.get()?.end.get()
    }

    #[inline]
    pub(super) fn take_unread(&self) -> Option<Box<Unread>> {
        self.unread.take()
    }

    pub(super) fn put_unread(&self, unread: Option<Box<Unread>>) {
        self.unread.set(unread);
    }

    /// Has the loop wake this task when bytes or the end of the input arrive, and lets them arrive.
    #[inline]
    pub(super) fn wait_for_input(&self, context: &Context<'_>) {
        self.set(READING);
        let waker = match self.reader.take() {
            Some(waker) if waker.will_wake(context.waker()) => waker,
            _ => context.waker().clone(),
        };
        self.reader.set(Some(waker));
        self.resume();
    }

    pub(super) fn resume(&self) {
        if self.has(PAUSED) {
            self.clear(PAUSED);
            self.transport.resume_reading();
        }
    }

    pub(super) fn when_draining(&self) -> Deferred<()> {
        let (promise, deferred) = self.transport.inner().promise();
        if self.has(DRAINING) || self.end().is_some() {
            promise.resolve(());
        } else {
            push_waiter(&self.rare().when_draining, promise);
        }
        deferred
    }

    pub(super) fn poll_output(&self, awaited: Awaited, context: &Context<'_>) -> Poll<()> {
        self.transport.inner().poll_output(awaited, context)
    }

    /// Why nothing can be written.
    #[cold]
    pub(super) fn output_error(&self) -> io::Error {
        match self.end() {
            Some(end) if !end.is_clean => end.error(),
            _ => self.transport.inner().output_error().unwrap_or_else(|| {
                io::Error::new(
                    io::ErrorKind::BrokenPipe,
                    "could not write: the connection or its output is closed",
                )
            }),
        }
    }

    /// Why the output has failed, if it has.
    pub(super) fn output_failure(&self) -> Option<io::Error> {
        match self.end() {
            Some(end) => (!end.is_clean).then(|| end.error()),
            None => self.transport.inner().output_error(),
        }
    }

    pub(super) fn reader_dropped(&self) {
        self.set(READER_DROPPED);
        if self.has(GIVEN_AWAY) {
            return;
        }
        if let Some(unread) = self.unread.take() {
            unread.recycle(self.transport.inner().buffers());
        }
        drop(self.reader.take());
        if self.has(WRITER_DROPPED) {
            self.transport.lose_connection();
        } else {
            self.pause();
        }
    }

    pub(super) fn writer_dropped(&self) {
        self.set(WRITER_DROPPED);
        if self.has(GIVEN_AWAY) {
            return;
        }
        if self.has(READER_DROPPED) {
            self.transport.lose_connection();
        } else {
            self.transport.close_write();
        }
    }
}

impl End {
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean
    }

    pub(super) fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.text.to_string())
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unread = self.unread.take();
        let len = unread.as_ref().map_or(0, |unread| unread.len());
        self.unread.set(unread);
        f.debug_struct("AsyncStream")
            .field("peer", &self.transport.peer())
            .field("unread", &len)
            .field("queued", &self.transport.queued())
            .field("over", &self.end().map(|end| &end.text))
            .finish()
    }
}
