//! Results from the completion queue that wait to be collected: what the engine buffers for one source, in one word. At most one
//! per source, by the credit of the engine's contract. Knows no sources.

use std::{
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    rc::Rc,
};

use slab::Slab;

use super::{
    super::{Completion, ReceivedBytes},
    buffers::{BUFFER_LEN, BUFFERS_MAX, BufferRing},
};

/// One completion: four bits for its kind, the rest for its value. It owns the resource that it names, so it is made
/// once for each completion, moved, and consumed once by a [`PendingStore`]; it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pending(u32);

/// The kind in the upper four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum PendingKind {
    Nothing = 0,
    /// A provided buffer, in eight bits, and the length of its content less one, in sixteen.
    Filled,
    /// Bytes that were copied out of a buffer: the index in [`PendingStore::copies`].
    Copied,
    Accepted,
    End,
    /// The errno.
    Failed,
}

const VALUE_BITS: u32 = 28;
const VALUE_MASK: u32 = (1 << VALUE_BITS) - 1;

// Both numbers of `Filled` fit.
const _: () = assert!(BUFFERS_MAX <= 1 << 8 && BUFFER_LEN <= 1 << 16);

impl Pending {
    pub(super) const NOTHING: Self = Self::new(PendingKind::Nothing, 0);
    /// The peer has shut down its sending side.
    pub(super) const END: Self = Self::new(PendingKind::End, 0);

    const fn new(kind: PendingKind, value: u32) -> Self {
        Self((kind as u32) << VALUE_BITS | value & VALUE_MASK)
    }

    /// `len` bytes, at least one, in a buffer.
    ///
    /// # Safety
    ///
    /// A completion must have named the buffer since it was last provided, and this must be called once for that
    /// completion.
    pub(super) const unsafe fn filled(buffer: u16, len: usize) -> Self {
        debug_assert!(0 < len && len <= BUFFER_LEN, "the kernel fills at most one buffer");
        Self::new(PendingKind::Filled, (buffer as u32) << 16 | (len as u32 - 1) & 0xffff)
    }

    pub(super) const fn failed(errno: i32) -> Self {
        Self::new(PendingKind::Failed, errno.cast_unsigned())
    }

    pub(super) fn accepted(socket: OwnedFd) -> Self {
        let fd = socket.into_raw_fd().cast_unsigned();
        if fd <= VALUE_MASK {
            return Self::new(PendingKind::Accepted, fd);
        }
        // So high a number does not fit: handle it as if no descriptor were left.
        // SAFETY: it was owned here until `into_raw_fd`, and has no other owner.
        drop(unsafe { OwnedFd::from_raw_fd(fd.cast_signed()) });
        Self::failed(libc::EMFILE)
    }

    const fn kind(&self) -> PendingKind {
        match self.0 >> VALUE_BITS {
            0 => PendingKind::Nothing,
            1 => PendingKind::Filled,
            2 => PendingKind::Copied,
            3 => PendingKind::Accepted,
            4 => PendingKind::End,
            _ => PendingKind::Failed,
        }
    }

    const fn value(&self) -> u32 {
        self.0 & VALUE_MASK
    }

    /// The buffer of a `Filled`.
    const fn buffer(&self) -> u16 {
        (self.value() >> 16) as u16
    }

    /// The length of a `Filled`.
    const fn len(&self) -> usize {
        (self.value() & 0xffff) as usize + 1
    }

    #[inline]
    pub(super) const fn is_nothing(&self) -> bool {
        self.0 == Self::NOTHING.0
    }

    /// Whether no other completion follows.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self.kind(), PendingKind::End | PendingKind::Failed)
    }

    /// Leaves nothing in its pending.
    #[inline]
    pub(super) const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }
}

/// The memory behind pending completions.
pub(super) struct PendingStore {
    buffers: Rc<BufferRing>,
    /// Bytes of sources that do not want to read now, which must not occupy shared buffers.
    copies: Slab<Box<[u8]>>,
}

impl PendingStore {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self { buffers, copies: Slab::new() }
    }

    /// Recycles the buffer of a completion that is ignored.
    pub(super) fn recycle(&self, buffer: u16) {
        self.buffers.provide(buffer);
    }

    /// The kernel has found no buffer.
    pub(super) fn note_exhausted(&self) {
        self.buffers.note_exhausted();
    }

    /// Converts a pending completion for its handler.
    #[inline]
    pub(super) fn complete(&mut self, pending: Pending) -> Option<Completion> {
        if pending.kind() != PendingKind::Filled {
            return self.complete_other(pending);
        }
        // SAFETY: the maker of `pending` vouched for its buffer, and `pending` is consumed here.
        let buffer = unsafe { self.buffers.take(pending.buffer(), pending.len()) };
        Some(Completion::Received(ReceivedBytes::in_ring(buffer)))
    }

    #[inline(never)]
    fn complete_other(&mut self, pending: Pending) -> Option<Completion> {
        Some(match pending.kind() {
            PendingKind::Copied => {
                let bytes = self.copies.remove(pending.value() as usize);
                Completion::Received(ReceivedBytes::copied(bytes))
            }
            PendingKind::Accepted => {
                // SAFETY: the socket was owned by `pending`, which is consumed here.
                let socket = unsafe { OwnedFd::from_raw_fd(pending.value().cast_signed()) };
                Completion::Accepted(socket)
            }
            PendingKind::End => Completion::End,
            PendingKind::Failed => {
                Completion::Failed(io::Error::from_raw_os_error(pending.value().cast_signed()))
            }
            PendingKind::Nothing | PendingKind::Filled => return None,
        })
    }

    /// Moves received bytes out of the shared buffers.
    pub(super) fn copy_out(&mut self, pending: &mut Pending) {
        if pending.kind() == PendingKind::Filled
            && let Some(Completion::Received(bytes)) = self.complete(pending.take())
        {
            *pending =
                Pending::new(PendingKind::Copied, index(self.copies.insert(Box::from(&*bytes))));
        }
    }
}

/// An index that fits into a value.
fn index(at: usize) -> u32 {
    assert!(
        at <= VALUE_MASK as usize,
        "there are fewer sources than that, and each has at most one"
    );
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_and_length_fits() {
        for (buffer, len) in [(0, 1), (0, BUFFER_LEN), (255, 1), (255, BUFFER_LEN), (7, 64)] {
            // SAFETY: the buffer is never accessed.
            let pending = unsafe { Pending::filled(buffer, len) };
            assert_eq!(pending.kind(), PendingKind::Filled);
            assert_eq!((pending.buffer(), pending.len()), (buffer, len));
        }
    }

    #[test]
    fn a_pending_completion_knows_its_kind() {
        let failed = Pending::failed(libc::ECONNRESET);
        assert_eq!((failed.kind(), failed.value()), (PendingKind::Failed, libc::ECONNRESET as u32));
        assert!(failed.is_last() && Pending::END.is_last());
        assert!(Pending::NOTHING.is_nothing() && !Pending::END.is_nothing());
    }
}
