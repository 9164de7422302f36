//! Planned faults: [`Plan`]. Its text format is in `grammar.rs`; scheduling is in `fault_schedule.rs`. Pure data.

use std::time::Duration;

use sinew_reactor::Excerpt;

use super::node::AcceptFault;

/// A fault. Hosts are identified by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `cut a-b`: nothing gets through between the two.
    Cut(String, String),
    /// `cut a>b`: nothing gets through from the first to the second; the reverse direction works.
    CutWay(String, String),
    /// `partition a,b|c,d`: nothing gets through between the two sets.
    Partition(Vec<String>, Vec<String>),
    /// `reset a-b`: all connections between the two are reset once.
    Reset(String, String),
    /// `pause a`: the process of the host is stopped.
    Pause(String),
    /// `kill a`: the process of the host is killed. When the fault ends, the host restarts.
    Kill(String),
    /// `power-off a`: the host loses power. When the fault ends, it restarts.
    PowerOff(String),
    /// `restart a`: the host restarts.
    Restart(String),
    /// `emfile a`, `enfile a`, `econnaborted a`: accepting fails.
    FailAccepts(String, AcceptFault),
}

/// A schedule of faults: what fails, when, and for how long.
///
/// Text format, one fault per line or separated by semicolons: `at <time> <fault> [for <time>]`, with times such as
/// `250 ms`, `3 s`, `2 min` and `1 h`, down to `us` and `ns`. Without a duration, a fault is permanent. `Display`
/// prints exactly this format.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_testkit::sim::{Fault, Network, Plan};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let plan: Plan = "at 3 s cut a-b for 10 s; at 1 min kill b for 500 ms".parse()?;
/// assert_eq!(plan, Plan::default()
///     .fault(Duration::from_secs(3), Fault::Cut("a".into(), "b".into()), Duration::from_secs(10))
///     .fault(Duration::from_secs(60), Fault::Kill("b".into()), Duration::from_millis(500)));
///
/// let network = Network::new(7);
/// let _hosts = (network.host("a"), network.host("b"));
/// network.plan(&plan)?;
/// network.run_for(Duration::from_secs(120))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    pub(crate) entries: Vec<Entry>,
}

/// A fault of a plan, with its start and duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
    pub(crate) lasts: Option<Duration>,
}

/// A plan that cannot be parsed or scheduled.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Not of the form `at <time> <fault> [for <time>]`.
    #[error("{:?} is not of the form \"at <time> <fault> [for <time>]\"", Excerpt::new(.0))]
    Form(String),
    /// Not a valid time.
    #[error("{:?} is not a time such as 250 ms, 3 s, 2 min or 1 h", Excerpt::new(.0))]
    Time(String),
    /// Not a known fault.
    #[error("{:?} is not a fault such as cut a-b or kill a", Excerpt::new(.0))]
    Fault(String),
    /// The network has no host of that name.
    #[error("there is no host {:?}", Excerpt::new(.0))]
    NoHost(String),
}

sinew_reactor::error_debug!(PlanError);

impl Plan {
    /// Adds a fault: when it starts, relative to when the plan is passed to the network, and how long it lasts
    /// (`None`: permanently).
    pub fn fault(mut self, at: Duration, fault: Fault, lasts: impl Into<Option<Duration>>) -> Self {
        self.entries.push(Entry { at, fault, lasts: lasts.into() });
        self
    }
}
