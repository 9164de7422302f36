//! One record of a zone on its way into the tree: [`ZoneRecord`].

use std::fmt;

use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use super::{
    Place, ZoneError, ZoneFault,
    data::{Data, is_valid},
    name::WireName,
    schema::{is_meta, type_text},
};
use crate::codec::{DNSClass, Record};

/// A record with its data as bytes, without compression.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ZoneRecord {
    pub(crate) name: WireName,
    pub(crate) record_type: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
    /// Where it is in a text.
    pub(crate) place: Option<Place>,
}

impl ZoneRecord {
    /// From a record as hickory-proto has it.
    pub(super) fn from_record(record: &Record) -> Result<Self, ZoneError> {
        let record_type = u16::from(record.record_type());
        let failed = |why: Box<str>| {
            let record_type = type_text(record_type);
            ZoneError::new(None, ZoneFault::Data { record_type, why })
        };
        if is_meta(record_type) {
            return Err(ZoneError::new(None, ZoneFault::MetaType(type_text(record_type))));
        }
        if record.dns_class != DNSClass::IN {
            let class = record.dns_class.to_string().into();
            return Err(ZoneError::new(None, ZoneFault::Class(class)));
        }
        let mut data = Vec::new();
        let mut encoder = BinEncoder::new(&mut data);
        encoder.set_name_encoding(NameEncoding::Uncompressed);
        record.data.emit(&mut encoder).map_err(|error| failed(error.to_string().into()))?;
        if !is_valid(record_type, &data) {
            return Err(failed("the bytes are no data of this type".into()));
        }
        let name = WireName::from_name(&record.name);
        Ok(Self { name, record_type, ttl: record.ttl, data, place: None })
    }
}

impl fmt::Display for ZoneRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (record_type, data) = (type_text(self.record_type), Data(self.record_type, &self.data));
        write!(f, "{} {} IN {record_type} {data}", self.name, self.ttl)
    }
}

impl fmt::Debug for ZoneRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
