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
mod tests;
