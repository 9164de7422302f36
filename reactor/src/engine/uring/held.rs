//! What the engine holds for one source: nothing, or the one thing that the source gave it credit for and has not taken yet. It
//! lies in the source itself, in one word. Knows no sources.

use std::{
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    rc::Rc,
};

use slab::Slab;

use super::{
    super::{Completed, ReceivedBytes},
    buffers::{BUFFER_LEN, BUFFERS_MAX, BufferRing},
};

/// One thing, in four bits for what it is, the rest for which. It owns what it names, so it is made once for each completion, moved,
/// and taken once by a [`Store`]; there is no copy of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held(u32);

/// What the four bits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum What {
    Nothing = 0,
    /// A buffer of the ring, in eight bits, and how much of it is filled, less one, in sixteen.
    Filled,
    /// Bytes that were copied out of one: where in [`Store::copies`].
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

impl Held {
    pub(super) const NOTHING: Self = Self::new(What::Nothing, 0);
    /// The peer will send no more.
    pub(super) const END: Self = Self::new(What::End, 0);

    const fn new(what: What, rest: u32) -> Self {
        Self((what as u32) << BITS | rest & REST)
    }

    /// So many bytes, at least one, in a buffer.
    ///
    /// # Safety
    ///
    /// A completion has named the buffer since it was given to the kernel last, and this is called once for that.
    pub(super) const unsafe fn filled(buffer: u16, len: usize) -> Self {
        debug_assert!(0 < len && len <= BUFFER_LEN, "what the kernel was given room for");
        Self::new(What::Filled, (buffer as u32) << 16 | (len as u32 - 1) & 0xffff)
    }

    pub(super) const fn failed(errno: i32) -> Self {
        Self::new(What::Failed, errno.cast_unsigned())
    }

    pub(super) fn accepted(socket: OwnedFd) -> Self {
        let fd = socket.into_raw_fd().cast_unsigned();
        if fd <= REST {
            return Self::new(What::Accepted, fd);
        }
        // There is no room for so high a number: as if there were none left.
        // SAFETY: it was owned here a moment ago, and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(fd.cast_signed()) });
        Self::failed(libc::EMFILE)
    }

    const fn what(&self) -> What {
        match self.0 >> BITS {
            0 => What::Nothing,
            1 => What::Filled,
            2 => What::Copied,
            3 => What::Accepted,
            4 => What::End,
            _ => What::Failed,
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
        matches!(self.what(), What::End | What::Failed)
    }

    /// Leaves nothing in its place.
    #[inline]
    pub(super) const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }
}

/// Where the bytes lie that are held.
pub(super) struct Store {
    buffers: Rc<BufferRing>,
    /// Those of sources that do not want them now, which must not hold the buffers of all.
    copies: Slab<Box<[u8]>>,
}

impl Store {
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

    /// Hands over what was held and has been taken from its place.
    #[inline]
    pub(super) fn hand_over(&mut self, held: Held) -> Option<Completed> {
        if held.what() != What::Filled {
            return self.hand_over_other(held);
        }
        // SAFETY: who made this vouched for its buffer, and it has been taken from its place, which happens once.
        let buffer = unsafe { self.buffers.take(held.buffer(), held.len()) };
        Some(Completed::Received(ReceivedBytes::in_ring(buffer)))
    }

    #[inline(never)]
    fn hand_over_other(&mut self, held: Held) -> Option<Completed> {
        Some(match held.what() {
            What::Copied => {
                let bytes = self.copies.remove(held.rest() as usize);
                Completed::Received(ReceivedBytes::copied(bytes))
            }
            What::Accepted => {
                // SAFETY: it was owned when this was made of it, which has been taken from its place, and that happens once.
                let socket = unsafe { OwnedFd::from_raw_fd(held.rest().cast_signed()) };
                Completed::Accepted(socket)
            }
            What::End => Completed::End,
            What::Failed => {
                Completed::Failed(io::Error::from_raw_os_error(held.rest().cast_signed()))
            }
            What::Nothing | What::Filled => return None,
        })
    }

    /// Has what is held there hold no buffer.
    pub(super) fn copy_out(&mut self, place: &mut Held) {
        if place.what() == What::Filled
            && let Some(Completed::Received(bytes)) = self.hand_over(place.take())
        {
            *place = Held::new(What::Copied, number(self.copies.insert(Box::from(&*bytes))));
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
            let held = unsafe { Held::filled(buffer, len) };
            assert_eq!(held.what(), What::Filled);
            assert_eq!((held.buffer(), held.len()), (buffer, len));
        }
    }

    #[test]
    fn a_word_tells_what_it_is() {
        let failed = Held::failed(libc::ECONNRESET);
        assert_eq!((failed.what(), failed.rest()), (What::Failed, libc::ECONNRESET as u32));
        assert!(failed.is_last() && Held::END.is_last());
        assert!(Held::NOTHING.is_nothing() && !Held::END.is_nothing());
    }
}
