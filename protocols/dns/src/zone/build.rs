//! From records to a [`Zone`]: sorted, put into sets, checked, and linked. Does not read text.
//!
//! Refused: a record outside of the zone, none or several SOA records, CNAME beside others, several CNAME or DNAME, names below DNAME,
//! NSEC3 with too many iterations. All else is served as it is; what is odd becomes a warning.

use std::{cmp::Ordering, collections::HashMap};

use super::{
    ZoneError, ZoneFault, ZoneWarning,
    denial::Denial,
    name::{Shown, WireName, canonical_cmp, is_at_or_below, label_count, parent, wire_len},
    node::{APEX, Node, NodeId, Set},
    record::ZoneRecord,
    records::Records,
    schema::{A, AAAA, CNAME, DNAME, KEY, MX, NS, NSEC, NSEC3, RRSIG, SOA, SRV, type_text},
    zone::Zone,
};

/// Builds the zone.
pub(super) fn build(mut records: Vec<ZoneRecord>, origin: WireName) -> Result<Zone, ZoneError> {
    let apex = origin.lowered();
    for record in &records {
        let name = record.name.lowered();
        if !is_at_or_below(name.as_bytes(), apex.as_bytes()) {
            let (name, zone) = (record.name.to_string().into(), origin.to_string().into());
            let fault = ZoneFault::OutOfZone { name, zone };
            return Err(ZoneError::new(record.place.clone(), fault));
        }
    }
    check_soa(&records, &apex)?;
    // Records of a set keep their order; canonical order would need their names in lower case.
    records.sort_by(|one, other| {
        canonical_cmp(one.name.as_bytes(), other.name.as_bytes())
            .then_with(|| set_order(one).cmp(&set_order(other)))
    });
    let mut building = Building {
        zone: Zone {
            origin: origin.clone(),
            nodes: Vec::new(),
            index: HashMap::new(),
            depth_max: 0,
            denial: Denial::None,
            record_count: 0,
            warnings: Vec::new(),
        },
    };
    building.node_of(&origin);
    let is_same = |one: &ZoneRecord, other: &ZoneRecord| {
        canonical_cmp(one.name.as_bytes(), other.name.as_bytes()) == Ordering::Equal
    };
    for records in records.chunk_by(is_same) {
        building.name(records)?;
    }
    building.link()?;
    let mut zone = building.zone;
    zone.denial = Denial::of(&zone.nodes)?;
    Ok(zone)
}

/// SOA first, and signatures behind what they sign.
fn set_order(record: &ZoneRecord) -> (bool, u16, bool) {
    let is_signature = record.record_type == RRSIG;
    let set = if is_signature { covered(&record.data) } else { record.record_type };
    (set != SOA, set, is_signature)
}

/// The type that a signature signs.
fn covered(data: &[u8]) -> u16 {
    data.first_chunk().map_or(0, |number| u16::from_be_bytes(*number))
}

fn check_soa(records: &[ZoneRecord], apex: &WireName) -> Result<(), ZoneError> {
    let mut soa: Option<&ZoneRecord> = None;
    for record in records.iter().filter(|record| record.record_type == SOA) {
        let why = match soa {
            _ if record.name.lowered() != *apex => "this one is elsewhere",
            Some(first) if first.data != record.data => "this one is another",
            _ => {
                soa = Some(record);
                continue;
            }
        };
        let fault = ZoneFault::Soa { zone: apex.to_string().into(), why };
        return Err(ZoneError::new(record.place.clone(), fault));
    }
    match soa {
        Some(_) => Ok(()),
        None => {
            let fault = ZoneFault::Soa { zone: apex.to_string().into(), why: "there is none" };
            Err(ZoneError::new(None, fault))
        }
    }
}

struct Building {
    zone: Zone,
}

impl Building {
    /// The node of a name; it and those above it are made where they are missing.
    fn node_of(&mut self, name: &WireName) -> NodeId {
        let key = name.lowered();
        if let Some(id) = self.zone.index.get(key.as_bytes()) {
            return *id;
        }
        let is_apex = self.zone.nodes.is_empty();
        let above = parent(name.as_bytes()).filter(|_| !is_apex).map(WireName::from_wire);
        // Parents first, so that the nodes are in canonical order.
        let above = above.map(|above| self.node_of(&above));
        let id = NodeId(u32::try_from(self.zone.nodes.len()).unwrap_or(u32::MAX));
        self.zone.nodes.push(Node {
            name: name.clone(),
            sets: Vec::new(),
            wildcard: None,
            above: None,
            is_cut: false,
        });
        self.zone.depth_max = self.zone.depth_max.max(label_count(key.as_bytes()));
        if let Some(above) = above.filter(|_| key.as_bytes().starts_with(b"\x01*")) {
            self.zone.nodes[above.0 as usize].wildcard = Some(id);
        }
        self.zone.index.insert(key.as_bytes().into(), id);
        id
    }

    /// All records of one name, sorted by sets.
    fn name(&mut self, records: &[ZoneRecord]) -> Result<(), ZoneError> {
        let id = self.node_of(&records[0].name);
        let set_of = |record: &ZoneRecord| set_order(record).1;
        let mut sets = Vec::new();
        for records in records.chunk_by(|one, other| set_of(one) == set_of(other)) {
            let signed = records.partition_point(|record| record.record_type != RRSIG);
            let (plain, signatures) = records.split_at(signed);
            let record_type = set_of(&records[0]);
            let (ttl, plain) = self.records(plain);
            let (signature_ttl, signatures) = self.records(signatures);
            sets.push(Set {
                record_type,
                ttl,
                records: plain,
                signature_ttl,
                signatures,
                targets: Box::default(),
            });
        }
        check_name(&sets, &records[0])?;
        let node = &mut self.zone.nodes[id.0 as usize];
        node.sets = sets;
        node.is_cut = id != APEX && node.set(NS).is_some();
        Ok(())
    }

