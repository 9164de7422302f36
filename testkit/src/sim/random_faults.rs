//! Random fault injection: [`RandomFaults`].

use std::time::Duration;

use fastrand::Rng;

use super::{
    plan::{Entry, Fault},
    random::between,
    time::Time,
};

/// Which random faults happen, how often, and how long they last.
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
    /// A fault once per `interval` on average. The kinds are chosen with the other methods.
    pub fn every(interval: Duration) -> Self {
        Self { every: interval, lasting: Duration::from_secs(10), kinds: Vec::new() }
    }

    /// Maximum duration of a fault. Default 10 s.
    pub fn lasting(mut self, max: Duration) -> Self {
        self.lasting = max;
        self
    }

    fn with(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Adds cuts of the link between two hosts.
    pub fn cuts(self) -> Self {
        self.with(Kind::Cut)
    }

    /// Adds one-way cuts: from one host to another, but not back.
    pub fn one_way_cuts(self) -> Self {
        self.with(Kind::OneWayCut)
    }

    /// Adds partitions of the hosts into two sets.
    pub fn partitions(self) -> Self {
        self.with(Kind::Partition)
    }

    /// Adds pauses of a host.
    pub fn pauses(self) -> Self {
        self.with(Kind::Pause)
    }

    /// Adds kills of a host, which restarts later.
    pub fn kills(self) -> Self {
        self.with(Kind::Kill)
    }

    /// Adds power losses of a host, which restarts later.
    pub fn power_cuts(self) -> Self {
        self.with(Kind::PowerOff)
    }

    /// Adds resets of all connections between two hosts.
    pub fn resets(self) -> Self {
        self.with(Kind::Reset)
    }

    /// Time until the next fault.
    pub(super) fn wait(&self, random: &mut Rng) -> Duration {
        between(random, Duration::from_millis(1), self.every * 2)
    }

    /// Draws a fault on the named hosts.
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
