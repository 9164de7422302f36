//! What waits to be sent, datagram by datagram, and who has to give way. Pure of system calls.

use std::collections::VecDeque;

use sinew_reactor::PacketInfo;

use super::{DatagramConfig, Overflow};

/// A datagram, and where to; `None` for the peer of a connected socket.
pub(super) struct Waiting<A> {
    pub(super) data: Box<[u8]>,
    pub(super) to: Option<A>,
    /// The address of this machine that it is to leave from.
    pub(super) from: Option<PacketInfo>,
}

/// What became of a datagram that was to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// So many were dropped for it.
    Displaced(usize),
    Dropped,
    Refused,
}

/// See the head of this file.
pub(super) struct Queue<A> {
    waiting: VecDeque<Waiting<A>>,
    bytes: usize,
}

impl<A> Default for Queue<A> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0 }
    }
}

impl<A> Queue<A> {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(
        &mut self,
        data: &[u8],
        (to, from): (Option<A>, Option<PacketInfo>),
        config: &DatagramConfig,
    ) -> Pushed {
        let fits_alone = config.queued_max > 0 && data.len() <= config.queued_bytes_max;
        let has_room = |queue: &Self| {
            queue.len() < config.queued_max && queue.bytes + data.len() <= config.queued_bytes_max
        };
        let mut displaced = 0;
        if !has_room(self) {
            match config.overflow {
                Overflow::Refuse => return Pushed::Refused,
                Overflow::DropNewest => return Pushed::Dropped,
                Overflow::DropOldest if !fits_alone => return Pushed::Dropped,
                Overflow::DropOldest => {
                    while !has_room(self) {
                        self.pop();
                        displaced += 1;
                    }
                }
            }
        }
        self.bytes += data.len();
        self.waiting.push_back(Waiting { data: data.into(), to, from });
        if displaced == 0 { Pushed::Queued } else { Pushed::Displaced(displaced) }
    }

    pub(super) fn front(&self) -> Option<&Waiting<A>> {
        self.waiting.front()
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<A>> {
        let first = self.waiting.pop_front()?;
        self.bytes -= first.data.len();
        if self.waiting.is_empty() {
            // A socket with nothing to send owns no buffer.
            self.waiting = VecDeque::new();
        }
        Some(first)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What waits, by its bytes.
    fn contents(queue: &Queue<u8>) -> Vec<&[u8]> {
        queue.waiting.iter().map(|waiting| &*waiting.data).collect()
    }

    #[test]
    fn who_gives_way_is_the_policy_s_choice() {
        use Pushed::{Displaced, Dropped, Queued, Refused};
        type Case<'a> = (Overflow, &'a [&'a str], &'a [Pushed], &'a [&'a [u8]]);
        // Two datagrams, or ten bytes.
        let cases: &[Case<'_>] = &[
            (Overflow::Refuse, &["a", "b", "c"], &[Queued, Queued, Refused], &[b"a", b"b"]),
            (Overflow::Refuse, &["12345678", "123"], &[Queued, Refused], &[b"12345678"]),
            (Overflow::DropNewest, &["a", "b", "c"], &[Queued, Queued, Dropped], &[b"a", b"b"]),
            (
                Overflow::DropOldest,
                &["a", "b", "c"],
                &[Queued, Queued, Displaced(1)],
                &[b"b", b"c"],
            ),
            (
                Overflow::DropOldest,
                &["12345", "12345", "123456789"],
                &[Queued, Queued, Displaced(2)],
                &[b"123456789"],
            ),
            // What can never fit must not cost the others their place.
            (Overflow::DropOldest, &["a", "12345678901"], &[Queued, Dropped], &[b"a"]),
            (Overflow::Refuse, &["12345678901"], &[Refused], &[]),
            (Overflow::Refuse, &["", "", ""], &[Queued, Queued, Refused], &[b"", b""]),
        ];
        for (overflow, pushes, expected, left) in cases {
            let config = DatagramConfig::default().send_queue(2, 10).overflow(*overflow);
            let mut queue = Queue::default();
            let push = |data: &&str| queue.push(data.as_bytes(), (Some(1), None), &config);
            let became: Vec<_> = pushes.iter().map(push).collect();
            assert_eq!(became, *expected, "{overflow:?} {pushes:?}");
            assert_eq!(contents(&queue), *left, "{overflow:?} {pushes:?}");
        }
    }

    #[test]
    fn bytes_are_counted_both_ways() {
        let config = DatagramConfig::default().send_queue(100, 10);
        let mut queue = Queue::<u8>::default();
        for _ in 0..50 {
            assert_eq!(queue.push(b"12345", (None, None), &config), Pushed::Queued);
            assert_eq!(queue.push(b"67890", (None, None), &config), Pushed::Queued);
            assert_eq!(queue.push(b"x", (None, None), &config), Pushed::Refused);
            assert_eq!(queue.front().map(|waiting| &*waiting.data), Some(&b"12345"[..]));
            assert!(queue.pop().is_some() && queue.pop().is_some() && queue.pop().is_none());
        }
        assert_eq!((queue.bytes, queue.waiting.capacity()), (0, 0));
    }

    #[test]
    fn a_queue_of_no_length_refuses_everything() {
        for (overflow, expected) in [
            (Overflow::Refuse, Pushed::Refused),
            (Overflow::DropNewest, Pushed::Dropped),
            (Overflow::DropOldest, Pushed::Dropped),
        ] {
            let config = DatagramConfig::default().send_queue(0, 10).overflow(overflow);
            assert_eq!(Queue::<u8>::default().push(b"x", (None, None), &config), expected);
        }
    }
}
