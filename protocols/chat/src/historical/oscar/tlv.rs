//! Lists of typed values: [`Tlvs`]. A type, a length, and the value, numbers of two bytes in network order. Pure.

use super::Reader;

/// Most values in one list.
const COUNT_MAX: usize = 256;

/// Values by their types, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Tlvs<'a> {
    /// The list that these bytes are. `None` if they end within a value, or hold more than 256.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (mut reader, mut values) = (Reader::new(bytes), Vec::new());
        while !reader.is_empty() {
            values.push(read(&mut reader).filter(|_| values.len() < COUNT_MAX)?);
        }
        Some(Self(values))
    }

    /// So many values from the front of the bytes.
    pub(super) fn read(reader: &mut Reader<'a>, count: usize) -> Option<Self> {
        if count > COUNT_MAX {
            return None;
        }
        (0..count).map(|_| read(reader)).collect::<Option<_>>().map(Self)
    }

    /// The first value of this type.
    #[must_use]
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(other, _)| *other == kind).map(|(_, value)| *value)
    }

    /// All, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        self.0.iter().copied()
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let kind = reader.u16()?;
    let len = reader.u16()?;
    Some((kind, reader.bytes(len.into())?))
}

/// Appends a value. One that is longer than a list can hold is left out; those of this module are shorter.
pub(super) fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    debug_assert!(value.len() <= usize::from(u16::MAX), "a value of {} bytes", value.len());
    if let Ok(len) = u16::try_from(value.len()) {
        out.extend(kind.to_be_bytes());
        out.extend(len.to_be_bytes());
        out.extend(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_type() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1, b"name");
        put(&mut bytes, 0x4c, b"");
        put(&mut bytes, 1, b"again");
        let list = Tlvs::parse(&bytes).unwrap();
        assert_eq!(list.get(1), Some(&b"name"[..]));
        assert_eq!(list.get(0x4c), Some(&b""[..]));
        assert_eq!(list.get(2), None);
        assert_eq!(list.iter().count(), 3);
        for cut in 1..bytes.len() {
            // Only between values is a cut no error.
            let is_between = [8, 12].contains(&cut);
            assert_eq!(Tlvs::parse(&bytes[..cut]).is_some(), is_between, "{cut}");
        }
        let many = [0, 0, 0, 0].repeat(COUNT_MAX + 1);
        assert_eq!(Tlvs::parse(&many), None);
        assert!(Tlvs::parse(&many[4..]).is_some());
    }
}
