//! The parts of the data of a record: [`split`], and the check that all are there: [`is_valid`].

use super::{
    super::{
        name::wire_len,
        schema::{Field, fields},
    },
    character_string::with_len,
    parameters,
};

/// Whether bytes are data of a type, without compression.
pub(crate) fn is_valid(record_type: u16, data: &[u8]) -> bool {
    split(record_type, data, |_, _| ()).is_some()
}

/// Calls `part` for each field with its bytes, without a length before them. `None` if the bytes are no data of this type.
pub(super) fn split<'a>(
    record_type: u16,
    data: &'a [u8],
    mut part: impl FnMut(Field, &'a [u8]),
) -> Option<()> {
    let mut rest = data;
    for &field in fields(record_type) {
        let (bytes, after) = match field {
            Field::Name => rest.split_at_checked(wire_len(rest)?)?,
            Field::U8 => rest.split_at_checked(1)?,
            Field::U16 | Field::Type => rest.split_at_checked(2)?,
            Field::U32 | Field::Seconds | Field::Moment | Field::Ipv4 => {
                rest.split_at_checked(4)?
            }
            Field::Ipv6 => rest.split_at_checked(16)?,
            Field::Eui48 => rest.split_at_checked(6)?,
            Field::Eui64 | Field::Locator64 => rest.split_at_checked(8)?,
            Field::Text | Field::Salt => with_len(rest)?,
            Field::Hash => with_len(rest).filter(|(hash, _)| !hash.is_empty())?,
            Field::Texts => {
                let (mut text, mut after) = with_len(rest)?;
                while !after.is_empty() {
                    part(Field::Text, text);
                    (text, after) = with_len(after)?;
                }
                part(Field::Text, text);
                return Some(());
            }
            Field::Types => (is_type_bitmap(rest)).then_some((rest, &[][..]))?,
            Field::Parameters => parameters::is_valid(rest).then_some((rest, &[][..]))?,
            Field::RestText | Field::RestHex | Field::RestBase64 | Field::Opaque => (rest, &[][..]),
        };
        part(field, bytes);
        rest = after;
    }
    rest.is_empty().then_some(())
}

fn is_type_bitmap(mut rest: &[u8]) -> bool {
    let mut last = None;
    while let Some((&window, after)) = rest.split_first() {
        let Some((bits, after)) = with_len(after) else { return false };
        if !(1..=32).contains(&bits.len()) || last.is_some_and(|last| last >= window) {
            return false;
        }
        last = Some(window);
        rest = after;
    }
    true
}
