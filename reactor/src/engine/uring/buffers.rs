//! The buffers that the kernel receives into: one ring of them for all connections, so that those which receive nothing own
//! nothing. [`BufferRing`] is the memory, a [`Buffer`] one of them while it is ours.

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

/// How much one receive may bring. The memory is the system's until it is touched.
pub(super) const BUFFER_LEN: usize = RECEIVE_MAX;

/// From one to the next. Multiples of a power of two would have the first bytes of all buffers, most often the only ones in use,
/// compete for the same few lines of the processor's caches.
const STRIDE: usize = BUFFER_LEN + 64;

/// The number of the group; there is one.
pub(super) const GROUP: u16 = 0;

/// The entries come first, on a page of their own.
const ENTRIES_LEN: usize = 4096;

/// How many there may be.
pub(super) const BUFFERS_MAX: usize = ENTRIES_LEN / size_of::<BufRingEntry>();

/// How many of the buffers go round at first. The kernel fills one after the other, so each that goes round is soon a page of
/// memory, and a line of the processor's caches, whether or not it was needed.
const FIRST: u16 = 16;

/// See the head of this file.
pub(super) struct BufferRing {
    base: NonNull<u8>,
    /// How many there may be: a power of two. With all of them filled, the kernel waits for one to come back.
    count: u16,
    /// How many of them go round.
    going: Cell<u16>,
    /// The kernel has found none since this was looked at.
    is_short: Cell<bool>,
    /// Where the next entry goes; what the kernel has not taken yet lies before it.
    tail: Cell<u16>,
}

impl BufferRing {
    /// Maps the memory, and has the ring receive into it.
    pub(super) fn new(ring: &Ring, count: u16) -> io::Result<Rc<Self>> {
        assert!(
            count.is_power_of_two() && usize::from(count) <= BUFFERS_MAX,
            "what the kernel takes"
        );
        // SAFETY: an anonymous mapping somewhere new, which nobody else knows.
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
        let base = NonNull::new(mapped.cast()).expect("mmap gives no null page");
        let buffers = Rc::new(Self {
            base,
            count,
            going: Cell::new(0),
            is_short: Cell::new(false),
            tail: Cell::new(0),
        });
        // SAFETY: the entries lie at the start of a page, there are `count` of them, and the mapping outlives what the
        // kernel does with it: it goes with the last `Rc`, of which the engine holds one until nothing is in flight.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(base.as_ptr() as u64, count, GROUP, 0)?;
        }
        buffers.go_up_to(FIRST);
        Ok(buffers)
    }

    fn go_up_to(&self, wanted: u16) {
        let wanted = wanted.min(self.count);
        (self.going.replace(wanted)..wanted).for_each(|id| self.put(id));
    }

    #[cfg(test)]
    pub(super) fn going(&self) -> u16 {
        self.going.get()
    }

    /// The kernel has found no buffer.
    pub(super) fn ran_out(&self) {
        self.is_short.set(true);
    }

    /// Has twice as many go round if they ran out, once for all that was waited for.
    #[inline]
    pub(super) fn see_to_more(&self) {
        if self.is_short.replace(false) {
            self.go_up_to(self.going.get() * 2);
        }
    }

    /// Numbers go round; there is a power of two of buffers.
    const fn within(&self, number: u16) -> u16 {
        number & (self.count - 1)
    }

    fn address(&self, id: u16) -> *mut u8 {
        debug_assert!(id < self.count, "the kernel names buffers that it was given");
        // SAFETY: the buffer lies within the mapping.
        unsafe { self.base.as_ptr().add(ENTRIES_LEN + usize::from(self.within(id)) * STRIDE) }
    }

    /// Gives a buffer to the kernel.
    #[inline]
    pub(super) fn put(&self, id: u16) {
        let tail = self.tail.get();
        let entries = self.base.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the entry lies within the mapping, which begins with `count` of them; zeroes are a valid one. The kernel
        // does not look at it before the tail has passed it, and it never writes here. The tail lies in a part of the first
        // entry that is not set here.
        unsafe {
            let entry = &mut *entries.add(usize::from(self.within(tail)));
            entry.set_addr(self.address(id) as u64);
            entry.set_len(BUFFER_LEN as u32);
            entry.set_bid(id);
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        // SAFETY: `entries` is the first entry, in which the tail lies: two bytes, aligned, that only this thread writes and
        // that the kernel reads.
        unsafe {
            let shared = BufRingEntry::tail(entries).cast_mut();
            AtomicU16::from_ptr(shared).store(tail, Ordering::Release);
        }
    }

    /// A buffer that the kernel has filled.
    ///
    /// # Safety
    ///
    /// A completion has named it since it was given to the kernel last, and this is called once for that.
    pub(super) unsafe fn take(self: &Rc<Self>, id: u16, len: usize) -> Buffer {
        let bytes = NonNull::new(self.address(id)).expect("the mapping is nowhere near null");
        Buffer { ring: self.clone(), bytes, id, len: len.min(BUFFER_LEN) as u32 }
    }
}

fn mapped_len(count: u16) -> usize {
    ENTRIES_LEN + usize::from(count) * STRIDE
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and nobody has an address in it any more: each `Buffer` holds an `Rc`.
        let unmapped = unsafe { libc::munmap(self.base.as_ptr().cast(), mapped_len(self.count)) };
        debug_assert_eq!(unmapped, 0, "{}", io::Error::last_os_error());
    }
}

/// Bytes that were received, in one of the buffers. Given back to the kernel when this is dropped.
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
        // SAFETY: `len` is not more than a buffer holds, all of it lies within the mapping and is initialised (zeroes from
        // the system, or what was received), and until this is dropped the kernel does not have the buffer: it was taken
        // from a completion, once.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len as usize) }
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        self.ring.put(self.id);
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({}, {} bytes)", self.id, self.len)
    }
}
