//! What has come for a source and waits to be taken. Most often that is one thing, and it lies in the source itself, in one
//! word; only what comes behind it has a place of its own, in a chain. Knows no sources.

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

/// One thing that has come, as it waits: four bits for what it is, the rest for which. It owns what it names, so it is made once
/// for each completion, moved, and taken once by [`Arrivals`]; there is no copy of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Came(u32);

/// What the four bits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum What {
    Nothing = 0,
    /// A buffer of the ring, in eight bits, and how much of it is filled, less one, in sixteen.
    Filled,
    /// Bytes that were copied out of one: where in [`Arrivals::kept`].
    Kept,
    Accepted,
    End,
    /// The number of the error.
    Failed,
    /// More than one thing: where in [`Arrivals::chained`] the last of them is. The last knows the first.
    Chain,
}

const BITS: u32 = 28;
const REST: u32 = (1 << BITS) - 1;

// Both numbers of a filled buffer have room.
const _: () = assert!(BUFFERS_MAX <= 1 << 8 && BUFFER_LEN <= 1 << 16);

impl Came {
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
        let len = if len < BUFFER_LEN { len } else { BUFFER_LEN };
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
            2 => What::Kept,
            3 => What::Accepted,
            4 => What::End,
            5 => What::Failed,
            _ => What::Chain,
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

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Nothing else follows.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self.what(), What::End | What::Failed)
    }
}

/// What waits for all sources beyond the one word that each has.
pub(super) struct Arrivals {
    buffers: Rc<BufferRing>,
    chained: Slab<Chained>,
    /// Bytes of those who do not want them now.
    kept: Slab<Box<[u8]>>,
}

struct Chained {
    came: Came,
    /// What came after it; of the last, the first of all.
    next: u32,
}

impl Arrivals {
    pub(super) fn new(buffers: Rc<BufferRing>) -> Self {
        Self { buffers, chained: Slab::new(), kept: Slab::new() }
    }

    /// The buffer of a completion of which nothing is made.
    pub(super) fn give_back(&self, buffer: u16) {
        self.buffers.put(buffer);
    }

    /// The kernel has found no buffer.
    pub(super) fn ran_out(&self) {
        self.buffers.ran_out();
    }

    /// Puts something behind what waits in this place.
    #[inline]
    pub(super) fn push(&mut self, place: &mut Came, came: Came) {
        if place.is_nothing() {
            *place = came;
        } else {
            self.push_behind(place, came);
        }
    }

    #[inline(never)]
    fn push_behind(&mut self, place: &mut Came, came: Came) {
        let last = if place.what() == What::Chain {
            place.rest()
        } else {
            let only = std::mem::replace(place, Came::NOTHING);
            let only = self.chain(only, 0);
            self.chained[only as usize].next = only;
            only
        };
        let first = self.chained[last as usize].next;
        let new = self.chain(came, first);
        self.chained[last as usize].next = new;
        *place = Came::new(What::Chain, new);
    }

    fn chain(&mut self, came: Came, next: u32) -> u32 {
        number(self.chained.insert(Chained { came, next }))
    }

    /// Takes the first thing that waits there.
    fn pop(&mut self, place: &mut Came) -> Came {
        if place.what() != What::Chain {
            return std::mem::replace(place, Came::NOTHING);
        }
        let last = place.rest();
        let first = self.chained[last as usize].next;
        let Chained { came, next } = self.chained.remove(first as usize);
        if first == last {
            *place = Came::NOTHING;
        } else {
            self.chained[last as usize].next = next;
        }
        came
    }

    /// Hands over the first thing that waits there.
    #[inline]
    pub(super) fn take(&mut self, place: &mut Came) -> Option<Completed> {
        if place.what() != What::Filled {
            return self.take_other(place);
        }
        // The common case: one thing, and it is bytes.
        let came = std::mem::replace(place, Came::NOTHING);
        Some(self.received(came, false))
    }

    #[inline(never)]
    fn take_other(&mut self, place: &mut Came) -> Option<Completed> {
        let came = self.pop(place);
        let more = !place.is_nothing();
        Some(match came.what() {
            What::Filled => self.received(came, more),
            What::Kept => {
                let bytes = ReceivedBytes::copied(self.kept.remove(came.rest() as usize));
                Completed::Received { bytes, more }
            }
            What::Accepted => {
                // SAFETY: it was owned when this was made of it, which has been taken just now, and that happens once.
                let socket = unsafe { OwnedFd::from_raw_fd(came.rest().cast_signed()) };
                Completed::Accepted(socket)
            }
            What::End => Completed::End,
            What::Failed => {
                Completed::Failed(io::Error::from_raw_os_error(came.rest().cast_signed()))
            }
            What::Nothing | What::Chain => return None,
        })
    }

    /// What is filled and has been taken from its place.
    #[inline]
    fn received(&self, taken: Came, more: bool) -> Completed {
        // SAFETY: who made this vouched for its buffer, and it has been taken just now, which happens once.
        let buffer = unsafe { self.buffers.take(taken.buffer(), taken.len()) };
        Completed::Received { bytes: ReceivedBytes::in_ring(buffer), more }
    }

    /// Has what waits there hold no buffers: they are everybody's.
    pub(super) fn keep(&mut self, place: &mut Came) {
        if place.what() != What::Chain {
            let came = std::mem::replace(place, Came::NOTHING);
            *place = self.kept(came);
            return;
        }
        let last = place.rest();
        let mut at = last;
        loop {
            let came = std::mem::replace(&mut self.chained[at as usize].came, Came::NOTHING);
            let kept = self.kept(came);
            let chained = &mut self.chained[at as usize];
            chained.came = kept;
            at = chained.next;
            if at == last {
                break;
            }
        }
    }

    /// The same thing without a buffer.
    pub(super) fn kept(&mut self, came: Came) -> Came {
        if came.what() != What::Filled {
            return came;
        }
        let mut place = came;
        let Some(Completed::Received { bytes, .. }) = self.take(&mut place) else { return place };
        Came::new(What::Kept, number(self.kept.insert(Box::from(&*bytes))))
    }
}

/// Where something lies, as a word has room for it.
fn number(at: usize) -> u32 {
    assert!(at <= REST as usize, "so much cannot wait: it is some gigabytes");
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_room_for_every_buffer_and_length() {
        for (buffer, len) in [(0, 1), (0, BUFFER_LEN), (255, 1), (255, BUFFER_LEN), (7, 64)] {
            // SAFETY: this is never taken, only looked at.
            let came = unsafe { Came::filled(buffer, len) };
            assert_eq!(came.what(), What::Filled);
            assert_eq!((came.buffer(), came.len()), (buffer, len));
        }
    }

    #[test]
    fn a_word_tells_what_it_is() {
        let failed = Came::failed(libc::ECONNRESET);
        assert_eq!((failed.what(), failed.rest()), (What::Failed, libc::ECONNRESET as u32));
        assert!(failed.is_last() && Came::END.is_last());
        assert!(Came::NOTHING.is_nothing() && !Came::END.is_nothing());
    }
}
