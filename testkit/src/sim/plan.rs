//! Faults that are planned: [`Plan`], built in code. In words it is in `grammar.rs`; how it is carried out, in
//! `fault_schedule.rs`. Pure.

use std::time::Duration;

use sinew_reactor::Excerpt;

use super::node::AcceptFault;

/// Something that goes wrong. Hosts are given by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `cut a-b`: nothing gets through between the two.
    Cut(String, String),
    /// `cut a>b`: nothing gets through from the first to the second; what the second sends does.
    CutWay(String, String),
    /// `partition a,b|c,d`: nothing gets through between the two sets.
    Partition(Vec<String>, Vec<String>),
    /// `reset a-b`: all connections between the two are reset, once.
    Reset(String, String),
    /// `pause a`: the process of the host stops in its tracks.
    Pause(String),
    /// `kill a`: the process of the host is killed; at the end of the fault the host restarts.
    Kill(String),
    /// `power-off a`: the host is gone without a word; at the end of the fault it restarts.
    PowerOff(String),
    /// `restart a`: the host restarts.
    Restart(String),
    /// `emfile a`, `enfile a`, `econnaborted a`: accepting fails.
    FailAccepts(String, AcceptFault),
}

/// What goes wrong when, and for how long.
///
/// In words, a line (or a part between semicolons) each: `at <time> <fault> [for <time>]`, with times such as `250 ms`, `3 s`,
/// `2 min` and `1 h`, down to `us` and `ns`. A fault without an end lasts. It is displayed in the same words, exactly.
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

/// A fault of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
    pub(crate) lasts: Option<Duration>,
}

/// A plan that cannot be understood, or carried out.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is not of the form `at <time> <fault> [for <time>]`.
    #[error("{:?} is not of the form \"at <time> <fault> [for <time>]\"", Excerpt::new(.0))]
    Form(String),
    /// It is no time.
    #[error("{:?} is no time, such as 250 ms, 3 s, 2 min or 1 h", Excerpt::new(.0))]
    Time(String),
    /// There is no such fault.
    #[error("{:?} is no fault, such as cut a-b or kill a", Excerpt::new(.0))]
    Fault(String),
    /// The network has no such host.
    #[error("there is no host {:?}", Excerpt::new(.0))]
    NoHost(String),
}

sinew_reactor::error_debug!(PlanError);

impl Plan {
    /// Adds a fault: when it begins, counted from when the plan is given to the network, and how long it lasts (`None`: for
    /// good).
    pub fn fault(mut self, at: Duration, fault: Fault, lasts: impl Into<Option<Duration>>) -> Self {
        self.entries.push(Entry { at, fault, lasts: lasts.into() });
        self
    }
}
