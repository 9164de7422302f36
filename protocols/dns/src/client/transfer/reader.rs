//! What the records of a zone transfer mean: [`TransferReader`]. Pure: for clients, and for secondary servers.
//!
//! | state | an SOA record | another record |
//! |---|---|---|
//! | `Begun` | `First`; the transfer has this version | error: a transfer begins with an SOA record |
//! | `First` | of an IXFR: `Removed`, if it is not that version; else the end of an empty zone, or an error | `Whole`: the whole zone follows |
//! | `Whole` | the end, if it is that version; else an error | a record |
//! | `Removed` | `Added`: the version to which these changes lead | a record that is removed |
//! | `Added` | the end, if it is the version of the transfer and was reached; else `Removed` | a record that is added |
//! | `Over` | error | error |

use super::{TransferError, TransferEvent};
use crate::codec::{Name, RData, Record, rdata::SOA};

/// Reads the records of a transfer in order.
#[derive(Clone, Debug)]
pub struct TransferReader {
    zone: Name,
    /// The version that we have, for an IXFR.
    have: Option<u32>,
    state: State,
    /// The SOA record at both ends.
    soa: Option<SOA>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    First,
    Whole,
    Removed,
    /// The serial that the changes lead to.
    Added(u32),
    Over,
}

impl TransferReader {
    /// For a zone; `have` is the version that we have, if only what has changed since is asked for (IXFR).
    #[must_use]
    pub const fn new(zone: Name, have: Option<u32>) -> Self {
        Self { zone, have, state: State::Begun, soa: None }
    }

    /// Takes the next record. Returns up to two events.
    ///
    /// # Errors
    ///
    /// [`TransferError::Order`], if it cannot be there; [`TransferError::OutOfZone`].
    pub fn take(&mut self, record: Record) -> Result<Vec<TransferEvent>, TransferError> {
        if !self.zone.zone_of(&record.name) {
            return Err(TransferError::OutOfZone { name: Box::new(record.name) });
        }
        let soa = match &record.data {
            RData::SOA(soa) if record.name == self.zone => Some(soa.clone()),
            RData::SOA(_) => return Err(TransferError::Order("an SOA record below the zone")),
            _ => None,
        };
        let mut events = Vec::new();
        match (self.state, soa) {
            (State::Begun, Some(soa)) => {
                self.soa = Some(soa);
                self.state = State::First;
            }
            (State::Begun, None) => {
                return Err(TransferError::Order("it does not begin with an SOA record"));
            }
            (State::First, None) => {
                self.state = State::Whole;
                events.push(TransferEvent::Whole { soa: Box::new(self.version()?) });
                events.push(TransferEvent::Added(Box::new(record)));
            }
            (State::First, Some(soa))
                if self.have.is_some() && soa.serial != self.version()?.serial =>
            {
                self.state = State::Removed;
                events.push(TransferEvent::Changes { from: soa.serial });
            }
            (State::First, Some(soa)) if soa.serial == self.version()?.serial => {
                events.push(TransferEvent::Whole { soa: Box::new(self.version()?) });
                self.end(&mut events)?;
            }
            (State::Whole, Some(soa)) if soa.serial == self.version()?.serial => {
                self.end(&mut events)?
            }
            (State::First | State::Whole, Some(_)) => {
                return Err(TransferError::Order("the SOA records at its ends differ"));
            }
            (State::Whole | State::Added(_), None) => {
                events.push(TransferEvent::Added(Box::new(record)))
            }
            (State::Removed, None) => events.push(TransferEvent::Removed(Box::new(record))),
            (State::Removed, Some(soa)) => {
                self.state = State::Added(soa.serial);
                events.push(TransferEvent::To { soa: Box::new(soa) });
            }
            (State::Added(reached), Some(soa)) => {
                if reached != soa.serial {
                    return Err(TransferError::Order("its changes do not follow one another"));
                }
                if reached == self.version()?.serial {
                    self.end(&mut events)?;
                } else {
                    self.state = State::Removed;
                    events.push(TransferEvent::Changes { from: soa.serial });
                }
            }
            (State::Over, _) => return Err(TransferError::Order("records follow its end")),
        }
        Ok(events)
    }

    /// The records of a message are taken. An answer to IXFR may be a single SOA record: nothing has changed (RFC 1995, section 4).
    ///
    /// # Errors
    ///
    /// None so far; of later versions perhaps.
    pub fn message_taken(&mut self) -> Result<Vec<TransferEvent>, TransferError> {
        let mut events = Vec::new();
        if let (State::First, Some(have)) = (self.state, self.have)
            && is_as_new(have, self.version()?.serial)
        {
            events.push(TransferEvent::Unchanged);
            self.end(&mut events)?;
        }
        Ok(events)
    }

