//! What waits to be sent: small writes gathered in a buffer, large `Bytes` as they are. Pure of system calls.

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

/// `Bytes` shorter than this are copied into the gathering buffer: cheaper than a segment of their own.
const COPY_MAX: usize = 4 * 1024;

/// A gathering buffer takes no more than this; then another begins.
const BUFFER_MAX: usize = 64 * 1024;

/// What a gathering buffer starts with.
const BUFFER_MIN: usize = 2 * 1024;

/// Segments handed to one `writev(2)`. The system's limit is 1,024 or less.
pub(super) const SEGMENTS_PER_WRITE: usize = 64;

/// Segments that an empty queue has room for. It goes back to the pool, where what a burst took must not stay.
const SEGMENTS_KEPT: usize = 256;

enum Segment {
    Gathered(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(buffer) => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes in the order in which they were written: first `front`, then `rest`. What a request-response server writes fits
/// into `front`, whose allocation stays when it has been sent. A connection with nothing to send has no queue at all.
#[derive(Default)]
pub(crate) struct Queue {
    front: Vec<u8>,
    rest: VecDeque<Segment>,
    /// How much has been sent of `front` or, if that is empty, of the first of `rest`.
    head: usize,
    len: usize,
}

impl Queue {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn push_slice(&mut self, data: &[u8]) {
        if self.rest.is_empty() && self.front.len() + data.len() <= BUFFER_MAX {
            self.len += data.len();
            self.front.extend_from_slice(data);
        } else {
            self.push_behind(data);
        }
    }

    fn push_behind(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.len += data.len();
        match self.rest.back_mut() {
            Some(Segment::Gathered(buffer)) if buffer.len() + data.len() <= BUFFER_MAX => {
                buffer.extend_from_slice(data);
            }
            _ => {
                let mut buffer = Vec::with_capacity(data.len().max(BUFFER_MIN));
                buffer.extend_from_slice(data);
                self.rest.push_back(Segment::Gathered(buffer));
            }
        }
    }

    pub(crate) fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_MAX {
            self.push_slice(&bytes);
        } else {
            self.len += bytes.len();
            self.rest.push_back(Segment::Shared(bytes));
        }
    }

    /// Lays what comes first into `slices` and returns how many of them are filled.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let front = Some(&*self.front).filter(|front| !front.is_empty());
        let parts = front.into_iter().chain(self.rest.iter().map(Segment::bytes));
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            let sent = if filled == 0 { self.head } else { 0 };
            *slice = IoSlice::new(&part[sent..]);
            filled += 1;
        }
        filled
    }

    /// All there is, if it lies in one piece in front: the common case, for a plain `write(2)`.
    #[inline]
    pub(crate) fn only(&self) -> Option<&[u8]> {
        if self.rest.is_empty() { Some(&self.front[self.head..]) } else { None }
    }

    /// Takes away what has been sent.
    #[inline]
    pub(crate) fn consume(&mut self, sent: usize) {
        debug_assert!(sent <= self.len, "more was sent than was queued");
        self.len -= sent;
        if self.len == 0 {
            self.front.clear();
            self.head = 0;
            if !self.rest.is_empty() {
                self.rest.clear();
                self.rest.shrink_to(SEGMENTS_KEPT);
            }
        } else {
            self.consume_some(sent);
        }
    }

    fn consume_some(&mut self, mut sent: usize) {
        if !self.front.is_empty() {
            let left = self.front.len() - self.head;
            if sent < left {
                self.head += sent;
                return;
            }
            sent -= left;
            self.front.clear();
            self.head = 0;
        }
        while let Some(first) = self.rest.front() {
            let left = first.bytes().len() - self.head;
            if sent < left {
                self.head += sent;
                return;
            }
            sent -= left;
            self.head = 0;
            self.rest.pop_front();
        }
    }

    /// Drops everything; afterwards the queue is as good as new and may be used by another connection.
    pub(crate) fn clear(&mut self) {
        self.consume(self.len);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contents(queue: &Queue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = queue.fill(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn bytes_leave_in_the_order_written_however_they_are_cut() {
        let big: Vec<u8> = (0..COPY_MAX).map(|n| n as u8).collect();
        let mut expected = b"one".to_vec();
        expected.extend(&big);
        expected.extend(b"two");
        for step in [1, 2, 3, 1000, expected.len()] {
            let mut queue = Queue::default();
            queue.push_slice(b"on");
            queue.push_slice(b"e");
            queue.push_bytes(Bytes::from(big.clone()));
            queue.push_bytes(Bytes::from_static(b"t"));
            queue.push_slice(b"wo");
            assert_eq!(queue.len(), expected.len());
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let mut next = contents(&queue);
                assert_eq!(next.len(), queue.len());
                next.truncate(step);
                queue.consume(next.len());
                seen.extend(next);
            }
            assert!(seen == expected, "step {step}");
        }
    }

    proptest! {
        /// Against a plain vector of bytes: whatever is pushed and however it is consumed, `fill` shows what is left.
        #[test]
        fn it_is_a_queue_of_bytes(
            steps in prop::collection::vec((0..4_u8, prop_oneof![0..5_usize, 4_000..4_200_usize, 60_000..70_000_usize]), 1..40),
        ) {
            let mut queue = Queue::default();
            let mut model: Vec<u8> = Vec::new();
            let mut next = 0_u8;
            for (kind, len) in steps {
                let bytes: Vec<u8> = (0..len).map(|_| { next = next.wrapping_mul(5).wrapping_add(17); next }).collect();
                match kind {
                    0 => { queue.push_slice(&bytes); model.extend(&bytes); }
                    1 => { queue.push_bytes(Bytes::from(bytes.clone())); model.extend(&bytes); }
                    2 => { let n = len.min(queue.len()); queue.consume(n); model.drain(..n); }
                    _ if len < 3 => { queue.clear(); model.clear(); }
                    _ => { let all = queue.len(); queue.consume(all); model.clear(); }
                }
                prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
                let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
                let filled = queue.fill(&mut slices);
                let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert!(seen == model, "{} bytes instead of {}", seen.len(), model.len());
                if let Some(only) = queue.only() {
                    prop_assert!(only == &model[..]);
                }
            }
        }
    }

    #[test]
    fn a_large_bytes_is_not_copied() {
        let mut queue = Queue::default();
        let bytes = Bytes::from(vec![7; COPY_MAX]);
        queue.push_bytes(bytes.clone());
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(queue.fill(&mut slices), 1);
        assert_eq!(slices[0].as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_drained_queue_keeps_one_buffer_for_the_next_write() {
        let mut queue = Queue::default();
        queue.push_slice(b"first");
        let before = queue.only().map(<[u8]>::as_ptr);
        queue.consume(5);
        queue.push_slice(b"again");
        assert_eq!(queue.only().map(<[u8]>::as_ptr), before);
    }
}