    /// The least TTL, and the data without duplicates.
    fn records(&mut self, records: &[ZoneRecord]) -> (u32, Records) {
        let Some(first) = records.first() else { return (0, Records::default()) };
        let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
        if records.iter().any(|record| record.ttl != ttl) && first.record_type != RRSIG {
            let name = first.name.to_string().into();
            let record_type = type_text(first.record_type);
            self.zone.warnings.push(ZoneWarning::TtlsDiffer { name, record_type });
        }
        let mut seen = std::collections::HashSet::with_capacity(records.len());
        let unique: Vec<_> = records.iter().filter(|it| seen.insert(it.data.as_slice())).collect();
        self.zone.record_count += unique.len();
        (ttl, Records::new(unique.into_iter().map(|record| record.data.as_slice())))
    }

    /// Fills in what nodes say of each other.
    fn link(&mut self) -> Result<(), ZoneError> {
        for at in 0..self.zone.nodes.len() {
            let above = self.above(at)?;
            self.zone.nodes[at].above = above;
            for set in 0..self.zone.nodes[at].sets.len() {
                let targets = self.targets(at, set);
                self.zone.nodes[at].sets[set].targets = targets;
            }
        }
        if self.zone.nodes[0].set(NS).is_none() {
            self.zone.warnings.push(ZoneWarning::NoNameServers);
        }
        Ok(())
    }

    /// The highest delegation or DNAME above a node. Those above a node come before it.
    fn above(&self, at: usize) -> Result<Option<NodeId>, ZoneError> {
        let node = &self.zone.nodes[at];
        let key = node.name.lowered();
        let parent = parent(key.as_bytes()).filter(|_| at > 0);
        let Some(parent) = parent.and_then(|parent| self.zone.find(parent)) else {
            return Ok(None);
        };
        let parent_node = self.zone.node(parent);
        let is_dname = parent_node.set(DNAME).is_some();
        let above = parent_node.above.or((parent_node.is_cut || is_dname).then_some(parent));
        let has_data = node.sets.iter().any(|set| set.record_type != NSEC3);
        if let Some(dname) = above.filter(|_| has_data).map(|above| self.zone.node(above))
            && !dname.is_cut
        {
            let (name, dname) = (node.name.to_string().into(), dname.name.to_string().into());
            return Err(ZoneError::new(None, ZoneFault::BelowDname { name, dname }));
        }
        Ok(above)
    }

    /// The nodes with addresses that a set names.
    fn targets(&mut self, at: usize, set: usize) -> Box<[NodeId]> {
        let node = &self.zone.nodes[at];
        let set = &node.sets[set];
        let skip = match set.record_type {
            NS => 0,
            MX => 2,
            SRV => 6,
            _ => return Box::default(),
        };
        let (mut targets, mut warnings) = (Vec::new(), Vec::new());
        for data in set.records.iter() {
            let Some(name) = data.get(skip..).filter(|name| wire_len(name).is_some()) else {
                continue;
            };
            let lower = name.to_ascii_lowercase();
            let found = self.zone.find(&lower).filter(|id| {
                let node = self.zone.node(*id);
                node.set(A).is_some() || node.set(AAAA).is_some()
            });
            targets.extend(found);
            // Only a server below its own delegation, or in the zone itself, needs an address here.
            let cut = node.name.lowered();
            if set.record_type == NS
                && found.is_none()
                && is_at_or_below(&lower, cut.as_bytes())
                && !self.is_synthesized(&lower)
            {
                let (name, server) = (node.name.to_string().into(), Shown(name).to_string().into());
                warnings.push(ZoneWarning::NoGlue { name, server });
            }
        }
        self.zone.warnings.extend(warnings);
        targets.into()
    }

    /// Whether a name that does not exist is below a delegation, or gets its address from a wildcard.
    fn is_synthesized(&self, name: &[u8]) -> bool {
        let (encloser, _) = self.zone.closest_encloser(name);
        let node = self.zone.node(encloser);
        let is_wild = node.wildcard.is_some_and(|id| {
            let node = self.zone.node(id);
            node.set(A).is_some() || node.set(AAAA).is_some()
        });
        is_wild && !node.is_cut && node.above.is_none()
    }
}

fn check_name(sets: &[Set], first: &ZoneRecord) -> Result<(), ZoneError> {
    let name = || first.name.to_string().into();
    for (record_type, text) in [(CNAME, "CNAME"), (DNAME, "DNAME")] {
        let set = sets.iter().find(|set| set.record_type == record_type);
        if set.is_some_and(|set| set.records.iter().count() > 1) {
            let fault = ZoneFault::Several { name: name(), record_type: text };
            return Err(ZoneError::new(first.place.clone(), fault));
        }
    }
    let has_cname = sets.iter().any(|set| set.record_type == CNAME && !set.records.is_empty());
    // KEY and NSEC may be there as well (RFC 2535, section 2.3.5, and RFC 4034, section 4).
    let is_other = |set: &Set| !matches!(set.record_type, CNAME | NSEC | KEY);
    if has_cname && sets.iter().any(is_other) {
        return Err(ZoneError::new(
            first.place.clone(),
            ZoneFault::CnameAndOthers { name: name() },
        ));
    }
    Ok(())
}
