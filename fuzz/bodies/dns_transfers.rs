//! Zone transfers: the events that are read from records, one by one, are those of a second reading of the whole list, by RFC 5936 and
//! RFC 1995.

use sinew::dns::{
    client::{TransferEvent, TransferReader},
    codec::{
        Name, RData, Record,
        rdata::{A, SOA},
    },
};

use super::input::Input;

/// A record of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// The SOA record of the zone, with this serial.
    Version(u32),
    /// An address.
    Address(u8),
    /// A record of another zone.
    Foreign,
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

impl Item {
    fn record(self) -> Record {
        let (owner, data) = match self {
            Self::Version(serial) => {
                ("example.", RData::SOA(SOA::new(name("ns."), name("me."), serial, 2, 3, 4, 5)))
            }
            Self::Address(last) => ("a.example.", RData::A(A::new(192, 0, 2, last))),
            Self::Foreign => ("a.other.", RData::A(A::new(192, 0, 2, 1))),
        };
        Record::from_rdata(name(owner), 60, data)
    }
}

/// The first byte says whether changes since a version are asked for, and whether the first record comes in a message of its own; each
/// later one is a record.
pub(crate) fn check(data: &mut Input<'_>) {
    let kind = data.byte();
    let have = (kind & 1 == 1).then_some(u32::from(kind >> 4));
    let is_first_alone = kind & 2 == 2;
    let items = data.rest().iter().take(64).map(|byte| match byte {
        0..=95 => Item::Version(u32::from(byte % 16)),
        96..=250 => Item::Address(byte % 4),
        _ => Item::Foreign,
    });
    let items: Vec<_> = items.collect();
    let read = read(&items, have, is_first_alone);
    assert_eq!(read, by_reference(&items, have, is_first_alone), "{have:?} {items:?}");
}

/// The events, if the transfer is complete and in order.
fn read(items: &[Item], have: Option<u32>, is_first_alone: bool) -> Option<Vec<String>> {
    let mut reader = TransferReader::new(name("example."), have);
    let mut events = Vec::new();
    for (at, item) in items.iter().enumerate() {
        events.extend(reader.take(item.record()).ok()?);
        if at == 0 && is_first_alone || at + 1 == items.len() {
            events.extend(reader.message_taken().ok()?);
        }
    }
    let shown = events.iter().map(|event| match event {
        TransferEvent::Unchanged => "unchanged".to_owned(),
        TransferEvent::Whole { soa } => format!("whole {}", soa.serial),
        TransferEvent::Changes { from } => format!("from {from}"),
        TransferEvent::To { soa } => format!("to {}", soa.serial),
        TransferEvent::Added(record) => format!("+{}", record.data),
        TransferEvent::Removed(record) => format!("-{}", record.data),
        TransferEvent::End { serial } => format!("end {serial}"),
        other => panic!("{other:?}"),
    });
    reader.is_over().then(|| shown.collect())
}

/// The same from the list as a whole.
fn by_reference(items: &[Item], have: Option<u32>, is_first_alone: bool) -> Option<Vec<String>> {
    let (Item::Version(version), rest) = items.split_first()? else { return None };
    let end = format!("end {version}");
    let is_as_new = have.is_some_and(|have| have.wrapping_sub(*version) < 1 << 31);
    if is_as_new && (is_first_alone || rest.is_empty()) {
        return rest.is_empty().then(|| vec!["unchanged".to_owned(), end]);
    }
    let (last, middle) = rest.split_last()?;
    if *last != Item::Version(*version) || items.contains(&Item::Foreign) {
        return None;
    }
    let addresses = |items: &[Item], sign: char| {
        let shown = items.iter().map(|item| match item {
            Item::Address(last) => Some(format!("{sign}192.0.2.{last}")),
            _ => None,
        });
        shown.collect::<Option<Vec<_>>>()
    };
    let is_changes = matches!(middle.first(), Some(Item::Version(from)) if from != version);
    if have.is_none() || !is_changes {
        let added = addresses(middle, '+')?;
        return Some([vec![format!("whole {version}")], added, vec![end]].concat());
    }
    let (mut events, mut reached, mut left) = (Vec::new(), None, middle);
    while let Some((Item::Version(from), after)) = left.split_first() {
        // The transfer is over as soon as its version is reached and repeated.
        if reached.is_some_and(|reached| reached != *from) || reached == Some(*version) {
            return None;
        }
        let is_version = |item: &Item| matches!(item, Item::Version(_));
        let to_at = after.iter().position(is_version)?;
        let Item::Version(to) = after[to_at] else { return None };
        let behind = &after[to_at + 1..];
        let len = behind.iter().position(is_version).unwrap_or(behind.len());
        events.push(format!("from {from}"));
        events.extend(addresses(&after[..to_at], '-')?);
        events.push(format!("to {to}"));
        events.extend(addresses(&behind[..len], '+')?);
        (reached, left) = (Some(to), &behind[len..]);
    }
    events.push(end);
    (reached == Some(*version) && left.is_empty()).then_some(events)
}
