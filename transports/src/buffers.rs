//! What the connections of a reactor share: the buffer they read into, and a pool of queues to send from.

use std::{
    cell::{Cell, RefCell, RefMut},
    mem,
};

use crate::stream::queue::Queue;

/// How much one read may bring.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

/// Queues kept for the next connection that writes; each may keep a buffer that has grown to 64 KiB.
const POOLED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Buffers {
    /// Made when something is read for the first time.
    read: RefCell<Vec<u8>>,
    /// The queue given back last: in most turns, the only one there is.
    hot: Cell<Option<Box<Queue>>>,
    #[allow(clippy::vec_box, reason = "a queue goes from here to its connection in its box")]
    queues: RefCell<Vec<Box<Queue>>>,
    /// What came through a layer, on its way to a protocol.
    plain: RefCell<Vec<u8>>,
}

impl Buffers {
    /// The shared read buffer, until this is dropped. The loop reads for one connection at a time.
    #[inline]
    pub(crate) fn read_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut buffer = self.read.borrow_mut();
        if buffer.is_empty() {
            buffer.resize(READ_BUFFER, 0);
        }
        buffer
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
        match self.hot.take() {
            None => put(&self.hot, queue),
            Some(other) => {
                put(&self.hot, queue);
                self.pool(other);
            }
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

/// Puts a queue where none is, without a look at whether one has to be dropped.
#[inline]
pub(crate) fn put(place: &Cell<Option<Box<Queue>>>, queue: Box<Queue>) {
    mem::forget(place.replace(Some(queue)));
}
