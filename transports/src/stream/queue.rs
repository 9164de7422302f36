//! Output queue of a stream: small writes are gathered in a buffer, large `Bytes` are queued without a copy. Makes no system
//! calls.

#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

/// `Bytes` shorter than this are copied into the gather buffer: cheaper than a segment of their own.
const COPY_MAX: usize = 4 * 1024;

/// Most bytes in a gather buffer; the next write starts another.
const BUFFER_MAX: usize = 64 * 1024;

/// Initial capacity of a gather buffer.
const BUFFER_MIN: usize = 2 * 1024;

/// Segments handed to one `writev(2)`. The system's limit is 1,024 or less.
pub(super) const SEGMENTS_PER_WRITE: usize = 64;

/// Segments for which an empty queue keeps its capacity. The rest is freed, so that the pool does not keep the memory of a burst.
const SEGMENTS_KEPT: usize = 256;

enum Segment {
    Gathered(Vec<u8>),
    Shared(Bytes),
    /// No bytes: a descriptor that is sent with the next byte.
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

    /// The segment without its last `by` bytes.
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

/// Bytes in the order of the writes: first `front`, then `rest`. The replies of a request-response server fit into `front`, whose
/// allocation is reused after they are sent. An idle connection has no queue at all.
#[derive(Default)]
pub(crate) struct Queue {
    front: Vec<u8>,
    rest: VecDeque<Segment>,
    /// Bytes already sent of `front` or, if that is empty, of the first segment of `rest`.
    head: usize,
    len: usize,
}

impl Queue {
    /// Bytes of memory that it keeps when it is empty.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.front.capacity() + self.rest.capacity() * size_of::<Segment>()
    }

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
            self.push_slow(data);
        }
    }

    #[cold]
    fn push_slow(&mut self, data: &[u8]) {
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

    /// Queues a descriptor to be sent with the next byte.
    #[cfg(unix)]
    pub(crate) fn push_descriptor(&mut self, descriptor: OwnedFd) {
        self.rest.push_back(Segment::Descriptor(descriptor));
    }

    /// Number of queued descriptors.
    #[cfg(unix)]
    pub(crate) fn descriptors(&self) -> usize {
        self.rest.iter().filter(|segment| segment.is_descriptor()).count()
    }

    /// The descriptors to be sent with the first byte.
    #[cfg(unix)]
    pub(crate) fn front_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let first = if self.front.is_empty() { self.rest.iter() } else { Default::default() };
        let descriptors = first.map_while(|segment| match segment {
            Segment::Descriptor(descriptor) => Some(descriptor.as_fd()),
            _ => None,
        });
        descriptors.collect()
    }

    /// Closes descriptors that were sent.
    #[cfg(unix)]
    pub(crate) fn descriptors_sent(&mut self, count: usize) {
        self.rest.drain(..count);
    }

    /// Whether neither bytes nor descriptors are queued.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.len == 0 && self.rest.is_empty()
    }

    /// Fills `slices` for a scatter/gather write and returns how many were filled. Stops before a descriptor that has to wait for
    /// the bytes before it.
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

    /// The whole queue, if it is one piece of which nothing was sent: the common case, for a plain `write(2)`.
    #[inline(always)]
    pub(crate) fn single_piece(&self) -> Option<&[u8]> {
        (self.rest.is_empty() && self.head == 0).then_some(&*self.front)
    }

    /// Removes what [`single_piece`](Self::single_piece) returned, all of which was sent.
    #[inline(always)]
    pub(crate) fn single_piece_sent(&mut self) {
        debug_assert!(self.single_piece().is_some(), "the queue has more than one piece");
        self.len = 0;
        self.front.clear();
    }

    /// Removes bytes that were sent.
    pub(crate) fn consume(&mut self, sent: usize) {
        debug_assert!(sent <= self.len, "more was sent than was queued");
        self.len -= sent;
        if self.len == 0 {
            self.front.clear();
            self.head = 0;
            if !self.rest.is_empty() {
                // Descriptors without a byte after them stay.
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
                // A descriptor that is sent with the next byte.
                return;
            }
            sent -= left;
            self.head = 0;
            self.rest.pop_front();
        }
    }

    /// Keeps the first `len` bytes. Returns the rest, with the descriptors that belong to it, so that the caller can drop it.
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
        // All that is left may have been sent.
        self.consume(0);
        tail
    }

    /// Drops everything. Afterwards another connection may use the queue.
    pub(crate) fn clear(&mut self) {
        self.consume(self.len);
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests;
