//! What has changed between two versions of a zone: [`Difference`], for incremental transfers (RFC 1995).

use std::{collections::HashMap, sync::Arc};

use super::{
    name::WireName,
    record::ZoneRecord,
    schema::SOA,
    zone::{Cursor, Zone},
};

/// Removed and added records, each behind the SOA record of its version.
#[derive(Debug)]
pub(crate) struct Difference {
    from: u32,
    to: u32,
    /// The old SOA record, what was removed, the new SOA record, what was added.
    records: Vec<ZoneRecord>,
}

/// Name in lower case, type, TTL and data of a record.
type Key = (Box<[u8]>, u16, u32, Box<[u8]>);

impl Difference {
    /// Compares two versions. `None` if more than `max` records differ.
    pub(crate) fn between(old: &Arc<Zone>, new: &Arc<Zone>, max: usize) -> Option<Self> {
        // Names count without their case, TTLs count.
        let mut counted = HashMap::<Key, i8>::new();
        for (zone, change) in [(old, -1), (new, 1)] {
            zone.for_each_record(Cursor::default(), |name, record_type, ttl, data| {
                if record_type != SOA {
                    let key = (name.to_ascii_lowercase().into(), record_type, ttl, data.into());
                    *counted.entry(key).or_default() += change;
                }
                true
            });
        }
        counted.retain(|_, change| *change != 0);
        if counted.len() > max {
            return None;
        }
        let part = |zone: &Zone, sign: i8| {
            let mut records: Vec<_> = counted
                .iter()
                .filter(|(_, change)| **change == sign)
                .map(|((name, record_type, ttl, data), _)| ZoneRecord {
                    name: WireName::from_wire(name),
                    record_type: *record_type,
                    ttl: *ttl,
                    data: data.to_vec(),
                    place: None,
                })
                .collect();
            records.sort_by(|one, other| {
                let key = |it: &ZoneRecord| (it.name.as_bytes().to_vec(), it.record_type);
                key(one).cmp(&key(other)).then_with(|| one.data.cmp(&other.data))
            });
            let (ttl, data) = zone.soa();
            let soa = ZoneRecord {
                name: WireName::from_wire(zone.wire_origin()),
                record_type: SOA,
                ttl,
                data: data.to_vec(),
                place: None,
            };
            [soa].into_iter().chain(records)
        };
        let records = part(old, -1).chain(part(new, 1)).collect();
        Some(Self { from: old.serial(), to: new.serial(), records })
    }

    /// The version before.
    pub(crate) fn from(&self) -> u32 {
        self.from
    }

    /// The version behind.
    pub(crate) fn to(&self) -> u32 {
        self.to
    }

    /// Name, type, TTL and data of a record, in the order of a transfer.
    pub(crate) fn record(&self, at: usize) -> Option<(&[u8], u16, u32, &[u8])> {
        let record = self.records.get(at)?;
        Some((record.name.as_bytes(), record.record_type, record.ttl, &record.data))
    }
}
