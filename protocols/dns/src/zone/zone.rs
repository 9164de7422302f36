//! A zone in memory: [`Zone`] is a tree of names with their record sets, ready to be served. It does not change; a new version replaces
//! it as a whole. How it is loaded is in `load.rs`, how it is built and checked in `build.rs`, how it answers in `lookup.rs`.

use std::{collections::HashMap, fmt};

use super::{
    ZoneWarning,
    denial::Denial,
    name::{WireName, is_at_or_below, parent},
    node::{APEX, Node, NodeId},
    schema::{RRSIG, SOA},
};
use crate::codec::Name;

/// An authoritative zone. It can be shared between threads, so it may be loaded in one and served in another.
///
/// # Examples
///
/// ```
/// use sinew_dns::zone::Zone;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "$TTL 1h\n@ SOA ns root 1 1d 2h 4w 5m\n@ NS ns\nns A 192.0.2.1\n* TXT \"any other name\"\n";
/// let zone = Zone::parse(text, &"example.".parse()?)?;
/// assert_eq!((zone.serial(), zone.record_count()), (1, 4));
/// # Ok(())
/// # }
/// ```
pub struct Zone {
    pub(super) origin: WireName,
    pub(super) nodes: Vec<Node>,
    /// The nodes by their names in lower case.
    pub(super) index: HashMap<Box<[u8]>, NodeId>,
    /// Labels of the longest name: longer ones need not be looked for.
    pub(super) depth_max: usize,
    pub(super) denial: Denial,
    pub(super) record_count: usize,
    pub(super) warnings: Vec<ZoneWarning>,
}

impl Zone {
    /// The name of the zone.
    #[must_use]
    pub fn origin(&self) -> Name {
        self.origin.to_name()
    }

    /// The serial number of the SOA record.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.soa_numbers()[0]
    }

    /// How many records it has, with signatures.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// What is odd about the zone.
    #[must_use]
    pub fn warnings(&self) -> &[ZoneWarning] {
        &self.warnings
    }

    /// Whether the zone is signed: it has NSEC or NSEC3 records at its apex or below.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        !matches!(self.denial, Denial::None)
    }

    /// Serial, refresh, retry, expire and minimum of the SOA record.
    pub(crate) fn soa_numbers(&self) -> [u32; 5] {
        let (_, data) = self.soa();
        let numbers = data.last_chunk::<20>().copied().unwrap_or_default();
        let mut numbers = numbers.chunks_exact(4);
        std::array::from_fn(|_| {
            let number = numbers.next().and_then(|it| it.first_chunk().copied());
            u32::from_be_bytes(number.unwrap_or_default())
        })
    }

    /// TTL and data of the SOA record.
    pub(crate) fn soa(&self) -> (u32, &[u8]) {
        let set = self.node(APEX).set(SOA);
        set.and_then(|set| Some((set.ttl, set.records.first()?))).unwrap_or((0, &[]))
    }

    /// The name of the zone on the wire, as written.
    pub(crate) fn wire_origin(&self) -> &[u8] {
        self.origin.as_bytes()
    }

    /// Calls `each` with all records, in the canonical order of names, the SOA record first. Stops when that returns `false`, and is
    /// continued with the number of the records before.
    pub(crate) fn for_each_record(
        &self,
        from: Cursor,
        mut each: impl FnMut(&[u8], u16, u32, &[u8]) -> bool,
    ) -> Cursor {
        let mut cursor = from;
        while let Some(node) = self.nodes.get(cursor.node) {
            while let Some(set) = node.sets.get(cursor.set) {
                let records = set.records.iter().map(|data| (set.record_type, set.ttl, data));
                let signatures = set.signatures.iter().map(|data| (RRSIG, set.signature_ttl, data));
                for (record_type, ttl, data) in records.chain(signatures).skip(cursor.record) {
                    if !each(node.name.as_bytes(), record_type, ttl, data) {
                        return cursor;
                    }
                    cursor.record += 1;
                }
                (cursor.set, cursor.record) = (cursor.set + 1, 0);
            }
            cursor = Cursor { node: cursor.node + 1, ..Cursor::default() };
        }
        cursor
    }

    /// Whether all records are before this place.
    pub(crate) fn is_end(&self, cursor: Cursor) -> bool {
        cursor.node >= self.nodes.len()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        id.of(&self.nodes)
    }

    /// The node of a name in lower case.
    pub(super) fn find(&self, name: &[u8]) -> Option<NodeId> {
        self.index.get(name).copied()
    }

    /// The deepest existing node above a name in lower case that does not exist, and the length of the labels that are missing there.
    pub(super) fn closest_encloser(&self, name: &[u8]) -> (NodeId, usize) {
        let mut labels = super::name::label_count(name);
        let mut rest = name;
        while let Some(above) = parent(rest) {
            labels -= 1;
            rest = above;
            if labels > self.depth_max {
                continue;
            }
            if let Some(id) = self.find(rest) {
                return (id, name.len() - rest.len());
            }
        }
        (APEX, name.len())
    }

    /// Whether a name on the wire is in the zone or below a delegation of it.
    #[must_use]
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        is_at_or_below(name, self.origin.as_bytes())
    }
}

/// A place in the order of all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    node: usize,
    set: usize,
    record: usize,
}

/// The text of the zone: all records in the canonical order of names, the SOA record first, each in one line with its whole name.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.for_each_record(Cursor::default(), |name, record_type, ttl, data| {
            let name = super::name::Shown(name);
            let text = super::schema::type_text(record_type);
            let data = super::data::Data(record_type, data);
            result = writeln!(f, "{name} {ttl} IN {text} {data}");
            result.is_ok()
        });
        result
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("origin", &self.origin)
            .field("serial", &self.serial())
            .field("records", &self.record_count)
            .finish_non_exhaustive()
    }
}
