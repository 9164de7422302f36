//! Zones sent to other servers: [`Changes`] is what is sent, and [`Sending`] writes it message by message, as fast as the other end
//! receives (AXFR, RFC 5936; IXFR, RFC 1995).

use std::{fmt, sync::Arc};

use sinew_transports::{Producer, Production, Transport, reactor::Reactor};

use super::{edns::OptRecord, head::Head, unix_time::unix_time};
use crate::zone::{
    Cursor, Zone,
    difference::Difference,
    response_writer::{NameTable, ResponseWriter, Section},
    schema::SOA,
};

/// Length that messages of a transfer are filled up to. Compression reaches no further.
const MESSAGE_LEN: usize = 16_384;

/// A zone, or what has changed in it.
#[derive(Clone)]
pub struct Changes {
    zone: Arc<Zone>,
    /// From the oldest to the newest; `None` for the whole zone.
    differences: Option<Vec<Arc<Difference>>>,
}

impl Changes {
    /// The whole zone.
    #[must_use]
    pub fn whole(zone: Arc<Zone>) -> Self {
        Self { zone, differences: None }
    }

    /// These changes, one after the other, of which the last leads to the zone. With none, the other end has the zone already.
    pub(super) fn since(zone: Arc<Zone>, differences: Vec<Arc<Difference>>) -> Self {
        Self { zone, differences: Some(differences) }
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &Arc<Zone> {
        &self.zone
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("zone", &self.zone)
            .field("versions", &self.differences.as_ref().map(Vec::len))
            .finish()
    }
}

/// What is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The SOA record of the zone, at the beginning.
    First,
    /// Records of the whole zone.
    Zone(Cursor),
    /// A record of a difference.
    Difference {
        version: usize,
        record: usize,
    },
    /// The SOA record of the zone, at the end.
    Last,
    End,
}

/// A transfer in progress.
pub(super) struct Sending {
    changes: Changes,
    head: Head,
    next: Next,
    names: NameTable,
    out: Vec<u8>,
    /// The signature of the message before.
    mac: Option<Vec<u8>>,
}

impl Sending {
    pub(super) fn new(head: Head, changes: Changes) -> Self {
        Self {
            changes,
            head,
            next: Next::First,
            names: NameTable::default(),
            out: Vec::new(),
            mac: None,
        }
    }

    /// Makes the next message, behind its length. `false` if it cannot be made.
    fn message(&mut self, reactor: &Reactor) -> bool {
        let begins = self.next;
        for limit in [MESSAGE_LEN, usize::from(u16::MAX)] {
            self.next = begins;
            self.out.clear();
            self.out.extend_from_slice(&[0, 0]);
            let reserved = self.head.reserved();
            let records = self.fill(limit - reserved);
            // A record that is too long for a message of the usual length gets one of its own.
            if records > 0 {
                return self.finish(reactor);
            }
        }
        tracing::error!(zone = ?self.changes.zone, "a record of a zone is too long for a transfer");
        false
    }

    /// Appends as many records as fit, and returns how many.
    fn fill(&mut self, limit: usize) -> u16 {
        let Self { changes, head, names, out, next, .. } = self;
        let question = head.question.as_bytes();
        let mut writer =
            ResponseWriter::new(out, names, head.header(), question, limit).case_exact();
        let zone = &*changes.zone;
        loop {
            *next = match *next {
                Next::First if !soa(zone, &mut writer) => break,
                Next::First => match &changes.differences {
                    None => Next::Zone(Cursor::default()),
                    // Only the SOA record: nothing has changed (RFC 1995, section 4).
                    Some(differences) if differences.is_empty() => Next::End,
                    Some(_) => Next::Difference { version: 0, record: 0 },
                },
                Next::Zone(cursor) => {
                    let cursor = zone.for_each_record(cursor, |name, record_type, ttl, data| {
                        // The SOA record comes first and last.
                        record_type == SOA
                            || writer.record(Section::Answer, name, record_type, ttl, data)
                    });
                    if !zone.is_end(cursor) {
                        *next = Next::Zone(cursor);
                        break;
                    }
                    Next::Last
                }
                Next::Difference { version, record } => {
                    let differences = changes.differences.as_deref().unwrap_or_default();
                    match differences.get(version) {
                        None => Next::Last,
                        Some(difference) => match difference.record(record) {
                            None => Next::Difference { version: version + 1, record: 0 },
                            Some((name, record_type, ttl, data)) => {
                                if !writer.record(Section::Answer, name, record_type, ttl, data) {
                                    break;
                                }
                                Next::Difference { version, record: record + 1 }
                            }
                        },
                    }
                }
                Next::Last if !soa(zone, &mut writer) => break,
                Next::Last | Next::End => {
                    *next = Next::End;
                    break;
                }
            };
        }
        let records = writer.counts()[0];
        let opt = head.opt;
        let bytes = opt.as_ref().map_or(&[][..], OptRecord::as_bytes);
        writer.finish(head.response_flags() | 0x0400, bytes, u16::from(opt.is_some()));
        records
    }

    fn finish(&mut self, reactor: &Reactor) -> bool {
        if let Some(signing) = &self.head.signing {
            let now = unix_time(reactor);
            let signed = match &self.mac {
                None => signing.key.sign(&self.out[2..], now, Some(&signing.mac)),
                Some(mac) => signing.key.sign_next(&self.out[2..], now, mac),
            };
            let Ok(signed) = signed else { return false };
            self.out.truncate(2);
            self.out.extend_from_slice(&signed.bytes);
            self.mac = Some(signed.mac);
        }
        let Ok(len) = u16::try_from(self.out.len() - 2) else { return false };
        self.out[..2].copy_from_slice(&len.to_be_bytes());
        true
    }
}

fn soa(zone: &Zone, writer: &mut ResponseWriter<'_>) -> bool {
    let (ttl, data) = zone.soa();
    writer.record(Section::Answer, zone.wire_origin(), SOA, ttl, data)
}

impl Producer for Sending {
    fn produce(&mut self, transport: &Transport) -> Production {
        let Some(reactor) = transport.reactor() else { return Production::Done };
        if !self.message(&reactor) {
            transport.abort();
            return Production::Done;
        }
        transport.write(&self.out);
        if self.next == Next::End { Production::Done } else { Production::More }
    }
}
