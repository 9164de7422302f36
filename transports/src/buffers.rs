//! Buffers shared by the connections of a reactor: one read buffer, a pool of output queues, and a pool of the bytes that tasks have
//! not read yet.

use std::{
    any::Any,
    cell::{Cell, RefCell, RefMut},
    mem,
    ops::{Deref, DerefMut},
    rc::Rc,
};

use crate::{async_io::Unread, stream::queue::Queue};

/// Capacity of the read buffer: most bytes of one read of a stream.
pub const READ_BUFFER: usize = 64 * 1024;

/// Most items in a pool: as many queues as one message to a large chat room needs at a time.
const POOLED_MAX: usize = 1_024;

/// Most bytes that a pool keeps in all. A queue that has grown may keep 64 KiB.
const POOLED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A pool keeps this many items of any capacity, and more only if they have little. Otherwise many connections that have once sent much at
/// the same time, such as those who enter a large chat room, would have the pool keep a large queue for each of them.
const LARGE_KEPT: usize = 64;
const LARGE: usize = 2 * 1024;

#[derive(Default)]
pub(crate) struct Buffers {
    /// Allocated at the first read.
    read: Cell<Option<Box<[u8; READ_BUFFER]>>>,
    queues: Pool<Queue>,
    unread: Pool<Unread>,
    /// The rarely needed state that a connection gave up last: one may need it for each message. Of a type of the stream's own.
    spare: Cell<Option<Rc<dyn Any>>>,
    /// Plaintext received through a layer, until it is delivered.
    plain: RefCell<Vec<u8>>,
}

impl Buffers {
    /// Takes the shared read buffer until the guard is dropped. The event loop reads for one connection at a time.
    #[inline(always)]
    pub(crate) fn read_buffer(&self) -> ReadBuffer<'_> {
        let buffer = self.read.take().unwrap_or_else(new_read_buffer);
        ReadBuffer { place: &self.read, buffer: Some(buffer) }
    }

    /// The buffer for plaintext received through a layer, borrowed until the guard is dropped.
    pub(crate) fn plain_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut plain = self.plain.borrow_mut();
        plain.clear();
        plain
    }

    #[inline]
    pub(crate) fn take_queue(&self) -> Box<Queue> {
        self.queues.take()
    }

    /// Returns an empty queue to the pool.
    #[inline]
    pub(crate) fn give_back(&self, queue: Box<Queue>) {
        debug_assert!(queue.is_idle(), "bytes of one connection must not reach another");
        self.queues.give_back(queue);
    }

    /// The state that was given up last, or a new one.
    #[inline]
    pub(crate) fn take_spare<T: Any + Default>(&self) -> Rc<T> {
        self.spare.take().and_then(|spare| spare.downcast().ok()).unwrap_or_default()
    }

    /// Takes a state back in which nothing is.
    #[inline]
    pub(crate) fn give_back_spare<T: Any>(&self, spare: Rc<T>) {
        self.spare.set(Some(spare));
    }

    /// A store for bytes that a task has not read yet.
    #[inline]
    pub(crate) fn take_unread(&self) -> Box<Unread> {
        self.unread.take()
    }

    /// Returns an empty store to the pool.
    #[inline]
    pub(crate) fn give_back_unread(&self, unread: Box<Unread>) {
        debug_assert!(unread.is_empty(), "bytes of one connection must not reach another");
        self.unread.give_back(unread);
    }
}

/// What a pool keeps.
pub(crate) trait Pooled: Default {
    /// Bytes of capacity.
    fn capacity_bytes(&self) -> usize;
}

impl Pooled for Queue {
    fn capacity_bytes(&self) -> usize {
        Self::capacity_bytes(self)
    }
}

/// Empty items that keep their capacity for the next connection that needs one.
#[derive(Default)]
struct Pool<T> {
    /// The item returned last. In most turns no other is used.
    hot: Cell<Option<Box<T>>>,
    #[allow(clippy::vec_box, reason = "an item goes from here to its connection in its box")]
    others: RefCell<Vec<Box<T>>>,
    /// Capacity of all others, in bytes.
    bytes: Cell<usize>,
}

impl<T: Pooled> Pool<T> {
    #[inline]
    fn take(&self) -> Box<T> {
        match self.hot.take() {
            Some(item) => item,
            None => self.take_other(),
        }
    }

    #[inline(never)]
    fn take_other(&self) -> Box<T> {
        let Some(item) = self.others.borrow_mut().pop() else { return Box::default() };
        self.bytes.set(self.bytes.get() - item.capacity_bytes());
        item
    }

    #[inline]
    fn give_back(&self, item: Box<T>) {
        if let Some(other) = self.hot.replace(Some(item)) {
            self.keep(other);
        }
    }

    #[inline(never)]
    fn keep(&self, item: Box<T>) {
        let mut others = self.others.borrow_mut();
        let capacity = item.capacity_bytes();
        let bytes = self.bytes.get() + capacity;
        let len_max = if capacity > LARGE { LARGE_KEPT } else { POOLED_MAX };
        if others.len() < len_max && bytes <= POOLED_BYTES_MAX {
            others.push(item);
            self.bytes.set(bytes);
        }
    }
}

#[cold]
fn new_read_buffer() -> Box<[u8; READ_BUFFER]> {
    let buffer = vec![0; READ_BUFFER].into_boxed_slice();
    buffer.try_into().expect("the length is READ_BUFFER")
}

/// The shared read buffer, taken out while data is read and delivered. Goes back on drop.
pub(crate) struct ReadBuffer<'a> {
    place: &'a Cell<Option<Box<[u8; READ_BUFFER]>>>,
    buffer: Option<Box<[u8; READ_BUFFER]>>,
}

impl Deref for ReadBuffer<'_> {
    type Target = [u8; READ_BUFFER];

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        self.buffer.as_ref().expect("the buffer goes back only on drop")
    }
}

impl DerefMut for ReadBuffer<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.buffer.as_mut().expect("the buffer goes back only on drop")
    }
}

impl Drop for ReadBuffer<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // The place is empty, so there is no old value to drop.
        mem::forget(self.place.replace(self.buffer.take()));
    }
}

/// Stores a queue in an empty place, without the check whether an old value has to be dropped.
#[inline]
pub(crate) fn store_queue(place: &Cell<Option<Box<Queue>>>, queue: Box<Queue>) {
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
    fn the_pool_is_bounded_in_number_and_in_bytes() {
        for (len, kept) in [
            (64, POOLED_MAX),
            (LARGE, POOLED_MAX),
            (LARGE + 1, LARGE_KEPT),
            (64 * 1024, LARGE_KEPT),
        ] {
            let buffers = Buffers::default();
            (0..2 * POOLED_MAX).for_each(|_| buffers.give_back(used(len)));
            assert_eq!(buffers.queues.others.borrow().len(), kept);
            assert!(buffers.queues.bytes.get() <= POOLED_BYTES_MAX);
            (0..2 * POOLED_MAX).for_each(|_| drop(buffers.take_queue()));
            assert_eq!(buffers.queues.bytes.get(), 0);
        }
    }
}
