//! PendingKind the engine holds for one source: nothing, or the one thing that the source gave it credit for and has not taken yet. It
//! lies in the source itself, in one word. Knows no sources.

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

/// One thing, in four bits for what it is, the rest for which. It owns what it names, so it is made once for each completion, moved,
/// and taken once by a [`PendingStore`]; there is no copy of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pending(u32);

/// PendingKind the four bits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum PendingKind {
    Nothing = 0,
    /// A buffer of the ring, in eight bits, and how much of it is filled, less one, in sixteen.
    Filled,
    /// Bytes that were copied out of one: where in [`PendingStore::copies`].
    Copied,
    Accepted,
    End,
    /// The number of the error.
    Failed,
}

const BITS: u32 = 28;
const REST: u32 = (1 << BITS) - 1;

// Both numbers of a filled buffer have room.
const _: () = assert!(BUFFERS_MAX <= 1 << 8 && BUFFER_LEN <= 1 << 16);

impl Pending {
    pub(super) const NOTHING: Self = Self::new(PendingKind::Nothing, 0);
    /// The peer will send no more.
    pub(super) const END: Self = Self::new(PendingKind::End, 0);

    const fn new(what: PendingKind, rest: u32) -> Self {
        Self((what as u32) << BITS | rest & REST)
    }

    /// So many bytes, at least one, in a buffer.
    ///
    /// # Safety
    ///
    /// A completion has named the buffer since it was given to the kernel last, and this is called once for that.
    pub(super) const unsafe fn filled(buffer: u16, len: usize) -> Self {
        debug_assert!(0 < len && len <= BUFFER_LEN, "what the kernel was given room for");
        Self::new(PendingKind::Filled, (buffer as u32) << 16 | (len as u32 - 1) & 0xffff)
    }

    pub(super) const fn failed(errno: i32) -> Self {
        Self::new(PendingKind::Failed, errno.cast_unsigned())
    }

    pub(super) fn accepted(socket: OwnedFd) -> Self {
        let fd = socket.into_raw_fd().cast_unsigned();
        if fd <= REST {
            return Self::new(PendingKind::Accepted, fd);
        }
        // There is no room for so high a number: as if there were none left.
        // SAFETY: it was owned here a moment ago, and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(fd.cast_signed()) });
        Self::failed(libc::EMFILE)
    }

    const fn what(&self) -> PendingKind {
        match self.0 >> BITS {
            0 => PendingKind::Nothing,
            1 => PendingKind::Filled,
            2 => PendingKind::Copied,
            3 => PendingKind::Accepted,
            4 => PendingKind::End,
            _ => PendingKind::Failed,
        }
    }

    const fn rest(&self) -> u32 {
        self.0 & REST
    }

    /// Of what is filled.
    const fn buffer(&self) -> u16 {
        (self.rest() >> 16) as u16
    }

    /// Of what is filled.
    const fn len(&self) -> usize {
        (self.rest() & 0xffff) as usize + 1
    }

    #[inline]
    pub(super) const fn is_nothing(&self) -> bool {
        self.0 == Self::NOTHING.0
    }

    /// Nothing else follows.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self.what(), PendingKind::End | PendingKind::Failed)
    }

    /// Leaves nothing in its place.
    #[inline]
    pub(super) const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }
}

/// Where the bytes lie that are held.
pub(super) struct PendingStore {
    buffers: Rc<BufferRing>,
    /// Those of sources that do not want them now, which must not hold the buffers of all.
    copies: Slab<Box<[u8]>>,
}

impl PendingStore {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self { buffers, copies: Slab::new() }
    }

    /// The buffer of a completion of which nothing is made.
    pub(super) fn give_back(&self, buffer: u16) {
        self.buffers.put(buffer);
    }

    /// The kernel has found no buffer.
    pub(super) fn ran_out(&self) {
        self.buffers.ran_out();
    }

    /// TimeSource over what was held and has been taken from its place.
    #[inline]
    pub(super) fn into_completion(&mut self, pending: Pending) -> Option<Completion> {
        if pending.what() != PendingKind::Filled {
            return self.into_other_completion(pending);
        }
        // SAFETY: who made this vouched for its buffer, and it has been taken from its place, which happens once.
        let buffer = unsafe { self.buffers.take(pending.buffer(), pending.len()) };
        Some(Completion::Received(ReceivedBytes::in_ring(buffer)))
    }

    #[inline(never)]
    fn into_other_completion(&mut self, pending: Pending) -> Option<Completion> {
        Some(match pending.what() {
            PendingKind::Copied => {
                let bytes = self.copies.remove(pending.rest() as usize);
                Completion::Received(ReceivedBytes::copied(bytes))
            }
            PendingKind::Accepted => {
                // SAFETY: it was owned when this was made of it, which has been taken from its place, and that happens once.
                let socket = unsafe { OwnedFd::from_raw_fd(pending.rest().cast_signed()) };
                Completion::Accepted(socket)
            }
            PendingKind::End => Completion::End,
            PendingKind::Failed => {
                Completion::Failed(io::Error::from_raw_os_error(pending.rest().cast_signed()))
            }
            PendingKind::Nothing | PendingKind::Filled => return None,
        })
    }

    /// Has what is held there hold no buffer.
    pub(super) fn copy_out(&mut self, place: &mut Pending) {
        if place.what() == PendingKind::Filled
            && let Some(Completion::Received(bytes)) = self.into_completion(place.take())
        {
            *place =
                Pending::new(PendingKind::Copied, number(self.copies.insert(Box::from(&*bytes))));
        }
    }
}

/// Where something lies, as a word has room for it.
fn number(at: usize) -> u32 {
    assert!(at <= REST as usize, "there are no more sources than that, and each has one");
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_room_for_every_buffer_and_length() {
        for (buffer, len) in [(0, 1), (0, BUFFER_LEN), (255, 1), (255, BUFFER_LEN), (7, 64)] {
            // SAFETY: this is never taken, only looked at.
            let pending = unsafe { Pending::filled(buffer, len) };
            assert_eq!(pending.what(), PendingKind::Filled);
            assert_eq!((pending.buffer(), pending.len()), (buffer, len));
        }
    }

    #[test]
    fn a_word_tells_what_it_is() {
        let failed = Pending::failed(libc::ECONNRESET);
        assert_eq!((failed.what(), failed.rest()), (PendingKind::Failed, libc::ECONNRESET as u32));
        assert!(failed.is_last() && Pending::END.is_last());
        assert!(Pending::NOTHING.is_nothing() && !Pending::END.is_nothing());
    }
}
