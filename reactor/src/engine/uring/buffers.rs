//! Provided buffers: one ring of receive buffers for all connections, so that an idle connection owns no buffer.
//! [`BufferRing`] is the memory, [`Buffer`] one of its buffers while it is owned by us.

use std::{
    cell::Cell,
    fmt, io,
    ops::Deref,
    ptr::{self, NonNull},
    rc::Rc,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::types::BufRingEntry;

use super::{super::RECEIVE_MAX, ring::Ring};

/// The most bytes of one receive. The memory is not allocated by the system until it is touched.
pub(super) const BUFFER_LEN: usize = RECEIVE_MAX;

/// The distance between two buffers. If it were a multiple of a power of two, the first bytes of all buffers, often the
/// only ones in use, would compete for the same few cache lines.
const STRIDE: usize = BUFFER_LEN + 64;

/// The buffer group; there is only one.
pub(super) const GROUP: u16 = 0;

/// The ring's entries come first, on a page of their own.
const ENTRIES_LEN: usize = 4096;

/// The maximum number of buffers.
pub(super) const BUFFERS_MAX: usize = ENTRIES_LEN / size_of::<BufRingEntry>();

/// How many buffers are provided to the kernel at first. The kernel uses one after the other, so each provided buffer soon
/// occupies a page of memory and a cache line, whether or not it was needed.
const PROVIDED_FIRST: u16 = 16;

/// The ring of provided buffers.
pub(super) struct BufferRing {
    base: NonNull<u8>,
    /// The number of buffers, a power of two. While all of them are filled, the kernel receives nothing.
    count: u16,
    /// How many of them have been provided so far.
    provided: Cell<u16>,
    /// The kernel has found no buffer since this was last checked.
    exhausted: Cell<bool>,
    /// The index of the next entry; entries before it may still be unused by the kernel.
    tail: Cell<u16>,
}

impl BufferRing {
    /// Maps the memory, and registers it with the ring.
    pub(super) fn new(ring: &Ring, count: u16) -> io::Result<Rc<Self>> {
        assert!(
            count.is_power_of_two() && usize::from(count) <= BUFFERS_MAX,
            "the kernel takes a power of two, up to the maximum"
        );
        // SAFETY: a new anonymous mapping, to which there is no other reference.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapped_len(count),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(mapped.cast()).expect("mmap returns no null page");
        let buffers = Rc::new(Self {
            base,
            count,
            provided: Cell::new(0),
            exhausted: Cell::new(false),
            tail: Cell::new(0),
        });
        // SAFETY: the entries are at the start of a page, there are `count` of them, and the mapping outlives the kernel's
        // use of it: it is dropped with the last `Rc`, of which the engine holds one until nothing is in flight.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(base.as_ptr() as u64, count, GROUP, 0)?;
        }
        buffers.provide_up_to(PROVIDED_FIRST);
        Ok(buffers)
    }

    fn provide_up_to(&self, wanted: u16) {
        let wanted = wanted.min(self.count);
        (self.provided.replace(wanted)..wanted).for_each(|id| self.provide(id));
    }

    #[cfg(test)]
    pub(super) fn provided(&self) -> u16 {
        self.provided.get()
    }

    /// The kernel has found no buffer.
    pub(super) fn note_exhausted(&self) {
        self.exhausted.set(true);
    }

    /// Doubles the number of provided buffers if they ran out, once for a whole wait.
    #[inline]
    pub(super) fn grow_if_exhausted(&self) {
        if self.exhausted.replace(false) {
            self.provide_up_to(self.provided.get() * 2);
        }
    }

    /// Reduces an index to the ring; the number of buffers is a power of two.
    const fn within(&self, number: u16) -> u16 {
        number & (self.count - 1)
    }

    fn address(&self, id: u16) -> *mut u8 {
        debug_assert!(id < self.count, "the kernel names only buffers that were provided");
        // SAFETY: the buffer is within the mapping.
        unsafe { self.base.as_ptr().add(ENTRIES_LEN + usize::from(self.within(id)) * STRIDE) }
    }

    /// Provides a buffer to the kernel.
    #[inline]
    pub(super) fn provide(&self, id: u16) {
        let tail = self.tail.get();
        let entries = self.base.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the entry is within the mapping, which starts with `count` of them; zeros are a valid entry. The kernel
        // does not read it before the tail has passed it, and never writes to it. The tail is in a part of the first
        // entry that is not set here.
        unsafe {
            let entry = &mut *entries.add(usize::from(self.within(tail)));
            entry.set_addr(self.address(id) as u64);
            entry.set_len(BUFFER_LEN as u32);
            entry.set_bid(id);
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        // SAFETY: `entries` is the first entry, which contains the tail: two bytes, aligned, that only this thread
        // writes and that the kernel reads.
        unsafe {
            let shared = BufRingEntry::tail(entries).cast_mut();
            AtomicU16::from_ptr(shared).store(tail, Ordering::Release);
        }
    }

    /// A buffer that the kernel has filled.
    ///
    /// # Safety
    ///
    /// A completion must have named the buffer since it was last provided, and this must be called once for that
    /// completion.
    pub(super) unsafe fn take(self: &Rc<Self>, id: u16, len: usize) -> Buffer {
        let bytes = NonNull::new(self.address(id)).expect("no address in the mapping is null");
        Buffer { ring: self.clone(), bytes, id, len: len.min(BUFFER_LEN) as u32 }
    }
}

fn mapped_len(count: u16) -> usize {
    ENTRIES_LEN + usize::from(count) * STRIDE
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and no address in it is used any more: each `Buffer` holds an `Rc`.
        let unmapped = unsafe { libc::munmap(self.base.as_ptr().cast(), mapped_len(self.count)) };
        debug_assert_eq!(unmapped, 0, "{}", io::Error::last_os_error());
    }
}

/// Received bytes, in one of the buffers. Dropping this provides the buffer to the kernel again.
pub(crate) struct Buffer {
    ring: Rc<BufferRing>,
    bytes: NonNull<u8>,
    id: u16,
    len: u32,
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `len` is at most the length of a buffer, which is within the mapping and initialised (with zeros from
        // the system, or received bytes). The kernel does not own the buffer until this is dropped: it was taken
        // from a completion, once.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len as usize) }
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        self.ring.provide(self.id);
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({}, {} bytes)", self.id, self.len)
    }
}
