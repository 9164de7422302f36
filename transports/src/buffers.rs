//! What the connections of a reactor share: the buffer they read into, and a pool of queues to send from.

use std::{
    cell::{Cell, RefCell, RefMut},
    mem,
    ops::{Deref, DerefMut},
};

use crate::stream::queue::Queue;

/// How much one read may bring.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

/// Queues kept for the next connection that writes; each may keep a buffer that has grown to 64 KiB.
const POOLED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Buffers {
    /// Made when something is read for the first time.
    read: Cell<Option<Box<[u8; READ_BUFFER]>>>,
    /// The queue given back last: in most turns, the only one there is.
    hot: Cell<Option<Box<Queue>>>,
    #[allow(clippy::vec_box, reason = "a queue goes from here to its connection in its box")]
    queues: RefCell<Vec<Box<Queue>>>,
    /// What came through a layer, on its way to a protocol.
    plain: RefCell<Vec<u8>>,
}

impl Buffers {
    /// The shared read buffer, until this is dropped. The loop reads for one connection at a time.
    #[inline(always)]
    pub(crate) fn read_buffer(&self) -> ReadBuffer<'_> {
        let buffer = self.read.take().unwrap_or_else(new_read_buffer);
        ReadBuffer { place: &self.read, buffer: Some(buffer) }
    }

    /// Where a layer puts what has come through it, until this is dropped.
    pub(crate) fn plain_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut plain = self.plain.borrow_mut();
        plain.clear();
        plain
    }

    #[inline]
    pub(crate) fn take_queue(&self) -> Box<Queue> {
        match self.hot.take() {
            Some(queue) => queue,
            None => self.queues.borrow_mut().pop().unwrap_or_default(),
        }
    }

    /// Takes back a queue that has been emptied.
    #[inline]
    pub(crate) fn give_back(&self, queue: Box<Queue>) {
        debug_assert!(queue.is_idle(), "bytes of one connection must not reach another");
        if let Some(other) = self.hot.replace(Some(queue)) {
            self.pool(other);
        }
    }

    #[cold]
    fn pool(&self, queue: Box<Queue>) {
        let mut queues = self.queues.borrow_mut();
        if queues.len() < POOLED_MAX {
            queues.push(queue);
        }
    }
}

#[cold]
fn new_read_buffer() -> Box<[u8; READ_BUFFER]> {
    let buffer = vec![0; READ_BUFFER].into_boxed_slice();
    buffer.try_into().expect("it has been made so long")
}

/// The buffer that all read into, taken out of its place for the time of a read and of what comes of it.
pub(crate) struct ReadBuffer<'a> {
    place: &'a Cell<Option<Box<[u8; READ_BUFFER]>>>,
    buffer: Option<Box<[u8; READ_BUFFER]>>,
}

impl Deref for ReadBuffer<'_> {
    type Target = [u8; READ_BUFFER];

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        self.buffer.as_ref().expect("it goes back when this is dropped")
    }
}

impl DerefMut for ReadBuffer<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.buffer.as_mut().expect("it goes back when this is dropped")
    }
}

impl Drop for ReadBuffer<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // There is none in its place that would have to be dropped.
        mem::forget(self.place.replace(self.buffer.take()));
    }
}

/// Puts a queue where none is, without a look at whether one has to be dropped.
#[inline]
pub(crate) fn put(place: &Cell<Option<Box<Queue>>>, queue: Box<Queue>) {
    mem::forget(place.replace(Some(queue)));
}
