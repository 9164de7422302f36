//! Faults that come by themselves: [`RandomFaults`].

use std::time::Duration;

use fastrand::Rng;

use super::{
    plan::{Entry, Fault},
    random::between,
    time::Time,
};

/// Which faults happen by chance, how often, and how long they last.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_testkit::sim::{RandomFaults, Network};
///
/// let network = Network::new(7);
/// let every = Duration::from_secs(30);
/// network.set_random_faults(RandomFaults::every(every).lasting(Duration::from_secs(5)).cuts().kills());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RandomFaults {
    every: Duration,
    lasting: Duration,
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Cut,
    OneWayCut,
    Partition,
    Pause,
    Kill,
    PowerOff,
    Reset,
}

impl RandomFaults {
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

    /// The way from one host to another is cut for a while, and not the way back.
    pub fn one_way_cuts(self) -> Self {
        self.with(Kind::OneWayCut)
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

    /// What happens now, to hosts of these names.
    pub(super) fn draw(&self, random: &mut Rng, now: Time, names: &[String]) -> Option<Entry> {
        if self.kinds.is_empty() || names.is_empty() {
            return None;
        }
        let kind = self.kinds[random.usize(..self.kinds.len())];
        let hosts = u32::try_from(names.len()).expect("fewer than 2^32 hosts");
        let first = random.u32(..hosts);
        let second = (hosts > 1).then(|| (first + random.u32(1..hosts)) % hosts);
        let name = |host: u32| names[host as usize].clone();
        let lasts = Some(between(random, Duration::from_millis(1), self.lasting));
        let (a, b) = (name(first), second.map(name));
        let (fault, lasts) = match kind {
            Kind::Cut => (Fault::Cut(a, b?), lasts),
            Kind::OneWayCut => (Fault::CutWay(a, b?), lasts),
            Kind::Partition => {
                let (left, right) = names.iter().cloned().partition(|_| random.bool());
                (Fault::Partition(left, right), lasts)
            }
            Kind::Pause => (Fault::Pause(a), lasts),
            Kind::Kill => (Fault::Kill(a), lasts),
            Kind::PowerOff => (Fault::PowerOff(a), lasts),
            Kind::Reset => (Fault::Reset(a, b?), None),
        };
        Some(Entry { at: now.since_start(), fault, lasts })
    }
}
