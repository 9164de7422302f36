//! What the connections of a reactor share: the buffer they read into, and a pool of queues to send from.

use std::{
    cell::{Cell, RefCell},
    ops::DerefMut,
};

use crate::stream::queue::Queue;

/// How much one read may bring.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

/// Queues kept for the next connection that writes; each may keep a buffer that has grown to 64 KiB.
const POOLED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Buffers {
    read: Cell<Option<Box<[u8]>>>,
    /// The queue given back last: in most turns, the only one there is.
    hot: Cell<Option<Box<Queue>>>,
    #[allow(clippy::vec_box, reason = "a queue goes from here to its connection in its box")]
    queues: RefCell<Vec<Box<Queue>>>,
}

impl Buffers {
    /// The shared read buffer, until this is dropped. The loop reads for one connection at a time.
    pub(crate) fn read_buffer(&self) -> impl DerefMut<Target = [u8]> {
        let buffer = self.read.take().unwrap_or_else(|| vec![0; READ_BUFFER].into_boxed_slice());
        ReadBuffer { buffers: self, buffer }
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
        debug_assert!(queue.is_empty(), "bytes of one connection must not reach another");
        if let Some(queue) = self.hot.replace(Some(queue)) {
            let mut queues = self.queues.borrow_mut();
            if queues.len() < POOLED_MAX {
                queues.push(queue);
            }
        }
    }
}

struct ReadBuffer<'a> {
    buffers: &'a Buffers,
    buffer: Box<[u8]>,
}

impl std::ops::Deref for ReadBuffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer
    }
}

impl DerefMut for ReadBuffer<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

impl Drop for ReadBuffer<'_> {
    fn drop(&mut self) {
        self.buffers.read.set(Some(std::mem::take(&mut self.buffer)));
    }
}
