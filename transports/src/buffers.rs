//! What the connections of a reactor share: the buffer they read into, and a pool of queues to send from.

use std::{
    cell::{Cell, RefCell, RefMut},
    mem,
    ops::{Deref, DerefMut},
};

use crate::stream::queue::Queue;

/// How many bytes one read of a stream may bring.
pub const READ_BUFFER: usize = 64 * 1024;

/// Queues kept for the next connections that write: as many as one message may go out to at a time, to most rooms.
const POOLED_MAX: usize = 1_024;

/// What they keep in all: a buffer that has grown may have 64 KiB.
const POOLED_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Buffers {
    /// Made when something is read for the first time.
    read: Cell<Option<Box<[u8; READ_BUFFER]>>>,
    /// The queue given back last: in most turns, the only one there is.
    hot: Cell<Option<Box<Queue>>>,
    #[allow(clippy::vec_box, reason = "a queue goes from here to its connection in its box")]
    queues: RefCell<Vec<Box<Queue>>>,
    /// What these keep.
    pooled_bytes: Cell<usize>,
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
            None => self.take_pooled(),
        }
    }

    #[inline(never)]
    fn take_pooled(&self) -> Box<Queue> {
        let Some(queue) = self.queues.borrow_mut().pop() else { return Box::default() };
        self.pooled_bytes.set(self.pooled_bytes.get() - queue.storage());
        queue
    }

    /// Takes back a queue that has been emptied.
    #[inline]
    pub(crate) fn give_back(&self, queue: Box<Queue>) {
        debug_assert!(queue.is_idle(), "bytes of one connection must not reach another");
        if let Some(other) = self.hot.replace(Some(queue)) {
            self.pool(other);
        }
    }

    #[inline(never)]
    fn pool(&self, queue: Box<Queue>) {
        let mut queues = self.queues.borrow_mut();
        let bytes = self.pooled_bytes.get() + queue.storage();
        if queues.len() < POOLED_MAX && bytes <= POOLED_BYTES_MAX {
            queues.push(queue);
            self.pooled_bytes.set(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn used(len: usize) -> Box<Queue> {
        let mut queue = Box::<Queue>::default();
        queue.push_slice(&vec![0; len]);
        queue.clear();
        queue
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        for (len, kept) in [(64, POOLED_MAX), (64 * 1024, POOLED_BYTES_MAX / (64 * 1024))] {
            let buffers = Buffers::default();
            (0..2 * POOLED_MAX).for_each(|_| buffers.give_back(used(len)));
            assert_eq!(buffers.queues.borrow().len(), kept);
            assert!(buffers.pooled_bytes.get() <= POOLED_BYTES_MAX);
            (0..2 * POOLED_MAX).for_each(|_| drop(buffers.take_queue()));
            assert_eq!(buffers.pooled_bytes.get(), 0);
        }
    }
}