    /// Whether the transfer is complete.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn version(&self) -> Result<SOA, TransferError> {
        self.soa.clone().ok_or(TransferError::Order("it does not begin with an SOA record"))
    }

    fn end(&mut self, events: &mut Vec<TransferEvent>) -> Result<(), TransferError> {
        self.state = State::Over;
        events.push(TransferEvent::End { serial: self.version()?.serial });
        Ok(())
    }
}

/// Whether a serial is the same as another or newer (RFC 1982).
const fn is_as_new(serial: u32, other: u32) -> bool {
    serial.wrapping_sub(other) < 1 << 31
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn soa(serial: u32) -> Record {
        let soa = SOA::new(name("ns."), name("me."), serial, 2, 3, 4, 5);
        Record::from_rdata(name("example."), 60, RData::SOA(soa))
    }

    fn a(last: u8) -> Record {
        Record::from_rdata(name("a.example."), 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
    }

    fn read(have: Option<u32>, records: &[Record]) -> Result<Vec<String>, String> {
        let mut reader = TransferReader::new(name("example."), have);
        let mut shown = Vec::new();
        let mut show = |events: Vec<TransferEvent>| {
            shown.extend(events.iter().map(|event| match event {
                TransferEvent::Unchanged => "unchanged".to_owned(),
                TransferEvent::Whole { soa } => format!("whole {}", soa.serial),
                TransferEvent::Changes { from } => format!("from {from}"),
                TransferEvent::To { soa } => format!("to {}", soa.serial),
                TransferEvent::Added(record) => format!("+{}", record.data),
                TransferEvent::Removed(record) => format!("-{}", record.data),
                TransferEvent::End { serial } => format!("end {serial}"),
            }));
        };
        for record in records {
            show(reader.take(record.clone()).map_err(|error| error.to_string())?);
        }
        show(reader.message_taken().map_err(|error| error.to_string())?);
        if !reader.is_over() {
            return Err("incomplete".to_owned());
        }
        Ok(shown)
    }

    #[test]
    fn whole_zones() {
        let whole = ["whole 7", "+192.0.2.1", "+192.0.2.2", "end 7"];
        assert_eq!(read(None, &[soa(7), a(1), a(2), soa(7)]).unwrap(), whole);
        // As the answer to IXFR as well.
        assert_eq!(read(Some(3), &[soa(7), a(1), a(2), soa(7)]).unwrap(), whole);
        assert_eq!(read(None, &[soa(7), soa(7)]).unwrap(), ["whole 7", "end 7"]);
        assert_eq!(read(Some(7), &[soa(7)]).unwrap(), ["unchanged", "end 7"]);
        assert_eq!(read(Some(8), &[soa(7)]).unwrap(), ["unchanged", "end 7"]);
        assert_eq!(read(Some(1), &[soa(u32::MAX)]).unwrap(), ["unchanged", "end 4294967295"]);
        assert!(read(Some(6), &[soa(7)]).is_err());
    }

    /// The example of RFC 1995, section 7.
    #[test]
    fn changes() {
        let two_steps =
            [soa(3), soa(1), a(1), soa(2), a(2), a(3), soa(2), a(3), soa(3), a(4), soa(3)];
        assert_eq!(
            read(Some(1), &two_steps).unwrap(),
            [
                "from 1",
                "-192.0.2.1",
                "to 2",
                "+192.0.2.2",
                "+192.0.2.3",
                "from 2",
                "-192.0.2.3",
                "to 3",
                "+192.0.2.4",
                "end 3"
            ]
        );
        assert_eq!(
            read(Some(1), &[soa(3), soa(1), soa(3), soa(3)]).unwrap(),
            ["from 1", "to 3", "end 3"]
        );
    }

    #[test]
    fn what_cannot_be() {
        assert!(read(None, &[a(1)]).is_err());
        assert!(read(None, &[soa(7), a(1), soa(8)]).is_err());
        assert!(read(None, &[soa(7), a(1), soa(7), a(1)]).is_err());
        assert!(read(None, &[soa(7), a(1)]).is_err());
        assert!(read(Some(1), &[soa(3), soa(1), a(1), soa(2), soa(9)]).is_err());
        let mut outside = a(1);
        outside.name = name("a.other.");
        assert!(read(None, &[soa(7), outside]).is_err());
        let mut below = soa(7);
        below.name = name("b.example.");
        assert!(read(None, &[soa(7), below]).is_err());
    }
}
