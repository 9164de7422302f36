//! What the messages of OSCAR hold: users, texts, items of a contact list. Pure.

use super::{Reader, Tlvs, tlv::put};
use crate::historical::{Buddy, ScreenName};

/// Bits of the class of a user.
const CLASS_FREE: u16 = 0x0010;
const CLASS_AWAY: u16 = 0x0020;

const CHARSET_UTF16: u16 = 2;
const CHARSET_LATIN1: u16 = 3;

/// Longest text of a message, in bytes of UTF-8.
pub const TEXT_MAX: usize = 2_048;

/// An item of the contact list that a server keeps ("feedbag").
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListItem {
    /// The name of a buddy or group; empty for the group of all groups.
    pub name: String,
    /// The number of its group.
    pub group: u16,
    /// Its number in the group; 0 for the group itself.
    pub item: u16,
    /// What it is: 0 for a buddy, 1 for a group.
    pub class: u16,
    /// Its attributes, as a list of values.
    pub attributes: Vec<u8>,
}

/// Appends what is said of a user.
pub(super) fn put_buddy(out: &mut Vec<u8>, buddy: &Buddy, now: u32) {
    put_name(out, &buddy.name);
    // The warning level, and the number of values.
    out.extend([0, 0, 0, 3]);
    let class = CLASS_FREE | if buddy.is_away { CLASS_AWAY } else { 0 };
    put(out, 0x01, &class.to_be_bytes());
    put(out, 0x03, &buddy.signed_on.to_be_bytes());
    put(out, 0x0f, &now.saturating_sub(buddy.signed_on).to_be_bytes());
}

/// Appends what is said of the sender of a message: its class only, since some clients expect a value.
pub(super) fn put_sender(out: &mut Vec<u8>, name: &ScreenName) {
    put_name(out, name);
    out.extend([0, 0, 0, 1]);
    put(out, 0x01, &CLASS_FREE.to_be_bytes());
}

/// Reads what is said of a user.
pub(super) fn read_buddy(reader: &mut Reader<'_>) -> Option<Buddy> {
    let name = ScreenName::from_bytes(reader.short()?).ok()?;
    reader.u16()?;
    let count = reader.u16()?;
    let values = Tlvs::read(reader, count.into())?;
    let class = values.get(0x01).and_then(|value| Reader::new(value).u16());
    let signed_on = values.get(0x03).and_then(|value| Reader::new(value).u32());
    let is_away = class.is_some_and(|class| class & CLASS_AWAY != 0);
    Some(Buddy { name, is_away, signed_on: signed_on.unwrap_or(0) })
}

/// Appends a name with its length.
pub(super) fn put_name(out: &mut Vec<u8>, name: &ScreenName) {
    let name = name.as_str().as_bytes();
    // A name has at most 97 bytes.
    out.push(name.len() as u8);
    out.extend(name);
}

