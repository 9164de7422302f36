//! An action on hosts or links, requested by a test, a plan or random faults: [`FaultAction`]. Applied in `apply.rs`.

use std::collections::BTreeSet;

use super::{id::HostId, node::AcceptFault, plan::Entry};

/// An action on hosts or links.
#[derive(Clone, Debug)]
pub(super) enum FaultAction {
    Cut(HostId, HostId),
    Join(HostId, HostId),
    /// From the first host to the second only.
    CutOneWay(HostId, HostId),
    JoinOneWay(HostId, HostId),
    Partition(BTreeSet<HostId>, BTreeSet<HostId>),
    HealPartition(BTreeSet<HostId>, BTreeSet<HostId>),
    Reset(HostId, HostId),
    Pause(HostId),
    Resume(HostId),
    Kill(HostId),
    PowerOff(HostId),
    /// The host is restarted with a new process.
    Boot(HostId),
    FailAccepts(HostId, Option<AcceptFault>),
    /// A fault of a plan starts.
    Begin(Entry),
    /// Draws a random fault, and schedules the next draw.
    RandomFaults,
}
