//! Proofs in signed zones that something does not exist: NSEC (RFC 4035, section 3.1.3) and NSEC3 (RFC 5155, section 7.2). [`Denial`] finds
//! the records; which ones a response needs is decided in `lookup.rs`.

use sha1::{Digest, Sha1};

use super::{
    ZoneError, ZoneFault,
    data::hash_label,
    name::{canonical_cmp, labels},
    node::{APEX, Node, NodeId},
    schema::{NSEC, NSEC3, NSEC3PARAM},
};

/// Greatest number of additional iterations of NSEC3: each query costs as many hashes (RFC 9276, section 3.2).
const ITERATIONS_MAX: u16 = 150;

/// Length of a SHA-1 hash.
const HASH_LEN: usize = 20;

/// How a zone proves what does not exist.
#[derive(Debug)]
pub(super) enum Denial {
    /// It is not signed.
    None,
    /// The nodes with NSEC records, in canonical order.
    Nsec(Vec<NodeId>),
    /// The nodes with NSEC3 records, in the order of their hashes.
    Nsec3 { chain: Vec<([u8; HASH_LEN], NodeId)>, salt: Box<[u8]>, iterations: u16 },
}

impl Denial {
    /// By the records of all nodes of a zone. NSEC3 is used if NSEC3PARAM is there.
    pub(super) fn of(nodes: &[Node]) -> Result<Self, ZoneError> {
        if let Some(set) = APEX.of(nodes).set(NSEC3PARAM)
            && let Some(data) = set.records.iter().find(|data| data.starts_with(&[1, 0]))
        {
            let iterations = u16::from_be_bytes([data[2], data[3]]);
            if iterations > ITERATIONS_MAX {
                let max = ITERATIONS_MAX;
                return Err(ZoneError::new(None, ZoneFault::Iterations { iterations, max }));
            }
            // Algorithm, flags, iterations, salt with its length: as in the records of the chain, except for the flags.
            let salt: Box<[u8]> = data[5..].into();
            let is_of_chain = |it: &[u8]| it[0] == 1 && it[2..].starts_with(&data[2..]);
            let mut chain: Vec<_> = nodes_with(nodes, NSEC3)
                .filter(|id| {
                    id.of(nodes).set(NSEC3).is_some_and(|set| set.records.iter().any(is_of_chain))
                })
                .filter_map(|id| {
                    let label = labels(id.of(nodes).name.as_bytes()).next()?;
                    let hash = hash_label(label)?;
                    Some((hash.try_into().ok()?, id))
                })
                .collect();
            chain.sort_unstable_by_key(|(hash, _)| *hash);
            if !chain.is_empty() {
                return Ok(Self::Nsec3 { chain, salt, iterations });
            }
        }
        let chain: Vec<_> = nodes_with(nodes, NSEC).collect();
        debug_assert!(chain.windows(2).all(|pair| {
            let name = |id: NodeId| id.of(nodes).name.as_bytes();
            canonical_cmp(name(pair[0]), name(pair[1])).is_lt()
        }));
        Ok(if chain.is_empty() { Self::None } else { Self::Nsec(chain) })
    }

    /// Of an NSEC zone: the node whose record covers a name that does not exist, or exists without records.
    pub(super) fn nsec_covering(&self, all: &[Node], name: &[u8]) -> Option<NodeId> {
        let Self::Nsec(nodes) = self else { return None };
        let before =
            nodes.partition_point(|id| canonical_cmp(id.of(all).name.as_bytes(), name).is_le());
        before.checked_sub(1).map(|at| nodes[at])
    }

    /// Of an NSEC3 zone: the node of exactly this name's hash.
    pub(super) fn nsec3_matching(&self, name: &[u8]) -> Option<NodeId> {
        let Self::Nsec3 { chain, .. } = self else { return None };
        let hash = self.hash(name)?;
        let at = chain.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
        Some(chain[at].1)
    }

    /// Of an NSEC3 zone: the node whose record covers this name's hash.
    pub(super) fn nsec3_covering(&self, name: &[u8]) -> Option<NodeId> {
        let Self::Nsec3 { chain, .. } = self else { return None };
        let hash = self.hash(name)?;
        let before = chain.partition_point(|(other, _)| *other <= hash);
        // The last record covers what is before the first.
        let at = before.checked_sub(1).unwrap_or(chain.len() - 1);
        Some(chain[at].1)
    }

    /// The hash of a name in lower case (RFC 5155, section 5).
    fn hash(&self, name: &[u8]) -> Option<[u8; HASH_LEN]> {
        let Self::Nsec3 { salt, iterations, .. } = self else { return None };
        let mut hash: [u8; HASH_LEN] =
            Sha1::new().chain_update(name).chain_update(salt).finalize().into();
        for _ in 0..*iterations {
            hash = Sha1::new().chain_update(hash).chain_update(salt).finalize().into();
        }
        Some(hash)
    }
}

fn nodes_with(nodes: &[Node], record_type: u16) -> impl Iterator<Item = NodeId> {
    let with = nodes.iter().enumerate().filter(move |(_, node)| node.set(record_type).is_some());
    with.map(|(at, _)| NodeId(u32::try_from(at).unwrap_or(u32::MAX)))
}
