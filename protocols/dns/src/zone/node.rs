//! The names of a zone with their records: [`Node`], [`Set`]. Which of them belong together is found by `build.rs`.

use super::{name::WireName, records::Records};

/// The index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    /// The node, among all of its zone.
    pub(super) fn of(self, nodes: &[Node]) -> &Node {
        &nodes[self.0 as usize]
    }
}

/// The apex is the first node.
pub(super) const APEX: NodeId = NodeId(0);

/// A name with its record sets. It may have none, if there are names below it (an empty non-terminal).
#[derive(Debug)]
pub(super) struct Node {
    /// As written.
    pub(super) name: WireName,
    pub(super) sets: Vec<Set>,
    /// The node `*` below it.
    pub(super) wildcard: Option<NodeId>,
    /// The highest delegation or DNAME above it.
    pub(super) above: Option<NodeId>,
    /// Whether it is a delegation: it has NS records, and is not the apex.
    pub(super) is_cut: bool,
}

/// The records of one name and type, with the signatures over them.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) record_type: u16,
    pub(super) ttl: u32,
    pub(super) records: Records,
    pub(super) signature_ttl: u32,
    pub(super) signatures: Records,
    /// The nodes that its records name and that have addresses, for the additional section.
    pub(super) targets: Box<[NodeId]>,
}

impl Node {
    pub(super) fn set(&self, record_type: u16) -> Option<&Set> {
        self.sets.iter().find(|set| set.record_type == record_type && !set.records.is_empty())
    }
}
