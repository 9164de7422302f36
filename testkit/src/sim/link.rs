//! Links between hosts: latency, bandwidth, loss, reordering ([`Link`]), and cuts and partitions ([`Links`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fastrand::Rng;

use super::{
    id::HostId,
    random::{between, happens, nanos},
    time::Time,
};

/// The latency of a segment or datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Uniformly distributed from the first to the second.
    Uniform(Duration, Duration),
    /// Long-tailed: mostly little more than the first. Each further delay of the second's length is half as likely as
    /// the one before, as with queues on the path.
    Tailed(Duration, Duration),
}

impl Latency {
    fn draw(self, random: &mut Rng) -> Duration {
        match self {
            Self::Fixed(latency) => latency,
            Self::Uniform(min, max) => between(random, min, max),
            Self::Tailed(min, step) => {
                let steps = random.u64(..).trailing_zeros();
                min + step * steps + between(random, Duration::ZERO, step)
            }
        }
    }
}

/// The properties of the link between two hosts, the same in both directions.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_testkit::sim::{Latency, Link};
///
/// let wireless = Link::default()
///     .latency(Latency::Tailed(Duration::from_millis(8), Duration::from_millis(4)))
///     .bandwidth(2_000_000)
///     .loss(0.02);
/// # drop(wireless);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Link {
    pub(super) latency: Latency,
    pub(super) bandwidth: Option<u64>,
    pub(super) loss: f64,
    pub(super) reorder: f64,
    pub(super) duplicate: f64,
    pub(super) mtu: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Latency::Uniform(Duration::from_micros(100), Duration::from_millis(2)),
            bandwidth: None,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            mtu: 1500,
        }
    }
}

impl Link {
    /// The latency. Default: uniform from 0.1 to 2 ms.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }

    /// Bandwidth in bytes per second, per direction, shared by all traffic. Default: no limit.
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second.max(1));
        self
    }

    /// Probability that a segment or datagram is lost. TCP retransmits lost segments, so they arrive late. Default 0.
    pub fn loss(mut self, probability: f64) -> Self {
        self.loss = probability;
        self
    }

    /// Probability that a datagram is delayed so that later ones overtake it. Default 0; varying latencies reorder
    /// datagrams anyway.
    pub fn reorder(mut self, probability: f64) -> Self {
        self.reorder = probability;
        self
    }

    /// Probability that a datagram is duplicated. Default 0.
    pub fn duplicate(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// MTU: the largest packet in bytes, headers included. Larger datagrams are rejected with `EMSGSIZE`, as on a
    /// socket with the don't-fragment flag. Default 1,500.
    pub fn mtu(mut self, bytes: usize) -> Self {
        self.mtu = bytes;
        self
    }
}

/// Latency within a host.
const LOOPBACK: Latency = Latency::Uniform(Duration::from_micros(5), Duration::from_micros(25));

/// All links between hosts.
pub(super) struct Links {
    default: Link,
    special: BTreeMap<(HostId, HostId), Link>,
    loopback: Link,
    /// Number of active cuts per direction, from the first host to the second.
    cuts: BTreeMap<(HostId, HostId), usize>,
    partitions: Vec<Partition>,
    /// Until when a direction is busy sending earlier packets.
    busy: BTreeMap<(HostId, HostId), Time>,
}

pub(super) struct Partition {
    pub(super) left: BTreeSet<HostId>,
    pub(super) right: BTreeSet<HostId>,
}

impl Partition {
    fn separates(&self, a: HostId, b: HostId) -> bool {
        (self.left.contains(&a) && self.right.contains(&b))
            || (self.left.contains(&b) && self.right.contains(&a))
    }
}

impl Links {
    pub(super) fn new() -> Self {
        Self {
            default: Link::default(),
            special: BTreeMap::new(),
            loopback: Link { latency: LOOPBACK, mtu: 65_536, ..Link::default() },
            cuts: BTreeMap::new(),
            partitions: Vec::new(),
            busy: BTreeMap::new(),
        }
    }

    pub(super) fn set_default(&mut self, link: Link) {
        self.default = link;
    }

    pub(super) fn set(&mut self, a: HostId, b: HostId, link: Link) {
        self.special.insert(pair(a, b), link);
    }

    pub(super) fn between(&self, a: HostId, b: HostId) -> &Link {
        if a == b {
            return &self.loopback;
        }
        if self.special.is_empty() {
            return &self.default;
        }
        self.special.get(&pair(a, b)).unwrap_or(&self.default)
    }

    pub(super) fn cut_one_way(&mut self, from: HostId, to: HostId) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    pub(super) fn join_one_way(&mut self, from: HostId, to: HostId) {
        if let Some(cuts) = self.cuts.get_mut(&(from, to)) {
            *cuts -= 1;
            if *cuts == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    pub(super) fn add_partition(&mut self, partition: Partition) {
        self.partitions.push(partition);
    }

    /// Removes the first partition between these sets.
    pub(super) fn heal_partition(&mut self, left: &BTreeSet<HostId>, right: &BTreeSet<HostId>) {
        let at = self.partitions.iter().position(|p| p.left == *left && p.right == *right);
        if let Some(at) = at {
            self.partitions.remove(at);
        }
    }

    /// Removes every cut and partition.
    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.partitions.clear();
    }

    pub(super) fn is_up(&self, from: HostId, to: HostId) -> bool {
        from == to
            || (!self.cuts.contains_key(&(from, to))
                && !self.partitions.iter().any(|partition| partition.separates(from, to)))
    }

    /// Arrival time of a packet of this size that is sent now.
    pub(super) fn arrival(
        &mut self,
        random: &mut Rng,
        now: Time,
        from: HostId,
        to: HostId,
        size: usize,
    ) -> Time {
        let link = self.between(from, to);
        let latency = link.latency.draw(random);
        let Some(bandwidth) = link.bandwidth else { return now + latency };
        let busy = self.busy.entry((from, to)).or_default();
        let takes = (size as u128 * 1_000_000_000 / u128::from(bandwidth)) as u64;
        *busy = (*busy).max(now) + Duration::from_nanos(takes);
        *busy + latency
    }

    /// Latency of a small packet, ignoring bandwidth.
    pub(super) fn latency(&self, random: &mut Rng, from: HostId, to: HostId) -> Duration {
        self.between(from, to).latency.draw(random)
    }

    pub(super) fn loses(&self, random: &mut Rng, from: HostId, to: HostId) -> bool {
        happens(random, self.between(from, to).loss)
    }

    /// Extra delay of a datagram that is reordered.
    pub(super) fn reorder_delay(
        &self,
        random: &mut Rng,
        from: HostId,
        to: HostId,
    ) -> Option<Duration> {
        let link = self.between(from, to);
        if !happens(random, link.reorder) {
            return None;
        }
        let usual = nanos(link.latency.draw(random)).max(1_000);
        Some(Duration::from_nanos(random.u64(usual..=4 * usual)))
    }

    pub(super) fn duplicates(&self, random: &mut Rng, from: HostId, to: HostId) -> bool {
        happens(random, self.between(from, to).duplicate)
    }
}

fn pair(a: HostId, b: HostId) -> (HostId, HostId) {
    (a.min(b), a.max(b))
}
