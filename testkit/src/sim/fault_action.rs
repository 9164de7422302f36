//! What is done to hosts and links, by a test, a plan or chance: [`FaultAction`]. How it is done is in `apply.rs`.

use std::collections::BTreeSet;

use super::{id::HostId, node::AcceptFault, plan::Entry};

/// See the head of this file.
#[derive(Clone, Debug)]
pub(super) enum FaultAction {
    Cut(HostId, HostId),
    Join(HostId, HostId),
    /// From the first to the second only.
    CutWay(HostId, HostId),
    JoinWay(HostId, HostId),
    Part(BTreeSet<HostId>, BTreeSet<HostId>),
    Unite(BTreeSet<HostId>, BTreeSet<HostId>),
    Reset(HostId, HostId),
    Pause(HostId),
    Resume(HostId),
    Kill(HostId),
    PowerOff(HostId),
    /// The host is started again, from nothing.
    Boot(HostId),
    FailAccepts(HostId, Option<AcceptFault>),
    /// A fault of a plan begins.
    Begin(Entry),
    /// Whatever chance has in store, and the next time for it.
    RandomFaults,
}
