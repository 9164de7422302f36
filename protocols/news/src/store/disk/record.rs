//! Records of the history: [`Record`], to bytes and back. Pure.

use sinew_protocols::basic::{Text, Word};

use super::super::{GroupStatus, NewGroup, index::Entry};
use crate::nntp::codec::{GroupName, MessageId};

/// Most groups of one article.
const PLACES_MAX: usize = 100;

/// One change of a spool.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// The first of a file: the version, and numbers that must not be used again.
    Begin { next_sequence: u64 },
    /// A group was created or changed.
    Group { id: u32, group: NewGroup, created: u64, high: u64 },
    /// A group was removed.
    GroupGone { id: u32 },
    /// An article was stored.
    Article { sequence: u64, entry: Entry },
    /// Articles were removed, together: a crash of the system may leave the end of several records without their beginning, which
    /// would be damage.
    Gone { sequences: Vec<u64> },
    /// An article is not here, and not wanted.
    Seen { id: MessageId, at: u64 },
}

const VERSION: u8 = 1;

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        match self {
            Self::Begin { next_sequence } => {
                out.extend_from_slice(&[b'B', VERSION]);
                out.extend_from_slice(&next_sequence.to_le_bytes());
            }
            Self::Group { id, group, created, high } => {
                out.push(b'G');
                out.extend_from_slice(&id.to_le_bytes());
                out.push(u8::try_from(group.status.letter()).unwrap_or(b'n'));
                out.extend_from_slice(&created.to_le_bytes());
                out.extend_from_slice(&high.to_le_bytes());
                push_text(group.name.as_str().as_bytes(), &mut out);
                push_text(&group.creator, &mut out);
                push_text(&group.description, &mut out);
            }
            Self::GroupGone { id } => {
                out.push(b'D');
                out.extend_from_slice(&id.to_le_bytes());
            }
            Self::Article { sequence, entry } => {
                out.push(b'A');
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(&entry.at.to_le_bytes());
                push_text(entry.id.as_str().as_bytes(), &mut out);
                out.push(u8::try_from(entry.places.len()).unwrap_or(u8::MAX));
                for (id, number) in entry.places.iter().take(PLACES_MAX) {
                    out.extend_from_slice(&id.to_le_bytes());
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
            Self::Gone { sequences } => {
                out.push(b'R');
                sequences
                    .iter()
                    .for_each(|sequence| out.extend_from_slice(&sequence.to_le_bytes()));
            }
            Self::Seen { id, at } => {
                out.push(b'S');
                out.extend_from_slice(&at.to_le_bytes());
                push_text(id.as_str().as_bytes(), &mut out);
            }
        }
        out
    }

    /// `None` for what no version has written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let record = match input.byte()? {
            b'B' if input.byte()? == VERSION => Self::Begin { next_sequence: input.u64()? },
            b'G' => {
                let id = input.u32()?;
                let status = GroupStatus::of_letter(char::from(input.byte()?))?;
                let (created, high) = (input.u64()?, input.u64()?);
                let name: GroupName = str::from_utf8(input.text()?).ok()?.parse().ok()?;
                let creator = Word::try_from(input.text()?).ok()?;
                let description = Text::try_from(input.text()?).ok()?;
                let group = NewGroup { name, status, description, creator };
                Self::Group { id, group, created, high }
            }
            b'D' => Self::GroupGone { id: input.u32()? },
            b'A' => {
                let (sequence, at) = (input.u64()?, input.u64()?);
                let id = input.id()?;
                let places = (0..input.byte()?).map(|_| Some((input.u32()?, input.u64()?)));
                let places = places.collect::<Option<Vec<_>>>()?;
                Self::Article { sequence, entry: Entry { id, at, places } }
            }
            b'R' => {
                let mut sequences = vec![input.u64()?];
                while !input.0.is_empty() {
                    sequences.push(input.u64()?);
                }
                Self::Gone { sequences }
            }
            b'S' => {
                let at = input.u64()?;
                Self::Seen { id: input.id()?, at }
            }
            _ => return None,
        };
        input.0.is_empty().then_some(record)
    }
}

fn push_text(text: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&text[..usize::from(len)]);
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }

    fn id(&mut self) -> Option<MessageId> {
        str::from_utf8(self.text()?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let group = NewGroup::new("a.b".parse().unwrap()).description("what it is").unwrap();
        let id: MessageId = "<1@a>".parse().unwrap();
        let entry = Entry { id: id.clone(), at: 5, places: vec![(1, 2), (3, 4)] };
        for record in [
            Record::Begin { next_sequence: 7 },
            Record::Group { id: 1, group, created: 2, high: 3 },
            Record::GroupGone { id: 9 },
            Record::Article { sequence: 1, entry },
            Record::Gone { sequences: vec![1] },
            Record::Seen { id, at: 6 },
        ] {
            let bytes = record.encode();
            let again = Record::decode(&bytes).expect("it was encoded");
            assert_eq!(format!("{again:?}"), format!("{record:?}"));
            for len in 0..bytes.len() {
                assert!(Record::decode(&bytes[..len]).is_none(), "{record:?}, {len} bytes");
            }
            assert!(Record::decode(&[&bytes[..], b"x"].concat()).is_none());
        }
    }
}
