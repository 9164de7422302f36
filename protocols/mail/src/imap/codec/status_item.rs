//! What STATUS tells of a mailbox: [`StatusItem`].

use super::{
    reader::{Parsed, Reader},
    writer::Writer,
};

/// A number that STATUS tells of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusItem {
    /// How many messages there are.
    Messages,
    /// How many of them are recent.
    Recent,
    /// The UID that the next message is expected to have.
    UidNext,
    /// The validity of the UIDs.
    UidValidity,
    /// How many have not been seen.
    Unseen,
    /// How many are deleted (IMAP4rev2).
    Deleted,
    /// The bytes of all messages (RFC 8438).
    Size,
    /// The highest modification sequence (RFC 7162).
    HighestModSeq,
    /// The longest message that can be appended (RFC 7889).
    AppendLimit,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
        Self::AppendLimit,
    ];

    /// Its name in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::AppendLimit => "APPENDLIMIT",
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let item = Self::ALL.into_iter().find(|item| reader.eat_keyword(item.name()));
        match item {
            Some(item) => Ok(item),
            None => reader.error("an item of STATUS"),
        }
    }

    pub(super) fn parse_list(reader: &mut Reader<'_>) -> Parsed<Vec<Self>> {
        let items = reader.list(Self::parse)?;
        if items.is_empty() { reader.error("an item of STATUS") } else { Ok(items) }
    }

    pub(super) fn encode_list(items: &[Self], writer: &mut Writer) {
        writer.list_of_some("the items of STATUS", items, |writer, item| writer.raw(item.name()));
    }

    /// The items with their numbers, in a response. What is not known is skipped.
    pub(super) fn parse_values(reader: &mut Reader<'_>) -> Parsed<Vec<(Self, u64)>> {
        let values = reader.list(|reader| {
            let item = Self::ALL.into_iter().find(|item| reader.eat_keyword(item.name()));
            if item.is_none() {
                reader.atom("an item of STATUS")?;
            }
            reader.space()?;
            match item {
                Some(item) if reader.peek().is_some_and(|byte| byte.is_ascii_digit()) => {
                    Ok(Some((item, reader.number64()?)))
                }
                // APPENDLIMIT may be NIL.
                _ => reader.skip_value().map(|()| None),
            }
        })?;
        Ok(values.into_iter().flatten().collect())
    }

    pub(super) fn encode_values(values: &[(Self, u64)], writer: &mut Writer) {
        writer.list(values, |writer, (item, value)| {
            writer.raw(item.name());
            writer.space();
            writer.number(*value);
        });
    }
}