/// The value that holds the text of a message.
pub(super) fn text_value(text: &str) -> Vec<u8> {
    // Latin-1 if that is enough, which more programs understood.
    let latin1 = text.chars().map(|char| u8::try_from(char).ok()).collect::<Option<Vec<u8>>>();
    let (charset, bytes) = match latin1 {
        Some(bytes) if text.is_ascii() => (0, bytes),
        Some(bytes) => (CHARSET_LATIN1, bytes),
        None => (CHARSET_UTF16, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    };
    // What the receiver must be able to do: text.
    let mut value = vec![5, 1, 0, 1, 1, 1, 1];
    // The text has at most 2,048 bytes of UTF-8, which are at most 4,096 of UTF-16.
    value.extend((bytes.len() as u16 + 4).to_be_bytes());
    value.extend(u16::to_be_bytes(charset));
    value.extend([0, 0]);
    value.extend(bytes);
    value
}

/// The text in such a value: all its parts.
pub(super) fn read_text(value: &[u8]) -> Option<String> {
    let (mut reader, mut text) = (Reader::new(value), String::new());
    while !reader.is_empty() {
        let kind = reader.u16()?;
        let len = reader.u16()?;
        let part = reader.bytes(len.into())?;
        if kind != 0x0101 {
            continue;
        }
        let mut part = Reader::new(part);
        let (charset, _) = (part.u16()?, part.u16()?);
        text.push_str(&decoded(charset, part.rest()));
    }
    Some(text)
}

fn decoded(charset: u16, bytes: &[u8]) -> String {
    let latin1 = || bytes.iter().map(|byte| char::from(*byte)).collect();
    match (charset, std::str::from_utf8(bytes)) {
        (CHARSET_UTF16, _) => {
            let units = bytes.chunks(2).map(|unit| match *unit {
                [high, low] => u16::from_be_bytes([high, low]),
                _ => 0xfffd,
            });
            char::decode_utf16(units)
                .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        (CHARSET_LATIN1, _) | (_, Err(_)) => latin1(),
        (_, Ok(text)) => text.to_owned(),
    }
}

impl ListItem {
    /// The longest name, and the longest attributes.
    const NAME_MAX: usize = 256;
    const ATTRIBUTES_MAX: usize = 1_024;

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        // The lengths were checked when it was read or made.
        out.extend((self.name.len() as u16).to_be_bytes());
        out.extend(self.name.as_bytes());
        for number in [self.group, self.item, self.class, self.attributes.len() as u16] {
            out.extend(number.to_be_bytes());
        }
        out.extend(&self.attributes);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let len = reader.u16()?;
        let name = reader.bytes(len.into())?;
        let (group, item, class) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let len = reader.u16()?;
        let attributes = reader.bytes(len.into())?.to_vec();
        let name = String::from_utf8(name.to_vec()).ok()?;
        let is_short = name.len() <= Self::NAME_MAX && attributes.len() <= Self::ATTRIBUTES_MAX;
        is_short.then_some(Self { name, group, item, class, attributes })
    }

    /// A buddy.
    #[must_use]
    pub fn buddy(name: &ScreenName, group: u16, item: u16) -> Self {
        let (name, attributes) = (name.as_str().to_owned(), Vec::new());
        Self { name, group, item, class: 0, attributes }
    }

    /// A group of buddies.
    #[must_use]
    pub fn group(name: &ScreenName, group: u16) -> Self {
        Self { item: 0, class: 1, ..Self::buddy(name, group, 0) }
    }

    /// The group of all groups, which every list has.
    pub(super) fn root() -> Self {
        Self { name: String::new(), group: 0, item: 0, class: 1, attributes: Vec::new() }
    }

    /// Whom it names, if it is a buddy.
    pub(super) fn buddy_name(&self) -> Option<ScreenName> {
        self.name.parse().ok().filter(|_| self.class == 0)
    }

    /// Its place in the list.
    pub(super) const fn place(&self) -> (u16, u16) {
        (self.group, self.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive() {
        for text in ["", "hello", "größe", "日本語 🎉", "<b>bold</b>\r\n"] {
            assert_eq!(read_text(&text_value(text)).as_deref(), Some(text));
        }
        // Latin-1 by name, and what claims to be ASCII and is not.
        let part = |charset: u8, text: &[u8]| {
            let len = text.len() as u8 + 4;
            [&[1, 1, 0, len, 0, charset, 0, 0], text].concat()
        };
        for (charset, bytes, expected) in [
            (3, &b"gr\xf6\xdfe"[..], "größe"),
            (0, b"gr\xf6\xdfe", "größe"),
            (2, b"\0a\0", "a\u{fffd}"),
        ] {
            assert_eq!(read_text(&part(charset, bytes)).as_deref(), Some(expected));
        }
        // Two parts are one text.
        assert_eq!(read_text(&[part(0, b"a"), part(0, b"b")].concat()).as_deref(), Some("ab"));
        assert_eq!(read_text(&part(0, b"a")[..8]), None);
    }

    #[test]
    fn users_and_items_survive() {
        let name: ScreenName = "Chat Fan".parse().unwrap();
        let buddy = Buddy { name: name.clone(), is_away: true, signed_on: 1_000 };
        let mut bytes = Vec::new();
        put_buddy(&mut bytes, &buddy, 1_060);
        assert_eq!(read_buddy(&mut Reader::new(&bytes)), Some(buddy));
        for cut in 0..bytes.len() {
            assert_eq!(read_buddy(&mut Reader::new(&bytes[..cut])), None, "{cut}");
        }
        for item in [ListItem::root(), ListItem::buddy(&name, 1, 2)] {
            let mut bytes = Vec::new();
            item.put(&mut bytes);
            assert_eq!(ListItem::read(&mut Reader::new(&bytes)), Some(item));
        }
    }
}
