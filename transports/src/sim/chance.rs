//! Faults that come by themselves: [`Chance`].

use std::{collections::BTreeSet, time::Duration};

use fastrand::Rng;

use super::{act::Act, random::between, world::HostId};

/// Which faults happen by chance, how often, and how long they last.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::sim::{Chance, Network};
///
/// let network = Network::new(7);
/// let every = Duration::from_secs(30);
/// network.set_chance(Chance::every(every).lasting(Duration::from_secs(5)).cuts().kills());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Chance {
    every: Duration,
    lasting: Duration,
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Cut,
    Partition,
    Pause,
    Kill,
    PowerOff,
    Reset,
}

impl Chance {
    /// A fault every so often on the average; which, is said by the other methods.
    pub fn every(interval: Duration) -> Self {
        Self { every: interval, lasting: Duration::from_secs(10), kinds: Vec::new() }
    }

    /// How long a fault lasts at most. Default 10 s.
    pub fn lasting(mut self, max: Duration) -> Self {
        self.lasting = max;
        self
    }

    fn with(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// The way between two hosts is cut for a while.
    pub fn cuts(self) -> Self {
        self.with(Kind::Cut)
    }

    /// Some hosts are parted from the others for a while.
    pub fn partitions(self) -> Self {
        self.with(Kind::Partition)
    }

    /// A host is paused for a while.
    pub fn pauses(self) -> Self {
        self.with(Kind::Pause)
    }

    /// A host is killed, and restarts a while later.
    pub fn kills(self) -> Self {
        self.with(Kind::Kill)
    }

    /// A host loses power, and restarts a while later.
    pub fn power_cuts(self) -> Self {
        self.with(Kind::PowerOff)
    }

    /// All connections between two hosts are reset.
    pub fn resets(self) -> Self {
        self.with(Kind::Reset)
    }

    /// How long until the next.
    pub(super) fn wait(&self, random: &mut Rng) -> Duration {
        between(random, Duration::from_millis(1), self.every * 2)
    }

    /// What happens, how long it lasts, and what ends it.
    pub(super) fn draw(
        &self,
        random: &mut Rng,
        hosts: u32,
    ) -> Option<(Act, Duration, Option<Act>)> {
        if self.kinds.is_empty() || hosts == 0 {
            return None;
        }
        let kind = self.kinds[random.usize(..self.kinds.len())];
        let a = HostId(random.u32(..hosts));
        let other = (hosts > 1).then(|| HostId((a.0 + random.u32(1..hosts)) % hosts));
        let lasts = between(random, Duration::from_millis(1), self.lasting);
        let (act, undo) = match kind {
            Kind::Cut => (Act::Cut(a, other?), Some(Act::Join(a, other?))),
            Kind::Partition => {
                let (left, right): (BTreeSet<_>, BTreeSet<_>) =
                    (0..hosts).map(HostId).partition(|_| random.bool());
                let undo = Act::Unite(left.clone(), right.clone());
                (Act::Part(left, right), Some(undo))
            }
            Kind::Pause => (Act::Pause(a), Some(Act::Resume(a))),
            Kind::Kill => (Act::Kill(a), Some(Act::Boot(a))),
            Kind::PowerOff => (Act::PowerOff(a), Some(Act::Boot(a))),
            Kind::Reset => (Act::Reset(a, other?), None),
        };
        Some((act, lasts, undo))
    }
}
