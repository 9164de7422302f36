//! Bytes that were received and that no task has read yet: [`Unread`].

use crate::buffers::{Buffers, Pooled};

/// Capacity that an empty store keeps in the pool: the limit of what a stream receives ahead, and one read.
const CAPACITY_KEPT: usize = 128 * 1024;

/// Received bytes, taken from the front.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    bytes: Vec<u8>,
    /// Bytes at the front that were taken.
    start: usize,
}

impl Unread {
    #[inline]
    pub(super) fn push(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        assert!(len <= self.len(), "more bytes consumed than there are");
        self.start += len;
    }

    /// Puts bytes back before all others.
    pub(super) fn put_back(&mut self, data: &[u8]) {
        if data.len() <= self.start {
            self.start -= data.len();
            self.bytes[self.start..][..data.len()].copy_from_slice(data);
        } else {
            self.bytes.splice(..self.start, data.iter().copied());
            self.start = 0;
        }
    }

    /// Removes taken bytes, so that more can be added without growth.
    pub(super) fn compact(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }

    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.compact();
        self.bytes
    }

    /// Gives the store, with nothing left in it, back to the pool.
    pub(super) fn recycle(mut self: Box<Self>, buffers: &Buffers) {
        self.bytes.clear();
        self.start = 0;
        if self.bytes.capacity() <= CAPACITY_KEPT {
            buffers.give_back_unread(self);
        }
    }
}

impl Pooled for Unread {
    fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_from_the_front_and_put_back_there() {
        let mut unread = Unread::default();
        unread.push(b"abcdef");
        unread.consume(4);
        assert_eq!(unread.as_slice(), b"ef");
        unread.put_back(b"cd");
        assert_eq!(unread.as_slice(), b"cdef");
        unread.put_back(b"0123");
        assert_eq!((unread.as_slice(), unread.len()), (&b"0123cdef"[..], 8));
        unread.consume(1);
        unread.compact();
        assert_eq!(unread.into_vec(), b"123cdef");
    }

    #[test]
    fn a_store_that_has_grown_is_not_kept() {
        let buffers = Buffers::default();
        let mut large = buffers.take_unread();
        large.push(&vec![0; 2 * CAPACITY_KEPT]);
        large.recycle(&buffers);
        assert_eq!(buffers.take_unread().capacity_bytes(), 0);
        let mut small = buffers.take_unread();
        small.push(b"x");
        small.recycle(&buffers);
        assert!(buffers.take_unread().capacity_bytes() > 0);
    }
}
