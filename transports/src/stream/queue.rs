//! What waits to be sent: small writes gathered in a buffer, large `Bytes` as they are. Pure of system calls.

#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    /// No bytes: what goes with the first byte behind it.
    #[cfg(unix)]
    Descriptor(OwnedFd),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(buffer) => buffer,
            Self::Shared(bytes) => bytes,
            #[cfg(unix)]
            Self::Descriptor(_) => &[],
        }
    }

    /// Without so many of its last bytes.
    fn shortened(self, by: usize) -> Self {
        match self {
            Self::Gathered(mut buffer) => {
                buffer.truncate(buffer.len() - by);
                Self::Gathered(buffer)
            }
            Self::Shared(bytes) => Self::Shared(bytes.slice(..bytes.len() - by)),
            #[cfg(unix)]
            Self::Descriptor(_) => self,
        }
    }

    const fn is_descriptor(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Descriptor(_));
        #[cfg(not(unix))]
        false
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
        if self.rest.is_empty() && data.len() <= self.front.capacity() - self.front.len() {
            self.len += data.len();
            self.front.extend_from_slice(data);
        } else {
            self.push_otherwise(data);
        }
    }

    #[cold]
    fn push_otherwise(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.len += data.len();
        if self.rest.is_empty() && self.front.len() + data.len() <= BUFFER_MAX {
            return self.front.extend_from_slice(data);
        }
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

    /// Queues a descriptor, to go with the next byte.
    #[cfg(unix)]
    pub(crate) fn push_descriptor(&mut self, descriptor: OwnedFd) {
        self.rest.push_back(Segment::Descriptor(descriptor));
    }

    /// How many descriptors wait.
    #[cfg(unix)]
    pub(crate) fn descriptors(&self) -> usize {
        self.rest.iter().filter(|segment| segment.is_descriptor()).count()
    }

    /// The descriptors that go with the first byte.
    #[cfg(unix)]
    pub(crate) fn front_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let first = if self.front.is_empty() { self.rest.iter() } else { Default::default() };
        let descriptors = first.map_while(|segment| match segment {
            Segment::Descriptor(descriptor) => Some(descriptor.as_fd()),
            _ => None,
        });
        descriptors.collect()
    }

    /// Lets go of descriptors that have been sent.
    #[cfg(unix)]
    pub(crate) fn descriptors_sent(&mut self, count: usize) {
        self.rest.drain(..count);
    }

    /// The bytes that it keeps for what will be queued.
    pub(crate) fn storage(&self) -> usize {
        self.front.capacity() + self.rest.capacity() * size_of::<Segment>()
    }

    /// Whether nothing at all is left: no byte, and no descriptor that waits for one.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.len == 0 && self.rest.is_empty()
    }

    /// Lays what comes first into `slices` and returns how many of them are filled. It ends before a descriptor that has to
    /// wait for what is before it.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let front = Some(&*self.front).filter(|front| !front.is_empty());
        let skipped = match front {
            Some(_) => 0,
            None => self.rest.iter().take_while(|segment| segment.is_descriptor()).count(),
        };
        let rest = self.rest.iter().skip(skipped).take_while(|segment| !segment.is_descriptor());
        let parts = front.into_iter().chain(rest.map(Segment::bytes));
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            let sent = if filled == 0 { self.head } else { 0 };
            *slice = IoSlice::new(&part[sent..]);
            filled += 1;
        }
        filled
    }

    /// All there is, if it lies in one piece of which nothing has been sent: the common case, for a plain `write(2)`.
    #[inline(always)]
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.rest.is_empty() && self.head == 0).then_some(&*self.front)
    }

    /// Takes away what [`whole`](Self::whole) has given, all of which has been sent.
    #[inline(always)]
    pub(crate) fn whole_sent(&mut self) {
        debug_assert!(self.whole().is_some(), "there is more than what has been sent");
        self.len = 0;
        self.front.clear();
    }

    /// Takes away what has been sent.
    pub(crate) fn consume(&mut self, sent: usize) {
        debug_assert!(sent <= self.len, "more was sent than was queued");
        self.len -= sent;
        if self.len == 0 {
            self.front.clear();
            self.head = 0;
            if !self.rest.is_empty() {
                // Descriptors that nothing has been written behind yet stay.
                self.rest.retain(Segment::is_descriptor);
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
            if sent == 0 && left == 0 {
                // A descriptor, which has been sent when a byte behind it has.
                return;
            }
            sent -= left;
            self.head = 0;
            self.rest.pop_front();
        }
    }

    /// Keeps so many bytes. What is behind them, with the descriptors that would go with it, is handed over, to be dropped.
    pub(crate) fn split_off(&mut self, len: usize) -> Self {
        let mut tail = Self::default();
        while let Some(last) = self.rest.pop_back() {
            let is_first = self.front.is_empty() && self.rest.is_empty();
            let unsent = last.bytes().len() - if is_first { self.head } else { 0 };
            let over = self.len.saturating_sub(len);
            if unsent > over {
                self.rest.push_back(last.shortened(over));
                break;
            }
            self.len -= unsent;
            tail.len += unsent;
            tail.rest.push_front(last);
        }
        let over = self.len.saturating_sub(len);
        if self.rest.is_empty() {
            self.front.truncate(self.front.len() - over);
        }
        self.len -= over;
        // What is left may have been sent.
        self.consume(0);
        tail
    }

    /// Drops everything; afterwards the queue is as good as new and may be used by another connection.
    pub(crate) fn clear(&mut self) {
        self.consume(self.len);
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests;
