//! A set of records that becomes a zone: [`ZoneEdit`], for transfers. Records are added and removed one by one; nothing is checked until
//! the zone is built.

use std::collections::HashMap;

use super::{
    ZoneError,
    build::build,
    name::WireName,
    record::ZoneRecord,
    schema::SOA,
    zone::{Cursor, Zone},
};
use crate::codec::{Name, Record};

/// Records by name in lower case, type and data.
#[derive(Debug, Default)]
pub(crate) struct ZoneEdit(HashMap<Key, ZoneRecord>);

/// Name in lower case, type and data of a record.
type Key = (Box<[u8]>, u16, Vec<u8>);

impl ZoneEdit {
    /// All records of a zone.
    pub(crate) fn of(zone: &Zone) -> Self {
        let mut this = Self::default();
        zone.for_each_record(Cursor::default(), |name, record_type, ttl, data| {
            let (name, data) = (WireName::from_wire(name), data.to_vec());
            this.insert(ZoneRecord { name, record_type, ttl, data, place: None });
            true
        });
        this
    }

    fn insert(&mut self, record: ZoneRecord) {
        let key =
            (record.name.lowered().as_bytes().into(), record.record_type, record.data.clone());
        self.0.insert(key, record);
    }

    /// Forgets all records.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), ZoneError> {
        self.insert(ZoneRecord::from_record(record)?);
        Ok(())
    }

    /// Removes a record. Says whether it was there.
    pub(crate) fn remove(&mut self, record: &Record) -> Result<bool, ZoneError> {
        let record = ZoneRecord::from_record(record)?;
        let key = (record.name.lowered().as_bytes().into(), record.record_type, record.data);
        Ok(self.0.remove(&key).is_some())
    }

    /// Replaces the SOA record.
    pub(crate) fn set_soa(&mut self, record: &Record) -> Result<(), ZoneError> {
        self.0.retain(|(_, record_type, _), _| *record_type != SOA);
        self.add(record)
    }

    /// Builds and checks the zone.
    pub(crate) fn build(self, origin: &Name) -> Result<Zone, ZoneError> {
        let mut records: Vec<_> = self.0.into_values().collect();
        // The order of records in a set is always the same.
        records.sort_by(|one, other| one.data.cmp(&other.data));
        build(records, WireName::from_name(origin))
    }
}
