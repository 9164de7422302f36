//! The send queue of a datagram socket, and its overflow policies. Makes no system calls.

use std::collections::VecDeque;

use sinew_reactor::PacketInfo;

use super::{DatagramConfig, Overflow};

/// A datagram and its destination, `None` for the peer of a connected socket.
pub(super) struct QueuedDatagram<A> {
    pub(super) data: Box<[u8]>,
    pub(super) to: Option<A>,
    /// The source address, if it is chosen.
    pub(super) from: Option<PacketInfo>,
}

/// The result of queueing a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// Queued; this many older ones were dropped.
    Displaced(usize),
    Dropped,
    Refused,
}

/// The queue; it owns no memory while empty.
pub(super) struct Queue<A> {
    datagrams: VecDeque<QueuedDatagram<A>>,
    bytes: usize,
}

impl<A> Default for Queue<A> {
    fn default() -> Self {
        Self { datagrams: VecDeque::new(), bytes: 0 }
    }
}

impl<A> Queue<A> {
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
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
        self.datagrams.push_back(QueuedDatagram { data: data.into(), to, from });
        if displaced == 0 { Pushed::Queued } else { Pushed::Displaced(displaced) }
    }

    pub(super) fn front(&self) -> Option<&QueuedDatagram<A>> {
        self.datagrams.front()
    }

    pub(super) fn pop(&mut self) -> Option<QueuedDatagram<A>> {
        let first = self.datagrams.pop_front()?;
        self.bytes -= first.data.len();
        if self.datagrams.is_empty() {
            // An idle socket owns no buffer.
            self.datagrams = VecDeque::new();
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

    /// The payloads in the queue.
    fn contents(queue: &Queue<u8>) -> Vec<&[u8]> {
        queue.datagrams.iter().map(|datagrams| &*datagrams.data).collect()
    }

    #[test]
    fn overflow_policy_decides_which_datagram_is_dropped() {
        use Pushed::{Displaced, Dropped, Queued, Refused};
        type Case<'a> = (Overflow, &'a [&'a str], &'a [Pushed], &'a [&'a [u8]]);
        // Limits: two datagrams, ten bytes.
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
            // A datagram that can never fit drops no others.
            (Overflow::DropOldest, &["a", "12345678901"], &[Queued, Dropped], &[b"a"]),
            (Overflow::Refuse, &["12345678901"], &[Refused], &[]),
            (Overflow::Refuse, &["", "", ""], &[Queued, Queued, Refused], &[b"", b""]),
        ];
        for (overflow, pushes, expected, left) in cases {
            let config = DatagramConfig::default().send_queue(2, 10).overflow(*overflow);
            let mut queue = Queue::default();
            let push = |data: &&str| queue.push(data.as_bytes(), (Some(1), None), &config);
            let results: Vec<_> = pushes.iter().map(push).collect();
            assert_eq!(results, *expected, "{overflow:?} {pushes:?}");
            assert_eq!(contents(&queue), *left, "{overflow:?} {pushes:?}");
        }
    }

    #[test]
    fn bytes_are_counted_on_push_and_pop() {
        let config = DatagramConfig::default().send_queue(100, 10);
        let mut queue = Queue::<u8>::default();
        for _ in 0..50 {
            assert_eq!(queue.push(b"12345", (None, None), &config), Pushed::Queued);
            assert_eq!(queue.push(b"67890", (None, None), &config), Pushed::Queued);
            assert_eq!(queue.push(b"x", (None, None), &config), Pushed::Refused);
            assert_eq!(queue.front().map(|datagrams| &*datagrams.data), Some(&b"12345"[..]));
            assert!(queue.pop().is_some() && queue.pop().is_some() && queue.pop().is_none());
        }
        assert_eq!((queue.bytes, queue.datagrams.capacity()), (0, 0));
    }

    #[test]
    fn queue_of_length_zero_refuses_everything() {
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
